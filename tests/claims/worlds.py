"""A small network with planted kernels, and claims about it of which the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

UNITS = 12
SIDE = 5
HAND = {"id": "ada", "type": "human"}


def world(seed: int = 0, model: str = "net") -> GraphRows:
    """Units 0 and 1 of layer a feed b:0 by mirrored kernels; b:1 is excited by a:2, inhibited by
    a:3; a:4 feeds b:2 from above. All other kernels are noise. Another seed is another network.
    """
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(1, UNITS, UNITS, SIDE, SIDE)).astype(np.float32)
    if not seed:
        kernel[0, 0, 1] = kernel[0, 0, 0][:, ::-1]
        kernel[0, 1, 2], kernel[0, 1, 3] = abs(kernel[0, 1, 2]), -abs(kernel[0, 1, 3])
        kernel[0, 2, 4] = -0.01
        kernel[0, 2, 4, 0] = 1
    units = np.arange(UNITS, dtype=np.int32)[None]
    layers = ("a", "b")
    features = [(layer, unit) for layer in layers for unit in range(UNITS)]
    nodes = {
        "Model": [{"id": model, "fingerprint": f"{seed:064x}", "source": f"test:{model}"}],
        "Layer": [
            {
                "id": f"{model}/{layer}",
                "model": model,
                "name": layer,
                "position": place,
                "channels": UNITS,
            }
            for place, layer in enumerate(layers)
        ],
        "Feature": [
            {"id": f"{model}/{layer}:{unit}", "model": model, "layer": layer, "unit": unit}
            for layer, unit in features
        ],
    }
    joined = {
        ("IN_LAYER", "Feature", "Layer"): [
            {"source": f"{model}/{layer}:{unit}", "target": f"{model}/{layer}"}
            for layer, unit in features
        ],
        ("IN_MODEL", "Layer", "Model"): [
            {"source": f"{model}/{layer}", "target": model} for layer in layers
        ],
    }
    return GraphRows(
        nodes={label: node_table(label, rows_of(rows)) for label, rows in nodes.items()},
        relations=[
            Relations(*ends, relation_table(ends[0], rows_of(rows)))
            for ends, rows in joined.items()
        ],
        kernels={model: [Connection("c0", "a", "b", "direct", units, units, kernel)]},
    )


def claim(id: str, **given: Any) -> dict[str, Any]:
    """A claim with a prediction that holds, but for what is given."""
    return {
        "schema": "circuitkb.claim/1",
        "id": id,
        "statement": f"{id} is so.",
        "aspect": "causality",
        "subject": "net",
        "prediction": net(2, 1, at_least=0.5),
        "tolerance": 0.1,
        "refuted_by": "it is not so",
        "source": {"title": "Notes", "section": "1", "year": 2026},
        "author": HAND,
        "created": "2026-01-01",
        "license": "CC0-1.0",
    } | given


def whole(id: str, *parts: str, **given: Any) -> dict[str, Any]:
    """A claim that breaks down into others."""
    record = claim(id, parts=list(parts)) | given
    for name in ("prediction", "tolerance", "subject"):
        del record[name]
    return record


def net(source: int, target: int, **bound: float) -> dict[str, Any]:
    """That an edge's net sum has a value."""
    edges = [[f"a:{source}", f"b:{target}"]]
    return {"test": "kernels", "statistic": "net", "edges": edges, **bound}


def mirrored(one: int, other: int, target: int, **bound: float) -> dict[str, Any]:
    """That two kernels into a unit are mirror images."""
    pair = [[f"a:{one}", f"b:{target}"], [f"a:{other}", f"b:{target}"]]
    return {"test": "symmetry", "transform": "mirror left-right", "pairs": [pair], **bound}


def above(source: int, target: int, **bound: float) -> dict[str, Any]:
    """That a unit looks for another one at some height."""
    edges = [[f"a:{source}", f"b:{target}"]]
    return {"test": "kernels", "statistic": "dy", "edges": edges, **bound}


TRUE = {
    "mirrored": mirrored(0, 1, 0, at_least=0.8),
    "excites": net(2, 1, at_least=0.5),
    "inhibits": net(3, 1, at_most=-0.5),
    "from-above": above(4, 2, at_most=-1.5),
}


def false_claims() -> dict[str, Any]:
    """Fifty predictions that fail: other units than those that were planted, and other signs."""
    found: dict[str, Any] = {
        "excites-not": net(3, 1, at_least=0.5),
        "inhibits-not": net(2, 1, at_most=-0.5),
        "not-from-below": above(4, 2, at_least=1),
    }
    for target in range(3, 11):
        for source in range(5, 11):
            if len(found) < 50:
                name = f"mirrored-{source}-{target}"
                found[name] = mirrored(source, source + 1, target, at_least=0.9)
    return found
