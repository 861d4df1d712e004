"""What a picture shows and where that comes from, inside the picture: Dublin Core in RDF."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cached_property
from html import escape
from typing import Any

from circuitkb.results.harmless_text import for_terminal, without_folder
from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import FeatureId, LayerId
from circuitkb.schema.provenance import tool
from circuitkb.stores.base import Store

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"

_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""What no XML may hold, beside the characters that act."""

_MODELS = """\
MATCH (m:Model)
RETURN m.id AS id, m.source AS source, m.fingerprint AS fingerprint, m.license AS license,
  m.attribution AS attribution"""


class Provenance:
    """Says inside pictures of a store what they show, and what that was made from.

    Models are read once. A picture that says it already is left as it is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @cached_property
    def _models(self) -> dict[str, dict[str, Any]]:
        answer = self._store.read(_MODELS, limit=None)
        rows = (dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
        return {row["id"]: row for row in rows}

    def sign(self, svg: str, shown: str, model: str | None = None) -> str:
        """Return a picture that says what it shows.

        Parameters
        ----------
        shown
            The id of what it shows.
        model
            The model that it belongs to, if its id does not tell; where nothing does, nothing is
            said of a model.
        """
        if _place(svg) is None:
            return svg
        return signed(svg, shown, self._models.get(model or self._model_of(shown), {}))

    def texts(self, shown: str) -> dict[str, str]:
        """Return what a picture of a feature, layer or model says, by the keywords of PNG."""
        return said(self.sign('<svg xmlns="http://www.w3.org/2000/svg"></svg>', shown))

    def _model_of(self, id: str) -> str:
        for kind in (FeatureId, LayerId):
            try:
                return kind.parse(id).model
            except IdError:
                continue
        if id in self._models:
            return id
        found = self._store.read("MATCH (c:Circuit {id: $id}) RETURN c.model", {"id": id}).rows
        return str(found[0][0]) if found else ""


def signed(svg: str, shown: str, model: Mapping[str, Any]) -> str:
    """Return an SVG with metadata as Inkscape and matplotlib write them.

    Examples
    --------
    >>> made = signed('<svg xmlns="http://www.w3.org/2000/svg"><title>dog</title></svg>',
    ...               "net/a:1", {"id": "net", "license": "MIT"})
    >>> said(made)["Title"], said(made)["Copyright"], made == signed(made, "again", {})
    ('net/a:1', 'MIT', True)
    >>> signed("", "net/a:1", {})
    ''
    """
    place = _place(svg)
    return svg if place is None else svg[:place] + _metadata(shown, model) + svg[place:]


def _place(svg: str) -> int | None:
    """Return where metadata go: after the title, which stands first to be a picture's name.

    None where it has them, or is none; pictures within it may have their own.
    """
    start = svg.find("<svg")
    if start < 0:
        return None
    place = svg.index(">", start) + 1
    if svg.startswith("<title>", place):
        place = svg.index("</title>", place) + len("</title>")
    return None if svg.startswith("<metadata>", place) else place


def _metadata(shown: str, model: Mapping[str, Any]) -> str:
    fingerprint = model.get("fingerprint")
    of_model = "".join(
        _element(name, value)
        for name, value in (
            ("title", model.get("id")),
            ("source", without_folder(str(model.get("source") or ""))),
            ("identifier", fingerprint and f"sha256:{fingerprint}"),
            ("rights", model.get("license")),
            ("rights", model.get("attribution")),
        )
    )
    inner = _element("title", shown) + _element("creator", tool())
    if of_model:
        inner += f"<dc:source><rdf:Description>{of_model}</rdf:Description></dc:source>"
    return (
        f'<metadata><rdf:RDF xmlns:rdf="{_RDF}" xmlns:dc="{_DC}">'
        f'<rdf:Description rdf:about="">{inner}</rdf:Description></rdf:RDF></metadata>'
    )


def _element(name: str, value: object) -> str:
    text = _NO_XML.sub("\ufffd", for_terminal(str(value)))
    return f"<dc:{name}>{escape(text)}</dc:{name}>" if value else ""


def said(svg: str) -> dict[str, str]:
    """Return what a picture says of itself, by the keywords of PNG; nothing if it says nothing."""
    work = ET.fromstring(svg).find(f".//{{{_RDF}}}Description")
    if work is None:
        return {}
    model = work.find(f"{{{_DC}}}source/{{{_RDF}}}Description")
    found = {
        "Title": _texts(work, "title"),
        "Software": _texts(work, "creator"),
        "Source": [] if model is None else _texts(model, "title", "source", "identifier"),
        "Copyright": [] if model is None else _texts(model, "rights"),
    }
    return {name: "; ".join(texts) for name, texts in found.items() if texts}


def _texts(element: ET.Element, *names: str) -> list[str]:
    return [part.text or "" for name in names for part in element.findall(f"{{{_DC}}}{name}")]
