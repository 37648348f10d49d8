"""Formulas as functions of tensors; they import nothing but torch and the metrics they minimise."""
