"""The parts of stage `prepare`: rows and splits, pixels, the data card, and reuse of the last run."""
