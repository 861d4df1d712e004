"""States without a valid pointer are a damaged store: it refuses, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from circuitkb.schema.errors import StoreDamagedError
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded.directory import VERSION
from tests.stores.contents import more, network, values
from tests.stores.processes import tree

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda place: (place / name).write_text(text)


def remove(name: str) -> Callable[[Path], object]:
    return lambda place: (place / name).unlink()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no CURRENT": remove("CURRENT"),
    "an empty CURRENT": write("CURRENT", ""),
    "garbage in CURRENT": write("CURRENT", "\x00\x01\udcff".encode("utf-8", "replace").decode()),
    "no text in CURRENT": lambda place: (place / "CURRENT").write_bytes(b"\xff\xfe\x00"),
    "a way out of the store": write("CURRENT", "../zoo.ckb/generation-1"),
    "a state that is not there": write("CURRENT", "generation-7\n"),
    "no state at all": lambda place: shutil.rmtree(place / "generation-1"),
    "no lease": remove("generation-1/lease"),
    "no store.json": remove("store.json"),
    "an empty store.json": write("store.json", ""),
    "no kernels.json": remove("generation-1/kernels.json"),
    "an empty kernels.json": write("generation-1/kernels.json", ""),
    "kernels of another place": write("generation-1/kernels.json", '{"net": "../store.json"}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_read_and_write_refuses_and_nothing_is_removed(
    place: Path, store: Store, damage: str
) -> None:
    assert values(store, COUNT) == [6]
    DAMAGES[damage](place)
    before = tree(place)
    acts: list[Callable[[Store], object]] = [
        lambda opened: opened.write(more()),
        lambda opened: opened.kernels("net"),
        lambda opened: list(opened.export()),
    ]
    if "kernels" not in damage:
        acts += [lambda opened: values(opened, COUNT), lambda o: list(o.stream(COUNT))]
    for act in acts:
        with pytest.raises(StoreDamagedError, match=r"circuitkb check --repair --kb .*zoo\.ckb"):
            act(open_store(place))
    if damage != "no lease":
        with pytest.raises(StoreDamagedError):
            store.write(more())
    after = tree(place)
    after.pop(".", None)
    assert {name: size for name, (size, _) in after.items()} == {
        name: size for name, (size, _) in before.items()
    }


def test_a_store_whose_first_write_was_cut_off_is_empty_and_not_damaged(place: Path) -> None:
    store = open_store(place)
    place.mkdir()
    card = {"format": "circuitkb", "version": VERSION, "circuitkb": "0", "written": False}
    (place / "store.json").write_text(json.dumps(card))
    (place / "generation-1" / "graph").mkdir(parents=True)
    (place / "generation-1" / "lease").touch()
    assert values(store, COUNT) == [0]
    store.write(network())
    assert values(store, COUNT) == [6]
    store.close()
    (place / "CURRENT").unlink()
    with pytest.raises(StoreDamagedError):
        open_store(place).write(more())
