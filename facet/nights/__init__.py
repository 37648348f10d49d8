"""Unattended retraining: intake of deliveries, drift, gate, champions, records, page."""
