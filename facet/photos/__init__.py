"""Edit users' photos with a trained system, outside the DVC pipeline."""

import cv2

cv2.setNumThreads(1)  # photos run in parallel, one thread each; OpenCV's own threads would only compete with them
