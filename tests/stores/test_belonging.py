"""What belongs to a model is what sets, followed by hand, say."""

from __future__ import annotations

from itertools import chain, combinations, pairwise
from typing import Any

import pytest

from circuitkb.schema.definition import NODES
from circuitkb.schema.tables import GraphRows, relation_schema
from circuitkb.stores import exporting, stored_graph
from circuitkb.stores.base import Store
from circuitkb.stores.belonging import belonging
from circuitkb.stores.exporting import exported
from circuitkb.stores.stored_graph import node_columns, relation_columns, tables_of
from tests.moving import worlds
from tests.moving.worlds import MODELS, InMemory, World
from tests.seeds import seeds
from tests.stores.contents import (
    connection,
    content,
    nodes,
    pictures,
    relations,
    responses,
    together,
)

SUBSETS = list(chain.from_iterable(combinations(MODELS, size) for size in range(4)))


def gathered(world: World, models: Any) -> Any:
    pieces = [
        GraphRows({part[0]: part[1]}) if isinstance(part, tuple) else GraphRows(relations=[part])
        for part in belonging(InMemory(world), models)
    ]
    return content(pieces)


@pytest.mark.parametrize("seed", seeds(60, at_first=20))
def test_what_belongs_to_models_is_what_following_every_relation_finds(seed: int) -> None:
    world = worlds.make(seed, most=3 + seed % 5)
    for models in SUBSETS:
        assert gathered(world, models) == content([world.part(models).rows()]), models


def test_the_random_graphs_hold_parts_of_every_label_that_some_models_leave_out() -> None:
    taken = {node.label: [0, 0] for node in NODES}
    for seed in range(60):
        world = worlds.make(seed, most=3 + seed % 5)
        part = world.part(MODELS[:1])
        for label, counts in taken.items():
            counts[0] += len(part.nodes[label])
            counts[1] += len(world.nodes[label]) - len(part.nodes[label])
    assert all(0 not in counts for counts in taken.values()), taken


@pytest.mark.long_on_a_server
@pytest.mark.parametrize("seed", [101, pytest.param(102, marks=pytest.mark.long)])
def test_a_store_exports_what_belongs_to_some_models(store: Store, seed: int) -> None:
    world = worlds.make(seed)
    store.write(world.rows())
    for models in SUBSETS:
        assert content(store.export(models)) == content([world.part(models).rows()]), models
    assert content(store.export(["nobody"])) == content([])


def test_arrays_go_with_their_models(store: Store) -> None:
    store.write(
        together(
            worlds.make(1).rows(),
            GraphRows(
                kernels={"alex": [connection("k")], "lite0": [connection("k", 1)]},
                responses={"alex": responses(2), "lite1": responses(3)},
                pictures={key: pictures(key) for key in ("alex/dogs", "lite1/dogs", "lite1/cats")},
            ),
        )
    )
    found = content(store.export(["lite0", "lite1"]))
    assert set(found["kernels"]) == {"lite0"}
    assert set(found["responses"]) == {"lite1"}
    assert set(found["pictures"]) == {"lite1/dogs", "lite1/cats"}


def test_a_chain_of_edits_belongs_together_however_long_it_is() -> None:
    length = 20_000
    world = World({node.label: [] for node in NODES}, {})
    world.relations = {key: [] for key in worlds.make(0).relations}
    world.nodes["Feature"] = [{"id": "f", "model": "alex", "layer": "a", "unit": 0}]
    ids = [f"a{i}" for i in range(length)]
    world.nodes["Annotation"] = [{"id": id, "kind": "label", "text": ""} for id in ids]
    world.relations["ANNOTATES", "Annotation", "Feature"] = [{"source": "a7", "target": "f"}]
    world.relations["SUPERSEDES", "Annotation", "Annotation"] = [
        {"source": later, "target": earlier} for earlier, later in pairwise(ids)
    ]
    found = content(
        GraphRows({part[0]: part[1]})
        for part in belonging(Unfiltered(world, 10_000), ["alex"])
        if isinstance(part, tuple)
    )
    assert {id for label, id in found["nodes"] if label == "Annotation"} == set(ids)


class Unfiltered(InMemory):
    """Gives everything, which a world with one model may."""

    def nodes(self, label: Any, columns: Any, models: Any) -> Any:
        return super().nodes(label, columns, None)

    def relations(self, ends: Any, columns: Any, models: Any) -> Any:
        schema = relation_schema(ends[0])
        return self._batches(self.world.relations[ends], schema, ["source", "target", *columns])


def test_something_said_of_many_things_at_once_is_given_once(store: Store) -> None:
    ids = [f"alex/a:{i}" for i in range(300)]
    records = [{"id": id, "model": "alex", "layer": "a", "unit": i} for i, id in enumerate(ids)]
    store.write(
        together(
            nodes("Model", {"id": "alex", "fingerprint": "f", "source": "s"}),
            nodes("Feature", *records),
            nodes("Evidence", {"id": "e", "kind": "k", "method": "m"}),
            relations(
                "ABOUT", "Evidence", "Feature", *({"source": "e", "target": id} for id in ids)
            ),
        )
    )
    found = content(store.export(["alex"]))
    assert ("Evidence", "e") in found["nodes"]
    assert sum(found["relations"].values()) == 300


def test_pieces_stay_below_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    world = worlds.make(5, most=20)

    class Graph:
        def all_nodes(self, label: str, columns: Any, models: Any = None) -> Any:
            found = world.nodes_of(label, models)
            return tables_of(found, node_columns(label, columns))

        def all_relations(self, name: str, a: str, b: str, columns: Any, models: Any = None) -> Any:
            found = world.relations_of((name, a, b), models)
            return tables_of(found, relation_columns(name, columns))

    monkeypatch.setattr(exporting, "ROWS_IN_A_PIECE", 10)
    monkeypatch.setattr(stored_graph, "ROWS_IN_A_TABLE", 4)
    graph: Any = Graph()
    for models in (None, ["alex", "lite1"]):
        pieces = list(exported(graph, models))
        assert max(sum(piece.counts().values()) for piece in pieces) <= 10
        whole = world if models is None else world.part(models)
        assert content(pieces) == content([whole.rows()])
