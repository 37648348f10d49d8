"""One file a metric: arrays or tensors in, numbers with intervals out; imports only torch, numpy and scipy."""
