"""Write docs/faces.png, the picture of the README, after `make repro`: test faces chosen by seed, their reconstructions
by vigan, and one edit per column. Only drawn faces: pictures from other sources may not be published.

    .venv/bin/python docs/faces.py"""

import sys
from pathlib import Path

import torch

from facet.base import images
from facet.base.tables import read_faces
from facet.editing.directions import choose_rows
from facet.editing.editor import Editor
from facet.pictures import sheets

FACES, SEED = 5, 3
SPECS = ("Smiling=on", "Eyeglasses=on", "Blond_Hair=on", "Black_Hair=on", "Male=on", "No_Beard=off", "Wearing_Hat=on")


def main() -> None:
    data = Path("data")
    faces, pixels = read_faces(data / "prepared"), images.open_images(data / "prepared")
    if faces.meta.source != "drawn":
        sys.exit(f"data/prepared holds faces of {faces.meta.source}, which may not be shown; run `facet profile drawn`")
    editor = Editor.load(data / "models" / "vigan", data / "attributes" / "vigan.parquet", torch.device("cpu"))
    rows = faces.rows("test")
    x = images.gather(pixels, rows[choose_rows(FACES, len(rows), SEED)])
    columns = {"photo": x, "reconstruction": editor.decode(editor.encode(x))}
    for text in SPECS:
        columns[text.replace("=", " ")] = editor.apply(x, editor.parse(text), "replace").y
    pixels_of_columns = [images.to_pixels(column) for column in columns.values()]
    sheet = sheets.sheet(
        [[column[i] for column in pixels_of_columns] for i in range(FACES)],
        list(columns),
        title="Edits of test faces",
        scale=2,
    )
    sheets.write_png(Path("docs") / "faces.png", sheet)


if __name__ == "__main__":
    main()
