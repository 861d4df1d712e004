"""A page as others may see it: pictures that say what they show, no folders of this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from circuitkb.atlas.page import Page
from circuitkb.results.harmless_text import without_folder
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.results.result import Result
from circuitkb.stores.base import Store

_PLACES = ("source", "architecture")
"""Names of what may say where a file lay."""


def signed(page: Page, store: Store) -> Page:
    """Return the page; pictures that said nothing say what the page is about, and its model."""
    sign = Provenance(store).sign
    model = str(page.facts.get("model") or page.facts.get("network") or "")
    return replace(
        page,
        figures=tuple(
            replace(
                figure,
                svg=sign(figure.svg, figure.about or page.title, "" if figure.about else model),
            )
            for figure in page.figures
        ),
        tables=tuple(
            replace(table, pictures=tuple(sign(svg, page.title, model) for svg in table.pictures))
            for table in page.tables
        ),
    )


def published(page: Page) -> Page:
    """Return the page with names of files in the place of where they lay on this machine."""
    return replace(
        page,
        facts={name: _published(name, value) for name, value in page.facts.items()},
        tables=tuple(
            replace(table, result=_without_folders(table.result)) for table in page.tables
        ),
    )


def _without_folders(result: Result) -> Result:
    if not set(_PLACES) & set(result.columns):
        return result
    rows = tuple(tuple(map(_published, result.columns, row)) for row in result.rows)
    return replace(result, rows=rows)


def _published(name: str, value: Any) -> Any:
    return without_folder(value) if name in _PLACES and isinstance(value, str) else value
