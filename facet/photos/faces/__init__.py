"""Faces in a photo: finding and aligning them, masks, pasting an edited crop back."""
