"""Nodes of every kind of the schema are listed and have cards (3 s, both engines)."""

from __future__ import annotations

from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import NotFoundError, QueryError, SchemaError
from circuitkb.queries.lists.written import written
from circuitkb.schema.definition import NODES, node_type
from circuitkb.stores.base import Store


@pytest.fixture
def kb(stored: Any) -> ckb.KnowledgeBase:
    store: Store = stored[1]
    return ckb.KnowledgeBase(store)


def test_every_node_of_a_kind_is_listed_with_all_its_properties(kb: ckb.KnowledgeBase) -> None:
    for node in NODES:
        names = [p.name for p in node.properties]
        found = kb.query(f"MATCH (n:{node.label}) RETURN n.id AS id, properties(n) AS own").rows
        own = dict(found)
        listed = kb.nodes(node.label).run()
        assert listed["id"] == sorted(own)
        assert listed.to_dicts() == [
            {name: own[id].get(name) for name in names} for id in listed["id"]
        ]


def test_a_node_of_any_kind_has_a_card(kb: ckb.KnowledgeBase) -> None:
    for label in (node.label for node in NODES):
        for node in kb.nodes(label, limit=2).run():
            card = kb.show(node["id"])
            assert card.kind == label.lower()
            assert dict(card.facts) == {
                name: value
                for name, value in node.items()
                if name != "id" and value is not None and value != []
            }


def test_a_card_has_what_the_node_is_joined_to(stored: Any, kb: ckb.KnowledgeBase) -> None:
    graph, _ = stored
    said = graph.labels[0]
    sections = {section.title: section.result for section in kb.show(said["id"]).sections}
    assert sections["(Annotation)-[:ANNOTATES]->(Feature)"]["node"] == [said["feature"]]
    assert sections["(Annotation)-[:USES]->(Label)"]["text"] == [said["text"]]
    assert sections["(Annotation)-[:BY]->(Annotator)"]["node"] == [said["who"].lower()]
    label = kb.show(f"test:{said['text']}")
    (users,) = label.sections
    assert users.title == "(Label)<-[:USES]-(Annotation)"
    assert said["id"] in users.result["node"] or users.result.truncated


def test_conditions_narrow_nodes_of_any_kind(stored: Any, kb: ckb.KnowledgeBase) -> None:
    graph, _ = stored
    some = graph.labels[0]["text"]
    found = kb.nodes("Annotation", state="live", kind="label").where("text", "=", some)
    said = kb.query(
        "MATCH (n:Annotation) WHERE n.state = 'live' AND n.kind = 'label' AND n.text = $text "
        "RETURN n.id AS id ORDER BY id",
        {"text": some},
    )
    assert found.run()["id"] == said["id"]
    low = kb.nodes("Evidence", q=ckb.at_most(0.05), limit=2)
    assert all(row["q"] <= 0.05 for row in low)
    assert some not in found.to_cypher().text


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda kb: kb.nodes("Trail"), SchemaError, "Did you mean 'Trial'"),
        (lambda kb: kb.nodes("Trial) DELETE (n"), SchemaError, "not a node label"),
        (lambda kb: kb.nodes("Trial", outcom="x"), SchemaError, "of Trial.*'outcome'"),
        (lambda kb: kb.nodes("Trial", predicted="x"), QueryError, "must be a number"),
        (lambda kb: kb.nodes("Layer", model="alfa").run(), NotFoundError, "'alpha'"),
    ],
)
def test_names_and_values_of_nodes_are_checked(
    make: Any, error: Any, message: str, kb: ckb.KnowledgeBase
) -> None:
    with pytest.raises(error, match=message):
        make(kb)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("q<=0.05", ("q", "<=", 0.05)),
        ("q <> 1", ("q", "<>", 1)),
        ("kind = 12", ("kind", "=", "12")),
        ('kind = "12"', ("kind", "=", "12")),
        ("kind contains a = b", ("kind", "contains", "a = b")),
        ("kind starts with in x", ("kind", "starts with", "in x")),
        ("kind in a, b", ("kind", "in", ["a", "b"])),
        ("tested in [1, 2]", ("tested", "in", [1, 2])),
        ("nothing = 3", ("nothing", "=", 3)),
    ],
)
def test_a_condition_may_be_written(text: str, condition: Any) -> None:
    assert written(text, node_type("Evidence")) == condition


@pytest.mark.parametrize("text", ["", "q", "q !", "= 3", "q like 3", "a b = 3"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="is no condition: write a property"):
        written(text, node_type("Evidence"))
