"""Formulas as functions of tensors; they import nothing but torch, nets.ranks and the metrics they minimise."""
