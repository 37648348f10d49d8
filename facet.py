"""Facet from Python:

import facet

editor = facet.Editor.load("data/models/vigan")
smiling = editor.edit(PIL.Image.open("photo.jpg"), "Smiling=on")
"""

from stages.decode import BadImage
from stages.photos.editor import Options
from stages.photos.editor import PhotoEditor as Editor

__all__ = ["BadImage", "Editor", "Options"]
