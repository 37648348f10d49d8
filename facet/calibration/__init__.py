"""Calibration of edits by judge A: how strong one unit of an edit is, and which estimator gets there best."""
