"""A kind of store of another package, in one file: opened by its address, and put to the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.schema.errors import CapabilityError
from circuitkb.stores import open_store
from circuitkb.stores.kinds import STORES
from tests.other_packages import installed
from tests.stores.contents import content, content_of, network
from tests.stores.factories import factory_of

SHELF = '''
"""Knowledge bases on a shelf: ``shelf:///FOLDER``."""

from circuitkb.stores import open_store
from circuitkb.stores.kinds import StoreKind


def open_shelf(address, create):
    return open_store(address.removeprefix("shelf://"), create=create)


SHELF = StoreKind(
    "shelf",
    ("shelf",),
    "on a shelf (shelf:///FOLDER)",
    open_shelf,
    address_in=lambda folder: f"shelf://{folder}/books",
)
'''


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path, STORES, "shelves", SHELF, shelf="shelves:SHELF"):
        yield


def test_the_conformance_suite_can_open_it(tmp_path: Path) -> None:
    factory = factory_of(STORES.get("shelf"))
    with closing(factory.open(tmp_path)) as store:
        store.write(network())
        assert content_of(store) == content([network()])
    assert (tmp_path / "books").is_dir()


def test_its_addresses_go_wherever_ours_go(tmp_path: Path) -> None:
    with ckb.open(f"shelf://{tmp_path}/zoo") as kb:
        assert list(kb.models()) == []
    with closing(open_store(tmp_path / "zoo.ckb")) as ours:
        assert ours.address == str(tmp_path / "zoo.ckb")


def test_an_unknown_address_names_it() -> None:
    said = r"zoo\.ckb\) or on a Neo4j server \(.*\) or on a shelf \(shelf:///FOLDER\)\.$"
    with pytest.raises(CapabilityError, match=said):
        open_store("https://localhost:7474")
