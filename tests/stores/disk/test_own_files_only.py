"""A store removes and overwrites only what it made itself, and never through a link."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from circuitkb.schema.errors import StoreError
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.disk.own_files import Folder, remove_own
from circuitkb.stores.embedded import directory
from tests.stores.contents import connection, feature, network, nodes, responses, together, values

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody else, with files of every name that a store knows."""
    folder = tmp_path / "elsewhere"
    (folder / "graph").mkdir(parents=True)
    for name in (
        "photo.jpg",
        "lease",
        "kernels.json",
        f"{'0' * 32}.safetensors",
        f"{'0' * 32}.{'1' * 32}.new",
        "graph/Model_0.1.65536.v0.bucket",
    ):
        (folder / name).write_text("precious")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def one_more(unit: int) -> GraphRows:
    return nodes("Feature", feature(unit, layer="b"))


LINKS = ["kernels", "responses", "unfinished", "generation-1", "generation-2", "generation-77"]
NAMES = ["store.json", "CURRENT", "write.lock"]


@pytest.mark.parametrize("name", [*LINKS, *NAMES])
def test_a_link_in_the_place_of_an_own_file_is_refused_and_its_target_untouched(
    place: Path, store: Store, elsewhere: Path, name: str
) -> None:
    target = elsewhere if name in LINKS else elsewhere / "photo.jpg"
    if (place / name).is_dir():
        shutil.rmtree(place / name)
    (place / name).unlink(missing_ok=True)
    (place / name).symlink_to(target)
    before = contents(elsewhere)
    for act in (
        lambda: store.write(one_more(0)),
        lambda: open_store(place),
        lambda: open_store(place, create=False),
    ):
        with pytest.raises(StoreError, match=f"{name} is a link") as error:
            act()
        assert str(error.value).count("\n") == 0
    assert contents(elsewhere) == before
    assert (place / name).is_symlink()


@pytest.mark.parametrize("name", ["CURRENT.new", "store.json.new"])
def test_a_link_with_the_name_of_an_unfinished_file_is_not_written_through(
    place: Path, store: Store, elsewhere: Path, name: str
) -> None:
    (place / name).symlink_to(elsewhere / "photo.jpg")
    store.write(one_more(0))
    assert values(store, COUNT) == [7]
    assert (elsewhere / "photo.jpg").read_text() == "precious"
    assert (place / name).is_symlink()


@pytest.mark.parametrize("name", ["write.lock", "CURRENT", "store.json", "kernels", "generation-1"])
def test_a_pipe_in_the_place_of_an_own_file_is_refused_at_once(
    place: Path, store: Store, name: str
) -> None:
    if (place / name).is_dir():
        shutil.rmtree(place / name)
    (place / name).unlink(missing_ok=True)
    os.mkfifo(place / name)
    with pytest.raises(StoreError, match=f"{name} is no f"):
        store.write(one_more(0))


def test_what_others_put_into_a_store_stays(place: Path, store: Store) -> None:
    store.write(GraphRows(kernels={"net": [connection("k")]}, responses={"net": responses()}))
    current = next(place.glob("generation-*"))
    theirs = [
        place / "notes.txt",
        place / "CURRENT.new",
        place / "kernels" / "weights.safetensors",
        place / "kernels" / f"{'0' * 32}.safetensors",
        place / "responses" / "readme.md",
        place / "unfinished" / "thesis.tex",
        place / "generation-9" / "photo.jpg",
        current / "remarks.txt",
        current / "graph" / "plot.json",
    ]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("precious")
    for seed in range(1, 4):
        others = {"kernels": {"net": [connection("k", seed)]}}
        others["responses"] = {"net": responses(seed)}
        store.write(together(one_more(seed), GraphRows(**others)))
    assert [path.read_text() for path in theirs] == ["precious"] * len(theirs)
    assert values(store, COUNT) == [9]
    assert {p.name for p in current.iterdir()} == {"remarks.txt", "graph"}
    assert [p.name for p in (current / "graph").iterdir()] == ["plot.json"]
    assert len(list((place / "kernels").iterdir())) == 3, "its own old kernels are gone"
    assert len(list((place / "responses").iterdir())) == 2


def test_a_first_write_that_fails_leaves_what_others_put_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> None:
        for name in ("kernels", "responses", "."):
            (place / name).mkdir(exist_ok=True)
            (place / name / "theirs.txt").write_text("precious")
        raise KeyboardInterrupt

    monkeypatch.setattr(directory, "bring_to_disk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_store(place).write(together(network(), GraphRows(kernels={"net": [connection("k")]})))
    left = {str(p.relative_to(place)) for p in place.rglob("*") if p.is_file()}
    assert left == {"theirs.txt", "kernels/theirs.txt", "responses/theirs.txt"}


def test_a_folder_that_becomes_a_link_while_it_is_cleaned_is_not_followed(
    tmp_path: Path, elsewhere: Path
) -> None:
    own = tmp_path / "store" / "generation-1"
    shutil.copytree(elsewhere, own)
    before = contents(elsewhere)

    def swap(name: str) -> bool:
        if not own.is_symlink():
            own.rename(tmp_path / "away")
            own.symlink_to(elsewhere)
        return True

    remove_own(own, swap, folders=["graph"])
    assert contents(elsewhere) == before
    assert contents(tmp_path / "away") == {}
    with pytest.raises(OSError), Folder(tmp_path / "store") as store, store.folder(own.name):
        pytest.fail("a link was entered")


def test_the_directory_itself_may_be_a_link(tmp_path: Path, place: Path, store: Store) -> None:
    link = tmp_path / "link.ckb"
    link.symlink_to(place)
    linked = open_store(link, create=False)
    linked.write(one_more(0))
    assert values(store, COUNT) == [7]
    linked.close()


def test_finished_work_is_removed_and_what_others_put_beside_it_stays(tmp_path: Path) -> None:
    from circuitkb.observation.recording import forget

    for name in ("lock", "done.json", "answers.npy", "thesis.tex"):
        (tmp_path / "net").mkdir(exist_ok=True)
        (tmp_path / "net" / name).write_text("x")
    forget(tmp_path / "net")
    assert [path.name for path in (tmp_path / "net").iterdir()] == ["thesis.tex"]
    (tmp_path / "net" / "thesis.tex").unlink()
    forget(tmp_path / "net")
    assert list(tmp_path.iterdir()) == []
