"""Pages as HTML: templates that escape all that they are given, and links between pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from circuitkb.atlas.links import address, is_feature
from circuitkb.atlas.page import Page, Way
from circuitkb.results.harmless_text import for_terminal
from circuitkb.results.text import show

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")

_NODES = frozenset({"circuit", "trial", "model", "published_as", "evidence", "node", "id", "proof"})
"""Columns whose values are ids of nodes that are no features."""

_TEXTS = frozenset({"label", "labels", "text", "name", "claim", "detail", "note", "question"})
"""Columns of what people wrote: never ids, whatever they look like."""

_LONGEST = 400
"""Characters of one cell; JSON and CSV have all of it."""

_SECTIONS = (
    ("coverage", "Unexplained"),
    ("claims", "Claims"),
    ("features", "Features"),
    ("circuits", "Circuits"),
    ("trials", "Trials"),
    ("questions", "Questions"),
    ("about", "About"),
)

_ASKING = (
    ("labels", "Labels"),
    ("compare", "Compare"),
    ("pattern", "Pattern"),
    ("query", "Cypher"),
)
"""Pages that only a server can make."""


_BOX = re.compile(r'<g data-feature="([^"]*)">.*?</g>', re.DOTALL)
"""A feature in a picture."""


@dataclass(frozen=True)
class Place:
    """Where pages lie, as one of them sees it.

    Attributes
    ----------
    root
        From this page to the first one, with a ``/`` at its end.
    ending
        What follows an address: ``.html`` where pages are files.
    there
        Addresses of the pages that there are; None if all are.
    live
        Whether a server answers: forms work, and every page has JSON.
    token
        What the server gives its own forms, if it takes any.
    """

    root: str = "/"
    ending: str = ""
    there: frozenset[str] | None = None
    live: bool = True
    token: str = ""

    def link(self, address: str, query: Any = None) -> str:
        """Return the link to a page; empty if it is not there."""
        if self.there is not None and address not in self.there:
            return ""
        asked = f"?{urlencode(dict(query))}" if query else ""
        if self.live and address == "index":
            return self.root
        return f"{self.root}{address}{self.ending}{asked}"

    def open(self, ways: Sequence[Way]) -> list[Way]:
        """Return the ways that lead somewhere from here; what is asked for needs a server."""
        return [way for way in ways if (self.live or not way.query) and self.link(way.address)]

    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return the addresses and names of the pages that every page leads to."""
        return _SECTIONS + _ASKING if self.live else _SECTIONS


def render(page: Page, place: Place) -> str:
    """Return a page as HTML."""
    return _TEMPLATES.get_template("page.html").render(page=page, place=place)


def _cell(place: Place, column: str, value: Any) -> Markup:
    """Return a value as it stands in a table: ids as links, all else as text."""
    if isinstance(value, str) and _is_id(column, value):
        link = place.link(address(value))
        shown = _text(value)
        return Markup('<a href="{}">{}</a>').format(link, shown) if link else shown
    if column == "question" and place.live and isinstance(value, str):
        asked = place.link("ask", {"question": value})
        return Markup('<a href="{}">{}</a>').format(asked, _text(value))
    if _are_features(value) and column not in _TEXTS:
        return Markup(", ").join(_cell(place, column, item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _text(f"{value:,}")
    return _text(show(value))


def _text(text: str) -> Markup:
    plain = for_terminal(text)
    cut = plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
    return Markup("<br>").join(escape(line) for line in cut.split("\n"))


def _is_id(column: str, value: str) -> bool:
    """Tell whether a value is the id of a node; of a circuit's trial there is the outcome, too."""
    if column in _TEXTS:
        return False
    named = column in _NODES and (column != "trial" or value.startswith("trial-"))
    return named or is_feature(value)


def _are_features(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(item, str) and is_feature(item) for item in value)
    )


def _drawn(place: Place, svg: str) -> Markup:
    """Return a picture, which circuitkb made and whose texts it escaped, with links to features."""

    def linked(box: re.Match[str]) -> str:
        link = place.link(address(unescape(box[1])))
        return f'<a href="{escape(link)}">{box[0]}</a>' if link else box[0]

    found = _BOX.sub(linked, svg)
    if "<a " in found:  # what holds links is no image to those who hear a page
        found = found.replace('role="img"', 'role="group"', 1)
    return Markup(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TEMPLATES = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {"cell": _cell, "is_number": _is_number}
_TEMPLATES.filters["plain"] = _text
_TEMPLATES.filters["whole"] = for_terminal  # and escaped, as all is
_TEMPLATES.globals["drawn"] = _drawn
