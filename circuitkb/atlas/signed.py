"""A page as others may see it: pictures that say what they show, no folders of this machine."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from circuitkb.atlas.page import Page
from circuitkb.results.harmless_text import without_folder
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.results.result import Result
from circuitkb.stores.base import Store

_ABOUT_ALL = ("index", "about", "coverage", "claims")

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


def published(page: Page, models: Collection[str]) -> Page:
    """Return the page of a folder: names of files without where they lay on this machine.

    Pages about all of the knowledge base have the rows of these models alone.
    """
    results = [_without_folders(table.result) for table in page.tables]
    if page.address in _ABOUT_ALL:
        results = [_of(models, result) for result in results]
    return replace(
        page,
        facts={name: _published(name, value) for name, value in page.facts.items()},
        tables=tuple(
            replace(table, result=result)
            for table, result in zip(page.tables, results, strict=True)
        ),
    )


def _of(models: Collection[str], result: Result) -> Result:
    """Return the rows that name one of these models, or none."""
    if "model" not in result.columns:
        return result
    rows = zip(result["model"], result.rows, strict=True)
    return replace(result, rows=tuple(row for model, row in rows if model in (None, *models)))


def _without_folders(result: Result) -> Result:
    if not set(_PLACES) & set(result.columns):
        return result
    rows = tuple(tuple(map(_published, result.columns, row)) for row in result.rows)
    return replace(result, rows=rows)


def _published(name: str, value: Any) -> Any:
    return without_folder(value) if name in _PLACES and isinstance(value, str) else value
