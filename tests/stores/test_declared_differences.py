"""What an engine answers wrongly, declared: an example of each, asked of every store.

The fuzz does not ask a store for what it lacks (``tests/stores/fuzz/needs.py``). An engine that
answers an example rightly at last fails here: then the declaration goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from circuitkb.stores.base import Store
from tests.stores.contents import feature, nodes, together, weight, weights
from tests.stores.fuzz.needs import Need, lacks

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Example:
    """A query about features 0 to 3, and the same in words that every engine understands."""

    query: str
    otherwise: str
    right: Rows
    wrong: Rows


EXAMPLES = {
    Need.NULL_AFTER_THE_START: Example(
        query="MATCH (a:Feature {unit: 2}) OPTIONAL MATCH (a)-[:WEIGHT]->(u:Feature) "
        "OPTIONAL MATCH (b:Feature)-[:WEIGHT]->(u)-[:WEIGHT]->() RETURN u.unit, b.unit",
        otherwise="MATCH (a:Feature {unit: 2}) OPTIONAL MATCH (a)-[:WEIGHT]->(u:Feature) "
        "OPTIONAL MATCH (u)<-[:WEIGHT]-(b:Feature), (u)-[:WEIGHT]->() RETURN u.unit, b.unit",
        right=[(None, None)],
        wrong=[(1, 0)],
    ),
    Need.ALTERNATIVES_WITHOUT_COMPARISON: Example(
        query="MATCH p = (a:Feature)-[:WEIGHT]->(:Feature)-[:WEIGHT]->(b:Feature) "
        "WHERE a.unit = 9 OR b.answers RETURN a.unit, b.unit, length(p)",
        otherwise="MATCH p = (a:Feature)-[:WEIGHT]->(:Feature)-[:WEIGHT]->(b:Feature) "
        "WHERE a.unit = 9 OR b.answers = true RETURN a.unit, b.unit, length(p)",
        right=[(0, 2, 2)],
        wrong=[],
    ),
    Need.COUNTED_LOOPS: Example(
        query="MATCH (a:Feature)-[:WEIGHT]->(a) RETURN a.unit, count(*)",
        otherwise="MATCH (a:Feature)-[:WEIGHT]->(b) WHERE a = b RETURN a.unit, count(*)",
        right=[(3, 1)],
        wrong=[(0, 1), (1, 1), (3, 1)],
    ),
}


@pytest.fixture
def example_store(store: Store) -> Store:
    """0 -> 1 -> 2, and 3 -> 3."""
    features = nodes("Feature", feature(0), feature(1), feature(2, answers=True), feature(3))
    store.write(together(features, weights(weight(0, 1), weight(1, 2), weight(3, 3))))
    return store


@pytest.mark.parametrize("need", Need, ids=lambda need: need.name)
def test_an_engine_answers_rightly_what_it_is_not_declared_to_lack(
    example_store: Store, need: Need
) -> None:
    example = EXAMPLES[need]
    expected = example.wrong if need in lacks(example_store) else example.right
    assert sorted(example_store.read(example.query).rows) == expected


@pytest.mark.parametrize("need", Need, ids=lambda need: need.name)
def test_what_an_engine_lacks_can_be_asked_in_other_words(example_store: Store, need: Need) -> None:
    example = EXAMPLES[need]
    assert sorted(example_store.read(example.otherwise).rows) == example.right
