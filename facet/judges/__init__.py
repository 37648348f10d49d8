"""The two classifiers that score edits: networks, training, calibration, card."""
