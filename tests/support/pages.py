"""Checks of a page of the report: no references to other files, and tags closed in order."""

import html.parser
import re

REFERENCES = re.compile(
    r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import"""
)
VOID = {"meta", "link", "img", "br", "line", "polyline", "polygon", "circle", "rect"}


class Nesting(html.parser.HTMLParser):
    """Fails if a tag is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.pictures = [], set(), set(), []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in values:
            assert values["id"] not in self.ids, values["id"]
            self.ids.add(values["id"])
        if tag == "a":
            self.links.add(values["href"])
        if tag == "img":
            self.pictures.append(values)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, (tag, self.open[-5:], self.getpos())


def nesting(page):
    parser = Nesting()
    parser.feed(page)
    assert parser.open == []
    return parser
