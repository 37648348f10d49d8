"""Photographs of users, outside the graph: a trained system works on files that DVC need not know."""

import cv2

cv2.setNumThreads(1)  # photos are many: each takes one thread, and OpenCV's own would get in the others' way
