"""How much of each network is explained: its kept coverage, as tables and as a picture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from circuitkb.atlas.page import Gallery, Image, Table
from circuitkb.coverage.coverage import KIND, Coverage
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.report.coverage import kept_coverage
from circuitkb.results.result import Result
from circuitkb.schema.errors import NotFoundError
from circuitkb.stores.base import Store

CURVE = "coverage-curve"
"""What the addresses of these pictures begin with."""

_ALONE = (
    "The network run with the explained edges alone, all others at what they give on average. "
    "Faithfulness is the share of the lead of the network's own answer that is kept (0: that of "
    "the means, 1: that of the network); as many random edges are the null."
)

_CURVE = (
    "Faithfulness by the share of edges that run. CPR and CMD are the areas under the curve, and "
    "between it and 1, as in MIB (2025)."
)

_HIDDEN = (
    "Units without label, circuit and analogue, by the mean size of their first-order effect on "
    "the lead of the network's answer: the next hour's work."
)

_SHOWN = "Left: faithfulness by the share of edges. Right: what is explained of each layer."

_ADDRESS = re.compile(rf"{CURVE}/(coverage-[0-9a-f]{{16}})")

_KEPT = "MATCH (e:Evidence {id: $id, kind: $kind}) RETURN e.detail AS detail"


def covered(kb: KnowledgeBase) -> tuple[tuple[Table, ...], tuple[Gallery, ...]]:
    """Return the coverage that was measured last of each model, and its picture."""
    models = kb.models(limit=None).run()["model"]
    found = [one for model in models if (one := kept_coverage(kb.store, model)) is not None]
    if not found:
        return (), ()
    tables = (
        ("How much is explained", _rows(found, Coverage.alone), _ALONE),
        ("Faithfulness by the share of edges", _rows(found, Coverage.curve), _CURVE),
        ("What hides in the rest", _rows(found, Coverage.hidden), _HIDDEN),
    )
    images = tuple(
        Image(f"{CURVE}/{one.id}", f"{one.model}: {one.explained}; shown: {one.shown}")
        for one in found
    )
    return (
        tuple(Table(title, Result.of_records(rows), note) for title, rows, note in tables if rows),
        (Gallery("How much is explained", images, _SHOWN, whole=True),),
    )


def _rows(found: Iterable[Coverage], table: Any) -> list[dict[str, Any]]:
    return [{"model": one.model, **row} for one in found for row in table(one).to_dicts()]


def png(store: Store, address: str) -> bytes:
    """Return the picture of a coverage by its address.

    Raises
    ------
    NotFoundError
        There is none.
    """
    from circuitkb.coverage.picture import png as drawn

    found = _ADDRESS.fullmatch(address)
    rows = found and store.read(_KEPT, {"id": found[1], "kind": KIND}).rows
    if not rows:
        raise NotFoundError(f"There is no picture at {address!r}.")
    values = json.loads(rows[0][0])
    values.pop("tool", None)
    return drawn(Coverage.of_dict(values))
