"""The templates of this folder and the style that every page of the report shares."""

from pathlib import Path

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent


def template(name: str, *folders: Path, source: str, notice: bool) -> jinja2.Template:
    """A template of this folder or of `folders`. `source` is the data set; with `notice` the page warns against
    publication unless its faces are drawn."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    css = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    drawn = source.startswith("drawn")
    environment.globals.update(css=css, source=source, drawn=drawn, notice=notice and not drawn)
    return environment.get_template(name)
