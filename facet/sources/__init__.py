"""Where faces come from: one module a kind, each of which lists its files as a `labels.Listing`."""
