"""Faces in a photo: detection, alignment, masks, and pasting an edited crop back."""
