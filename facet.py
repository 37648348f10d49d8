"""Facet from Python:

import facet

editor = facet.Editor.load("data/models/vigan")
smiling = editor.edit(PIL.Image.open("photo.jpg"), "Smiling=on")
"""

from stages.photos.editor import PhotoEditor as Editor

__all__ = ["Editor"]
