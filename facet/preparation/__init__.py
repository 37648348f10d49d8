"""The work of stage `prepare`: rows and splits, pixels, the data card, reuse of the last run."""
