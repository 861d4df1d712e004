"""Small random graphs in real stores, beside the plain records that they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.stores.base import Store
from tests.queries.graphs import Graph, make
from tests.stores.factories import FACTORIES, Factory


def rows(graph: Graph) -> GraphRows:
    """Return the records as a store takes them."""
    labels = sorted({item["text"] for item in graph.labels})
    people = sorted({item["who"] for item in graph.labels})
    nodes: dict[str, list[dict[str, Any]]] = {
        "Model": [
            {"id": model, "fingerprint": "0" * 64, "source": "test", "weights": weights}
            for model, weights in graph.models.items()
        ],
        "Layer": [y | {"id": f"{y['model']}/{y['name']}", "channels": 12} for y in graph.layers],
        "Feature": graph.features,
        "Label": [{"id": f"test:{text}", "text": text} for text in labels],
        "Annotator": [{"id": who.lower(), "type": "human", "name": who} for who in people],
        "Annotation": [
            {"id": item["id"], "kind": "label", "text": item["text"], "state": "live"}
            for item in graph.labels
        ]
        + [
            {"id": id, "kind": "label", "text": item["text"], "state": state}
            for id, state, item in _gone(graph)
        ]
        + [
            {"id": f"{item['id']}-edge", "kind": "label", "text": item["text"], "state": "live"}
            for item in graph.labels
        ]
        + [
            {k: v for k, v in item.items() if k not in ("of", "who")} | {"kind": "review"}
            for item in graph.reviews
        ],
        "Import": graph.imports,
        "Circuit": [{k: v for k, v in c.items() if k != "members"} for c in graph.circuits],
        "Evidence": [
            {k: v for k, v in e.items() if k not in ("about", "circuit", "refutes")}
            | {"method": "a measure"}
            for e in graph.evidence
        ],
    }
    joined: list[tuple[str, str, str, list[dict[str, Any]]]] = [
        (
            "IN_LAYER",
            "Feature",
            "Layer",
            [{"source": f["id"], "target": f"{f['model']}/{f['layer']}"} for f in graph.features],
        ),
        (
            "IN_MODEL",
            "Layer",
            "Model",
            [{"source": f"{y['model']}/{y['name']}", "target": y["model"]} for y in graph.layers],
        ),
        ("WEIGHT", "Feature", "Feature", graph.weights),
        (
            "ANNOTATES",
            "Annotation",
            "Feature",
            [{"source": item["id"], "target": item["feature"]} for item in graph.labels]
            + [
                {"source": id, "target": f["id"]}
                for (id, _, _), f in zip(_gone(graph), graph.features, strict=False)
            ]
            # Labels of edges, which are no labels of their ends.
            + [
                {"source": f"{item['id']}-edge", "target": f["id"], "role": role}
                for item, f in zip(graph.labels, graph.features, strict=False)
                for role in ("source", "target")
            ],
        ),
        (
            "USES",
            "Annotation",
            "Label",
            [{"source": item["id"], "target": f"test:{item['text']}"} for item in graph.labels]
            + [{"source": id, "target": f"test:{item['text']}"} for id, _, item in _gone(graph)]
            + [
                {"source": f"{item['id']}-edge", "target": f"test:{item['text']}"}
                for item in graph.labels
            ],
        ),
        (
            "BY",
            "Annotation",
            "Annotator",
            [
                {"source": item["id"], "target": item["who"].lower()}
                for item in (*graph.labels, *graph.reviews)
            ],
        ),
        (
            "ANNOTATES",
            "Annotation",
            "Annotation",
            [{"source": item["id"], "target": item["of"]} for item in graph.reviews],
        ),
        ("ANALOGOUS_TO", "Feature", "Feature", graph.alike),
        ("TRANSFORMS_TO", "Feature", "Feature", graph.mirrored),
        (
            "MEMBER_OF",
            "Feature",
            "Circuit",
            [
                {k: v for k, v in m.items() if k != "feature"}
                | {"source": m["feature"], "target": c["id"]}
                for c in graph.circuits
                for m in c["members"]
            ],
        ),
        (
            "ABOUT",
            "Evidence",
            "Feature",
            [
                {"source": e["id"], "target": f, "role": role}
                for e in graph.evidence
                for f, role in e["about"]
            ],
        ),
        (
            "ABOUT",
            "Evidence",
            "Circuit",
            [{"source": e["id"], "target": e["circuit"]} for e in graph.evidence if e["circuit"]],
        ),
        (
            "SUPPORTS",
            "Evidence",
            "Circuit",
            [{"source": e["id"], "target": e["circuit"]} for e in graph.evidence if e["circuit"]],
        ),
        ("ANALOGOUS_TO", "Circuit", "Circuit", graph.analogous),
        (
            "REFUTES",
            "Evidence",
            "Annotation",
            [
                {"source": e["id"], "target": e["refutes"]["id"]}
                for e in graph.evidence
                if e["refutes"]
            ],
        ),
    ]
    return GraphRows(
        nodes={label: node_table(label, rows_of(records)) for label, records in nodes.items()},
        relations=[
            Relations(name, source, target, relation_table(name, rows_of(records)))
            for name, source, target, records in joined
            if records
        ],
    )


KINDS = [factory for factory in FACTORIES if factory.name != "neo4j-staged"]
"""Kinds of store to ask; how rows came into one is nothing to a query."""

GRAPHS = [make(seed) for seed in range(4)]


@pytest.fixture(scope="package", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Factory:
    """A kind of store; what is asked of each is the same."""
    found: Factory = request.param
    return found


@pytest.fixture(scope="package", params=GRAPHS, ids=[f"graph {n}" for n in range(len(GRAPHS))])
def stored(
    request: pytest.FixtureRequest, kind: Factory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Graph, Store]]:
    graph: Graph = request.param
    with kind.held(tmp_path_factory.mktemp("store")) as store:
        store.write(rows(graph))
        yield graph, store


def _gone(graph: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Labels that count no more: whoever finds one of them is wrong."""
    states = cycle(("superseded", "retracted", "contested"))
    return [(f"{item['id']}-gone", next(states), item) for item in graph.labels]
