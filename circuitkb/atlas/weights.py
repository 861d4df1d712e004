"""Links that name the weights they were made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from circuitkb.atlas.page import Page, Way
from circuitkb.kb.knowledge_base import KnowledgeBase

NAME = "weights"
"""What a link calls them."""

_DIGITS = 16

_FINGERPRINT = "MATCH (m:Model {id: $model}) RETURN m.fingerprint AS fingerprint"


def on_weights(kb: KnowledgeBase, page: Page, model: str, query: Mapping[str, str]) -> Page:
    """Return a page that says so if its link was made on other weights than those here.

    Parameters
    ----------
    model
        The name of the model that the page is about; empty if it is about none.
    query
        What the link gives; ``weights`` is the beginning of a fingerprint.
    """
    rows = kb.query(_FINGERPRINT, {"model": model}).rows if model else ()
    if not rows:
        return page
    own = str(rows[0][0])
    meant = query.get(NAME, "").lower()
    if meant and not own.startswith(meant):
        warned = (
            f"This link was made on other weights: {meant[:_DIGITS]}. Those of {model!r} here are "
            f"{own[:_DIGITS]}, and what stands below is about them.",
        )
        return replace(page, lead=(*warned, *page.lead))
    asked = {**page.query, NAME: own[:_DIGITS]}
    way = Way("A link that names these weights", page.address, asked)
    return replace(page, ways=(*page.ways, way))
