"""Writes may come in any order and any number of times: the same graph results."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from tests.stores.contents import connection, content, content_of, nodes, relations, together

FEATURES = [f"m/l:{i}" for i in range(4)]
CIRCUITS = ["c0", "c1"]

Edge = tuple[str, str, str, str, str, Any]


def node(name: str, given: frozenset[str]) -> dict[str, Any]:
    """A record whose properties are the same in every write that gives them."""
    if name in CIRCUITS:
        record = {"id": name, "motif": "union", "model": "m", "origin": "found"}
        others = {"score": len(name) / 3, "claim": f"about {name}", "group": f"g{name}"}
    else:
        record = {"id": name, "model": "m", "layer": "l", "unit": int(name[-1])}
        others = {"bias": int(name[-1]) / 7, "basis": f"b{name[-1]}", "inputs": 2**60 + 1}
    return record | {key: value for key, value in others.items() if key[0] in given}


def edge(it: Edge, given: frozenset[str]) -> dict[str, Any]:
    name, _, _, source, target, key = it
    keyed = {"WEIGHT": "connection", "MEMBER_OF": "role", "ANALOGOUS_TO": "method"}[name]
    others = {
        "WEIGHT": {"sum": len(source) / 3, "rank": 3},
        "MEMBER_OF": {"side": 1, "weight": 0.1},
        "ANALOGOUS_TO": {"score": 0.5, "rank": 1},
    }[name]
    kept = {k: value for k, value in others.items() if k[0] in given}
    return {"source": source, "target": target, keyed: key} | kept


EDGES = st.one_of(
    st.tuples(
        st.just("WEIGHT"),
        st.just("Feature"),
        st.just("Feature"),
        st.sampled_from(FEATURES),
        st.sampled_from(FEATURES),
        st.sampled_from(["k0", "k1", None]),
    ),
    st.tuples(
        st.just("MEMBER_OF"),
        st.just("Feature"),
        st.just("Circuit"),
        st.sampled_from(FEATURES),
        st.sampled_from(CIRCUITS),
        st.sampled_from(["case", "union"]),
    ),
    st.tuples(
        st.just("ANALOGOUS_TO"),
        st.just("Circuit"),
        st.just("Circuit"),
        st.sampled_from(CIRCUITS),
        st.sampled_from(CIRCUITS),
        st.just("responses"),
    ),
)
KERNELS: dict[str, list[Connection]] = {"m": [connection("c")], "n": []}


@st.composite
def writes(draw: st.DrawFn) -> GraphRows:
    """Some nodes and relations, each with some of its properties, and the ends they need."""
    given = draw(st.frozensets(st.sampled_from("bcgirsw")))
    names = draw(st.sets(st.sampled_from(FEATURES + CIRCUITS)))
    joined = draw(st.lists(EDGES, max_size=6))
    ends = names | {end for it in joined for end in it[3:5]}
    found = [
        nodes("Feature", *(node(name, given) for name in sorted(ends) if name in FEATURES)),
        nodes("Circuit", *(node(name, given) for name in sorted(ends) if name in CIRCUITS)),
        *(relations(*it[:3], edge(it, given)) for it in joined),
    ]
    kernels = {model: KERNELS[model] for model in draw(st.sets(st.sampled_from(sorted(KERNELS))))}
    return together(*found, GraphRows(kernels=kernels))


def union(parts: list[GraphRows]) -> dict[str, Any]:
    """Return the content of all writes together, as dictionaries merge."""
    kept: dict[Any, dict[str, Any]] = {}
    joined: dict[Any, dict[str, Any]] = {}
    kernels: dict[str, Any] = {}
    for part in parts:
        for label, table in part.nodes.items():
            for record in table.to_pylist():
                values = {k: value for k, value in record.items() if value is not None}
                kept.setdefault((label, record["id"]), {}).update(values)
        for item in part.relations:
            for record in item.table.to_pylist():
                key = record.get("connection") or record.get("role") or record.get("method")
                place = (item.name, item.source_label, record["source"], record["target"], key)
                values = {k: value for k, value in record.items() if value is not None}
                joined.setdefault(place, {"to": item.target_label}).update(values)
        kernels |= part.kernels
    tables = [
        relations(name, label, record.pop("to"), record)
        for (name, label, *_), record in joined.items()
    ]
    return content([*tables, GraphRows(kernels=kernels)]) | {"nodes": kept}


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_order_and_repetition_do_not_matter(data: st.DataObject) -> None:
    parts = data.draw(st.lists(writes(), min_size=1, max_size=4))
    order = data.draw(st.permutations([*parts, *parts[: data.draw(st.integers(0, 2))]]))
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(Path(directory) / "zoo.ckb")
        for part in order:
            store.write(part)
        found = content_of(store)
        store.write(order[0])
        assert content_of(store) == found
        store.close()
    assert found == union(parts)
