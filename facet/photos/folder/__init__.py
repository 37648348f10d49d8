"""Editing a folder of photos as one job: listing, shards, journal, manifest, contact sheet."""
