"""A page whose pictures all say what they show, whoever drew them."""

from __future__ import annotations

from dataclasses import replace

from circuitkb.atlas.page import Page
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.stores.base import Store


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
