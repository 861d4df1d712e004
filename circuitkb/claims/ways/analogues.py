"""Share of what was compared in two models that has an analogue in the other.

Null: the same with the weights of either model shuffled. Stability: features of even and of odd
number; of circuits, every second one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitkb.claims.ways.way import Asked, NotTestableError, Run
from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import Store

_MATCHES = "MATCH (i:Import {kind: 'match'}) RETURN i.summary AS summary ORDER BY i.id"

_PAIRS = """\
MATCH (a:{label} {{model: $one}})-[r:ANALOGOUS_TO]-(b:{label} {{model: $other}})
WHERE r.rank = 1 OR r.rank IS NULL RETURN DISTINCT a.id AS id ORDER BY id"""

_LABELS = {"features": "Feature", "circuits": "Circuit"}


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a model that is compared with itself."""
    if prediction["with"] == model:
        raise QueryError("with: a model is compared with another one")


def run(asked: Asked) -> Run:
    """Read what the match found, and its null."""
    other, what = asked.prediction["with"], asked.prediction["what"]
    both = {asked.model, other}
    rows = asked.store.read(_MATCHES, limit=None).rows
    compared = [one for row in rows for one in json.loads(row[0])["compared"]]
    done = next(
        (one for one in compared if {one["first"], one["second"]} == both and one["what"] == what),
        None,
    )
    if done is None:
        raise NotTestableError(f"they were not matched: circuitkb match {asked.model} {other}")
    text = _PAIRS.format(label=_LABELS[what])
    pairs = asked.store.read(text, {"one": asked.model, "other": other}, limit=None).rows
    of = min(done["compared_first"], done["compared_second"])
    if not of:
        raise NotTestableError("nothing in them could be compared")
    numbers = [
        int(row[0].rpartition(":")[2]) if what == "features" else i for i, row in enumerate(pairs)
    ]
    odd = float(np.mean([number % 2 for number in numbers])) if numbers else 0.5
    value = done["found"] / of
    most = max(done["null_max"], done["null_mean"])
    return Run(
        value,
        (2 * (1 - odd) * value, 2 * odd * value),
        f"share of the {what} compared that have an analogue in {other}",
        f"{done['null']}: {done['null_mean']:.1f} on average, {most:.1f} at most",
        "features of even and of odd number" if what == "features" else "every second circuit",
        p=max(float(done["q_max"]), most / max(done["found"], 1)) if done["found"] else 1.0,
        null_mean=done["null_mean"] / of,
        detail={"found": done["found"], "compared": of},
    )
