"""The templates of this folder and the style that every page of the report shares."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from facet.reporting import values

TEMPLATES = Path(__file__).parent


def template(name: str, *folders: Path, source: str, notice: bool) -> jinja2.Template:
    """A template of this folder or of `folders`. `source` is that of the data card; with `notice` the page warns
    against publication unless its faces are drawn."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    css = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    drawn = source.startswith("drawn")
    words = {"data_set": values.data_set(source), "faces": values.faces_of(source)}
    environment.globals.update(css=css, drawn=drawn, notice=notice and not drawn, **words)
    return environment.get_template(name)
