"""Share of variance that the edges of found circuits explain, in the layers that they lead into.

Null: the edges of each target exchanged for those of the same ranks of another unit. Stability:
every second of these layers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from circuitkb.claims.ways.way import Asked, NotTestableError, Run
from circuitkb.motifs.explained import DRAWS, explained
from circuitkb.motifs.registry import motif_named
from circuitkb.stores.base import Store

_EDGES = """\
MATCH (t:Feature)-[m:MEMBER_OF]->(c:Circuit {model: $model, origin: 'found'})
WHERE m.role = $target AND m.side IS NULL
MATCH (f:Feature)-[n:MEMBER_OF]->(c) WHERE n.side IS NOT NULL
RETURN DISTINCT t.id AS target, f.id AS case ORDER BY target, case"""


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a motif that does not exist."""
    motif_named(prediction["motif"])


def run(asked: Asked) -> Run:
    """Foretell the targets from their cases alone."""
    responses = asked.store.responses(asked.model)
    if responses is None:
        raise NotTestableError(f"it was not observed: circuitkb observe {asked.model}")
    values = {"model": asked.model, "target": motif_named(asked.prediction["motif"]).target}
    edges: dict[int, list[int]] = defaultdict(list)
    for target, case in asked.store.read(_EDGES, values, limit=None).rows:
        edges[responses.row(target)].append(responses.row(case))
    found = explained(asked.store.kernels(asked.model), responses, edges) if edges else None
    if found is None or len(found.layers) < 4:
        raise NotTestableError("no circuits were found in four layers whose kernels are of 1x1")
    shares = [1 - one for one in found.layers.values()]
    return Run(
        1 - found.unexplained,
        (fmean(shares[::2]), fmean(shares[1::2])),
        "share of the variance of the layers with targets that the cases' edges explain",
        f"each target's edges exchanged for those of another unit of its layer, {DRAWS} times",
        "mean over every second layer",
        null=tuple(1 - one for one in found.null),
        detail={"targets": found.targets, "edges": found.edges, "left_out": found.left_out},
    )
