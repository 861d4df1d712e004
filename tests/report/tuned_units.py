"""What the evidence of tuned units says, and the procedure by which they pass."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import circuitkb as ckb
from tests.report.report_reading import ask


def passing(p: Sequence[float], rate: float = 0.05) -> set[int]:
    """Places of those that Benjamini and Hochberg's procedure lets pass, by its definition."""
    order = sorted(range(len(p)), key=lambda place: p[place])
    last = max(
        (rank for rank, place in enumerate(order, 1) if p[place] <= rate * rank / len(p)),
        default=0,
    )
    return set(order[:last])


def units(kb: ckb.KnowledgeBase, model: str) -> dict[str, list[dict[str, Any]]]:
    """What the evidence of each unit that answers says, by layer."""
    found = defaultdict(list)
    for row in ask(
        kb,
        "MATCH (e:Evidence)-[:ABOUT]->(f:Feature)-[:IN_LAYER]->(y:Layer) "
        "WHERE e.kind = 'orientation-tuning' AND y.model = $model RETURN y.name AS layer, "
        "e.q AS q, e.detail AS detail, f.orientation_selectivity AS selectivity "
        "ORDER BY y.position, f.unit",
        model=model,
    ):
        found[row["layer"]].append(row | json.loads(row["detail"]) | row)
    return found
