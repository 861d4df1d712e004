"""Rows to write, and all that a store holds in a form to compare."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection
from circuitkb.schema.layered_array import LayeredArray
from circuitkb.schema.pictures import PICTURE_TYPES, Pictures, encoded
from circuitkb.schema.responses import ARRAYS, Responses
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.stores.base import Store

Record = dict[str, Any]

TEXTS = [
    "",
    "plain",
    "Ünïcödé 漢字 🧠 \u200b\u202e",
    "quotes ' \" ` and \\ back",
    "line\nbreak\ttab \x00 nul \x01",
    "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "(#1:0)-[#2:0]->(#1:1)",
    "x" * 100_000,
]
"""Texts that may be mistaken for something else."""


def nodes(label: str, *records: Record) -> GraphRows:
    return GraphRows(nodes={label: node_table(label, rows_of(records))})


def feature(unit: int, *, model: str = "net", layer: str = "a", **others: Any) -> Record:
    place = {"id": f"{model}/{layer}:{unit}", "model": model, "layer": layer, "unit": unit}
    return place | others


def weight(source: int, target: int, connection: str = "c", **others: Any) -> Record:
    ends = {"source": f"net/a:{source}", "target": f"net/a:{target}"}
    return ends | {"connection": connection} | others


def weights(*records: Record) -> GraphRows:
    return relations("WEIGHT", "Feature", "Feature", *records)


def relations(name: str, source: str, target: str, *records: Record) -> GraphRows:
    return GraphRows(
        relations=[Relations(name, source, target, relation_table(name, rows_of(records)))]
    )


def together(*parts: GraphRows) -> GraphRows:
    """Join rows that write different labels."""
    return GraphRows(
        nodes={label: table for part in parts for label, table in part.nodes.items()},
        relations=[item for part in parts for item in part.relations],
        kernels={model: found for part in parts for model, found in part.kernels.items()},
        responses={model: found for part in parts for model, found in part.responses.items()},
        pictures={key: found for part in parts for key, found in part.pictures.items()},
    )


def network(units: int = 6) -> GraphRows:
    """A model with one layer of ``units`` features, each joined to the next two."""
    pairs = [(i, (i + step) % units) for i in range(units) for step in (1, 2)]
    return together(
        nodes("Model", {"id": "net", "fingerprint": "f", "source": "test"}),
        nodes("Layer", {"id": "net/a", "model": "net", "name": "a", "position": 0, "channels": 6}),
        nodes("Feature", *(feature(i, bias=i / 8) for i in range(units))),
        weights(*(weight(a, b, sum=float(a - b), rank=1) for a, b in pairs)),
        relations(
            "IN_LAYER",
            "Feature",
            "Layer",
            *({"source": f"net/a:{i}", "target": "net/a"} for i in range(units)),
        ),
        relations("IN_MODEL", "Layer", "Model", {"source": "net/a", "target": "net"}),
    )


def more(units: int = 400, edges: int = 4_000) -> GraphRows:
    """Rows to follow :func:`network`: many new ones, a changed node, a relation back, arrays."""
    ids = [f"net/b:{i}" for i in range(units)]
    ends = [(ids[i % units], ids[(i * 7 + i // units) % units]) for i in range(edges)]
    records = [
        {"source": a, "target": b, "connection": f"c{i}", "sum": i / 7}
        for i, (a, b) in enumerate(ends)
    ]
    place = {"id": "net/a", "model": "net", "name": "a", "position": 7, "channels": 6}
    return together(
        nodes("Feature", *(feature(i, layer="b") for i in range(units))),
        nodes("Layer", place),
        weights(*records, {"source": ids[0], "target": "net/a:0", "connection": "back"}),
        GraphRows(kernels={"net": [connection("k")]}, responses={"net": responses()}),
        shown(pictures()),
    )


def connection(key: str, seed: int = 0, shape: tuple[int, ...] = (2, 3, 4, 3, 3)) -> Connection:
    random = np.random.default_rng(seed)
    groups, out, into = shape[:3]
    return Connection(
        key=key,
        source="a",
        target="b",
        path="pooled",
        target_units=np.arange(groups * out, dtype=np.int32).reshape(groups, out),
        source_units=np.arange(groups * into, dtype=np.int32).reshape(groups, into),
        kernel=random.standard_normal(shape).astype(np.float32),
        stride=(2, 2),
        offset=(-1, -1),
        pooling=("max 3x3 stride 2x2 pad 1x1",),
    )


def responses(
    seed: int = 0,
    *,
    dtype: type[np.float16 | np.float32] = np.float32,
    layers: tuple[tuple[str, int], ...] = (("a", 6), ("b", 3)),
    stimuli: int = 7,
    **others: Any,
) -> Responses:
    random = np.random.default_rng(seed)
    shape = sum(units for _, units in layers), stimuli
    given: Record = {
        "battery": "lines 1",
        "stimuli": tuple(f"line {i}°" for i in range(stimuli)),
        "layers": layers,
        "settings": {"seed": seed, "ranges": [0.0, 1 / 3], "Ü": {"deep": None}},
    }
    given |= {name: random.standard_normal(shape).astype(dtype) for name in ARRAYS}
    return Responses(**given | others)


def pictures(key: str = "net/dogs", seed: int = 0, **others: NDArray[Any]) -> Pictures:
    """Return a batch with one array of each type, and one picture."""
    random = np.random.default_rng(seed)
    arrays = {kind: (100 * random.random((3, 2))).astype(kind) for kind in PICTURE_TYPES}
    arrays |= {"<i>\n../Ü.png": encoded(random.bytes(50)), "none": np.zeros((0, 4), np.float32)}
    return Pictures(key, {"seed": seed, "Ü": [None, {"deep": 1 / 3}]}, arrays | others)


def shown(*batches: Pictures) -> GraphRows:
    """Return rows of batches of pictures."""
    return GraphRows(pictures={batch.key: batch for batch in batches})


def model(*names: str) -> GraphRows:
    """Return models without anything else."""
    return nodes("Model", *({"id": n, "fingerprint": "f", "source": "test"} for n in names))


def content(pieces: Iterable[GraphRows]) -> Record:
    """Return everything in rows, whatever its order and however it is cut into pieces."""
    found: Record = {"nodes": {}, "relations": Counter(), "kernels": {}, "responses": {}}
    found["pictures"] = {}
    for piece in pieces:
        for label, table in piece.nodes.items():
            for record in table.to_pylist():
                given = {name: value for name, value in record.items() if value is not None}
                assert (label, record["id"]) not in found["nodes"], "a node came twice"
                found["nodes"][label, record["id"]] = given
        for item in piece.relations:
            for record in item.table.to_pylist():
                values = tuple(sorted((k, repr(v)) for k, v in record.items() if v is not None))
                found["relations"][item.name, item.source_label, item.target_label, values] += 1
        for model, connections in piece.kernels.items():
            found["kernels"][model] = [kernel_content(c) for c in connections]
        for model, answers in piece.responses.items():
            found["responses"][model] = response_content(answers)
        for key, batch in piece.pictures.items():
            found["pictures"][key] = picture_content(batch)
    return found


def kernel_content(item: Connection) -> tuple[Any, ...]:
    arrays = (item.kernel, item.target_units, item.source_units)
    return sorted(item.header().items()), *map(array_content, arrays)


def response_content(item: Responses) -> tuple[Any, ...]:
    arrays = (getattr(item, name) for name in ARRAYS)
    return sorted(item.header().items()), *map(array_content, arrays)


def picture_content(item: Pictures) -> tuple[Any, ...]:
    arrays = sorted((name, array_content(array)) for name, array in item.arrays.items())
    return item.key, sorted(item.about.items()), arrays


def nonlinear(dtype: type[np.float16 | np.float32] = np.float32) -> Responses:
    """Return responses of five layers: rectified, cut off at 6, of no, of two other functions."""
    layers = tuple((name, 4) for name in ("relu", "relu6", "none", "leaky", "tanh"))
    given = responses(5, dtype=dtype, layers=layers, stimuli=50)
    parts = {
        "relu": lambda x: np.maximum(x, dtype(0)),
        "relu6": lambda x: np.clip(x, dtype(0), dtype(6)),
        "none": lambda x: x,
        "leaky": lambda x: np.maximum(x, x / 2),
        "tanh": np.tanh,
    }
    made = {}
    for name in ("", "shuffled_"):
        before = (5 * getattr(given, f"{name}before")).astype(dtype)
        before[0, :3] = -np.inf, np.inf, -0.0
        rows = given.rows.items()
        after = np.concatenate([parts[layer](before[own]) for layer, own in rows]).astype(dtype)
        made |= {f"{name}before": before, f"{name}after": after}
    return replace(given, **made)


def array_content(array: NDArray[Any] | LayeredArray) -> tuple[Any, ...]:
    return array.dtype.str, array.shape, np.asarray(array).tobytes()


def content_of(store: Store) -> Record:
    return content(store.export())


def fingerprint(store: Store) -> str:
    """Return a hash of everything that a store holds."""
    found = content_of(store)
    text = repr([sorted(part.items(), key=repr) for part in found.values()])
    return hashlib.sha256(text.encode()).hexdigest()


def values(store: Store, cypher: str, **parameters: Any) -> Sequence[Any]:
    """Return the first column of a read."""
    return [row[0] for row in store.read(cypher, parameters).rows]
