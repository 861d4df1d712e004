"""The catalogue on a graph of some size: a careless pattern makes the engine scan, row by row."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from circuitkb.queries.lists.criteria import Circuits, Edges, Features, Models
from circuitkb.queries.lists.statement import Statement
from circuitkb.queries.questions.catalogue import Question, questions
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.stores.base import Store
from tests.stores.factories import Factory

pytestmark = pytest.mark.long_on_a_server

UNITS, TARGETS, PAIRS = 3000, 500, 4
SECONDS = 10.0
"""Each takes a small part of a second; a scan for each circuit takes minutes."""


@pytest.fixture(scope="module")
def store(kind: Factory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    rng = random.Random(0)
    layers = ("a", "b")
    ids = {layer: [f"m/{layer}:{unit}" for unit in range(UNITS)] for layer in layers}
    nodes: dict[str, list[dict[str, Any]]] = {
        "Model": [{"id": "m", "fingerprint": "f", "source": "x"}],
        "Layer": [
            {"id": f"m/{y}", "model": "m", "name": y, "position": place, "channels": UNITS}
            for place, y in enumerate(layers)
        ],
        "Feature": [
            {"id": id, "model": "m", "layer": y, "unit": unit, "inputs": 4}
            for y in layers
            for unit, id in enumerate(ids[y])
        ],
        "Circuit": [],
        "Evidence": [],
        "Annotation": [
            {"id": f"n{i}", "kind": "label", "text": "Curves", "state": "live"}
            for i in range(UNITS)
        ],
        "Label": [{"id": "v:Curves", "text": "Curves"}],
    }
    joined: dict[tuple[str, str, str], list[dict[str, Any]]] = {
        ("IN_LAYER", "Feature", "Layer"): [
            {"source": id, "target": f"m/{y}"} for y in layers for id in ids[y]
        ],
        ("IN_MODEL", "Layer", "Model"): [{"source": f"m/{y}", "target": "m"} for y in layers],
        ("WEIGHT", "Feature", "Feature"): [
            {
                "source": id,
                "target": target,
                "rank": rank,
                "connection": "c",
                "l1": 1.0 / rank,
                "sum": 1.0,
                "positive": 1.0,
                "negative": 0.0,
                "positive_dx": 0.5,
            }
            for target in ids["b"]
            for rank, id in enumerate(rng.sample(ids["a"], 4), 1)
        ],
        ("ANNOTATES", "Annotation", "Feature"): [
            {"source": f"n{i}", "target": id} for i, id in enumerate(ids["a"])
        ],
        ("USES", "Annotation", "Label"): [
            {"source": f"n{i}", "target": "v:Curves"} for i in range(UNITS)
        ],
        ("MEMBER_OF", "Feature", "Circuit"): [],
        ("SUPPORTS", "Evidence", "Circuit"): [],
        ("ABOUT", "Evidence", "Circuit"): [],
    }
    for number, target in enumerate(rng.sample(ids["b"], TARGETS)):
        evidence = f"e{number}"
        nodes["Evidence"].append(
            {
                "id": evidence,
                "kind": "mirrored-inputs",
                "method": "x",
                "q": 0.01,
                "detail": '{"of":"mirror left-right"}',
            }
        )
        for pair in range(PAIRS):
            circuit = f"union-{number}-{pair}"
            nodes["Circuit"].append(
                {
                    "id": circuit,
                    "motif": "union",
                    "model": "m",
                    "origin": "found",
                    "score": 0.9,
                }
            )
            one, two = rng.sample(ids["a"], 2)
            joined["MEMBER_OF", "Feature", "Circuit"] += [
                {"source": one, "target": circuit, "role": "case", "side": 1},
                {"source": two, "target": circuit, "role": "case", "side": 2},
                {"source": target, "target": circuit, "role": "union"},
            ]
            for name in ("SUPPORTS", "ABOUT"):
                joined[name, "Evidence", "Circuit"].append({"source": evidence, "target": circuit})
    rows = GraphRows(
        {label: node_table(label, rows_of(rows)) for label, rows in nodes.items()},
        [Relations(*ends, relation_table(ends[0], rows_of(rows))) for ends, rows in joined.items()],
    )
    with kind.held(tmp_path_factory.mktemp("large")) as store:
        store.write(rows)
        yield store


def plan(store: Store, statement: Statement) -> None:
    """Let an engine plan a text first: a server that just started loads its planner meanwhile."""
    store.read(f"EXPLAIN {statement.text}", statement.parameters, timeout=120)


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_a_question_is_answered_in_time_among_thousands_of_circuits(
    store: Store, question: Question
) -> None:
    given = {"feature": "m/b:0", "other": "m/b:1", "label": "curve", "orientation": 45}
    required = {name for name, p in question.parameters.items() if p.required}
    statement = question.bind({k: v for k, v in given.items() if k in required})
    plan(store, statement)
    answer = store.read(statement.text, statement.parameters, timeout=SECONDS)
    if question.name == "union":
        assert len(answer.rows) == TARGETS


@pytest.mark.parametrize(
    "wanted",
    [Models(), Features(), Edges(), Circuits(), Circuits(feature=Features(label="curve"))],
    ids=lambda wanted: type(wanted).__name__,
)
def test_a_list_is_answered_in_time_among_thousands_of_circuits(store: Store, wanted: Any) -> None:
    statement = wanted.to_cypher()
    plan(store, statement)
    assert store.read(statement.text, statement.parameters, timeout=SECONDS).rows
