"""What every page of the report shares: the templates of this folder, and the style."""

from pathlib import Path

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent


def environment(source: str, *folders: Path, notice: bool) -> jinja2.Environment:
    """Templates of this folder and of `folders`, which know the data set and whether to warn that pictures are not
    drawn."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    css = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    drawn = source.startswith("drawn")
    made.globals.update(css=css, source=source, drawn=drawn, notice=notice and not drawn)
    return made
