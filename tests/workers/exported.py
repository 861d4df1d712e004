"""Everything that a knowledge base holds, to compare: but for when, and how long, it was made."""

from __future__ import annotations

from typing import Any

import circuitkb as ckb
from circuitkb.schema.responses import ARRAYS


def contents(kb: ckb.KnowledgeBase) -> dict[str, list[str]]:
    found: dict[str, list[Any]] = {}
    for rows in kb.store.export():
        for label, table in rows.nodes.items():
            timeless = [{**row, "created": None, "seconds": None} for row in table.to_pylist()]
            found.setdefault(label, []).extend(timeless)
        for item in rows.relations:
            ends = f"{item.name} {item.source_label} {item.target_label}"
            found.setdefault(ends, []).extend(item.table.to_pylist())
        for model, connections in rows.kernels.items():
            found[f"kernels of {model}"] = [(c.header(), c.kernel.tobytes()) for c in connections]
        for model, responses in rows.responses.items():
            found[f"responses of {model}"] = [getattr(responses, a).tobytes() for a in ARRAYS]
    return {kind: sorted(map(repr, each)) for kind, each in found.items()}
