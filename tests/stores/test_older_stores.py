"""Stores that an earlier version wrote, before there were responses and measures of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from tests.stores.contents import (
    content,
    content_of,
    feature,
    network,
    nodes,
    relations,
    response_content,
    responses,
    together,
    values,
)
from tests.stores.processes import finish, start

ADDED = {
    "Model": ["computation"],
    "Layer": ["receptive_field", "off_centre"],
    "Feature": ["answers", "spread", "orientation", "orientation_selectivity"],
    "TRANSFORMS_TO": ["same", "p", "q", "method"],
    "ANALOGOUS_TO": ["p", "q", "networks"],
}

WRITTEN_BEFORE = """
from circuitkb.schema import ddl
new = [f"`{owner}`.`{name}`" for owner, names in eval(sys.argv[2]).items() for name in names]
real = ddl.arcade_statements
new.append("`Feature` (`orientation`)")  # the index
old = [text for text in real() if not any(name in text for name in new)]
assert len(old) == len(real()) - len(new)
ddl.arcade_statements = lambda: old
ends = {"source": "net/a:0", "target": "net/a:1"}
open_store(sys.argv[1]).write(together(
    network(),
    relations("TRANSFORMS_TO", "Feature", "Feature", ends | {"group": "mirror", "score": 0.5}),
    GraphRows(kernels={"net": [connection("c")]}),
))
"""


@pytest.fixture
def store(place: Path) -> Store:
    """A store as the version before wrote it."""
    assert finish(start(WRITTEN_BEFORE, place, ADDED)) == (0, "", "")
    (generation,) = place.glob("generation-*")
    (generation / "responses.json").unlink()
    (generation / "pictures.json").unlink()
    (generation / "checksums.json").unlink()
    (generation / "lease").write_text("")
    return open_store(place, create=False)


def test_an_older_store_opens(store: Store) -> None:
    assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]
    assert store.responses("net") is None
    assert store.picture_keys("net") == []
    assert [c.key for c in store.kernels("net")] == ["c"]
    assert content_of(store)["nodes"] == content([network()])["nodes"]
    assert values(store, "MATCH (n:Feature) WHERE n.spread > 0 RETURN n.id") == []


def test_an_older_store_takes_what_is_new(store: Store) -> None:
    place = {"model": "net", "name": "a", "position": 0, "channels": 6}
    measured = {
        "answers": False,
        "spread": 0.25,
        "orientation": 45.0,
        "orientation_selectivity": 0.5,
    }
    ends = {"source": "net/a:0", "target": "net/a:1"}
    mirror = ends | {"group": "mirror", "same": 0.1, "p": 0.01, "q": 0.05, "method": "m 1"}
    analogous = ends | {"method": "m 1", "p": 0.01, "q": 0.05}
    rows = together(
        nodes("Layer", {"id": "net/a", **place, "receptive_field": 27, "off_centre": 0.5}),
        nodes("Feature", feature(0, **measured), feature(9, **measured)),
        relations("TRANSFORMS_TO", "Feature", "Feature", mirror),
        relations("ANALOGOUS_TO", "Feature", "Feature", analogous),
        GraphRows(responses={"net": responses()}),
    )
    store.write(rows)
    assert values(store, "MATCH (n:Feature) WHERE n.orientation >= 0 RETURN count(n)") == [2]
    held = content_of(store)
    assert held["nodes"]["Layer", "net/a"]["receptive_field"] == 27
    assert held["nodes"]["Layer", "net/a"]["off_centre"] == 0.5
    for unit, before in ((0, {"bias": 0.0}), (9, {})):
        expected = feature(unit, **measured) | before
        assert held["nodes"]["Feature", f"net/a:{unit}"] == expected
    asked = "MATCH ()-[r:TRANSFORMS_TO]->() RETURN r.score, r.same, r.p, r.q, r.method"
    assert store.read(asked).rows == [(0.5, 0.1, 0.01, 0.05, "m 1")]
    assert store.read("MATCH ()-[r:ANALOGOUS_TO]->() RETURN r.p, r.q").rows == [(0.01, 0.05)]
    assert held["responses"] == {"net": response_content(responses())}
    assert [c.key for c in store.kernels("net")] == ["c"]
    store.write(rows)
    assert content_of(store) == held
