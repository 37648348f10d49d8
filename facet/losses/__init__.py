"""Losses as functions of tensors; they import only torch, nets.ranks and the metrics that they minimise."""
