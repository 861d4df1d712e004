"""What a store is opened on: nothing, something else, another version, a damaged one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from circuitkb.schema.errors import (
    CapabilityError,
    StoreError,
    StoreNotFoundError,
    StoreVersionError,
)
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded.directory import VERSION
from tests.stores.contents import content, content_of, network, values
from tests.stores.processes import tree

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


def test_nothing_there_is_said_with_what_makes_one(place: Path) -> None:
    with pytest.raises(StoreNotFoundError, match=r"circuitkb load .* --kb .*zoo\.ckb"):
        open_store(place, create=False)
    assert not place.exists()
    open_store(place).close()
    assert not place.exists(), "looking makes nothing"


def test_reading_where_nothing_is_makes_nothing(place: Path) -> None:
    store = open_store(place)
    assert values(store, COUNT) == [0]
    assert content_of(store) == content([])
    assert list(store.kernels("net")) == []
    store.close()
    assert not place.exists()


def test_an_empty_directory_may_become_a_store(place: Path) -> None:
    place.mkdir()
    store = open_store(place)
    store.write(network())
    assert values(store, COUNT) == [6]
    store.close()


@pytest.mark.parametrize("create", [True, False])
def test_what_is_no_knowledge_base_is_never_touched(tmp_path: Path, create: bool) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "kernels").mkdir()
    (tmp_path / "thesis" / "kernels" / "mine.safetensors").write_text("mine")
    before = tree(tmp_path)
    for path in (file, tmp_path / "thesis"):
        with pytest.raises(StoreError, match=f"{path.name}.*another path") as caught:
            open_store(path, create=create)
        assert type(caught.value) is StoreError
    assert tree(tmp_path) == before


def test_another_format_version_is_named_with_the_remedy(place: Path, store: Store) -> None:
    store.close()
    card = place / "store.json"
    about = json.loads(card.read_text())
    assert about["version"] == VERSION
    card.write_text(json.dumps(about | {"version": VERSION + 1, "circuitkb": "9.9"}))
    before = tree(place)
    for create in (True, False):
        with pytest.raises(StoreVersionError) as caught:
            open_store(place, create=create)
        for part in (str(VERSION + 1), "9.9", f"reads versions 2 and {VERSION}", "again"):
            assert part in str(caught.value)
    assert tree(place) == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "circuitkb"}'])
def test_a_damaged_card_is_said(place: Path, store: Store, text: str) -> None:
    (place / "store.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        open_store(place)


@pytest.mark.parametrize("text", ["generation-77\n", "", "../elsewhere", "/etc"])
def test_a_pointer_to_nowhere_is_said(place: Path, store: Store, text: str) -> None:
    (place / "CURRENT").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        open_store(place).read(COUNT)


@pytest.mark.parametrize("address", ["https://localhost:7474", "postgresql://x", "s3://zoo.ckb"])
def test_a_url_of_something_else_is_said(address: str) -> None:
    with pytest.raises(CapabilityError, match=r"a directory .* or on a Neo4j server"):
        open_store(address)


def test_the_address_is_what_the_user_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("here.ckb")
    store.write(network())
    monkeypatch.chdir("/")
    assert store.address == "here.ckb"
    assert values(store, COUNT) == [6]
    assert (tmp_path / "here.ckb" / "store.json").exists()
    store.close()
