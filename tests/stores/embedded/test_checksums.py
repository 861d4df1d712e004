"""Damage to the files of a store is found: at a glance when it is opened, in full by a check."""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.schema.errors import StoreDamagedError, StoreError
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.embedded import checksums, copies, glancing
from circuitkb.stores.embedded.checking import check_files
from circuitkb.stores.embedded.checksums import BLOCK, Checksums, glance, sums_of
from circuitkb.stores.embedded.generations import Generation, generations_in
from tests.stores.contents import connection, feature, network, nodes, responses, together, values

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of some megabytes: weights, kernels, responses."""
    path = tmp_path_factory.mktemp("large") / "zoo.ckb"
    store = open_store(path)
    store.write(rows())
    store.close()
    return path


def rows() -> GraphRows:
    return together(
        network(),
        GraphRows(kernels={"net": [connection("k")]}, responses={"net": responses(stimuli=5_000)}),
    )


@pytest.fixture
def place(large: Path, tmp_path: Path) -> Path:
    shutil.copytree(large, tmp_path / "zoo.ckb")
    return tmp_path / "zoo.ckb"


def state_of(place: Path) -> Generation:
    (found,) = generations_in(place)
    return found


def own_files(place: Path) -> list[str]:
    """Every file that a state and its arrays consist of, relative to the store."""
    state = state_of(place)
    inside = [p for p in state.path.rglob("*") if p.is_file() and p.name != "lease"]
    arrays = [*(place / "kernels").iterdir(), *(place / "responses").iterdir()]
    return sorted(p.relative_to(place).as_posix() for p in inside + arrays if p.stat().st_size)


def spoil(path: Path, at: int, content: bytes) -> bool:
    """Overwrite bytes of a file; return whether that changed any."""
    before = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content[: len(before) - at])
    return path.read_bytes() != before


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_check_finds_every_change_of_any_file_at_any_place(
    large: Path, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(own_files(large)))
    path = large / name
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.sampled_from([1, 16, 4096, BLOCK]))
    content = data.draw(st.sampled_from([b"\0", b"\xff"])) * length
    try:
        changed = spoil(path, at, content)
        damaged = [found for found in check_files(large) if found.damage]
        assert bool(damaged) == changed
        if changed:
            said = " ".join(f"{found.part} {found.found}" for found in damaged)
            assert Path(name).name in said
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("change", ["shorter", "longer", "empty", "gone"])
def test_opening_sees_at_once_that_a_size_is_another(place: Path, change: str) -> None:
    names = [name for name in own_files(place) if "/graph/" in name]
    path = place / random.Random(change).choice(names)
    size = path.stat().st_size
    if change == "gone":
        path.unlink()
    else:
        os.truncate(path, {"shorter": size - 1, "longer": size + 1, "empty": 0}[change])
    store = open_store(place)
    what = "is missing" if change == "gone" else f"instead of {size:,}"
    for act in (
        lambda: values(store, COUNT),
        lambda: list(store.stream(COUNT)),
        lambda: list(store.export()),
        lambda: store.write(nodes("Label", {"id": "l", "text": "l"})),
    ):
        with pytest.raises(StoreDamagedError, match=what):
            act()
    assert state_of(place).path.is_dir()


def test_opening_sees_zeroed_pages_in_a_store_of_a_few_megabytes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "AT_OPENING", 9.0)  # a busy machine may get no further in less
    path = max(state_of(place).graph.glob("Feature*.bucket"), key=lambda item: item.stat().st_size)
    assert spoil(path, 0, bytes(BLOCK))
    with pytest.raises(StoreDamagedError, match=f"{path.name} is not what was written, at byte 0"):
        values(open_store(place), COUNT)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A glance that misses damage, as it may in a large store."""
    monkeypatch.setattr(glancing, "glance", lambda *_, **__: None)


@pytest.mark.usefixtures("unseen", "by_copy")
def test_damage_that_a_glance_missed_is_neither_copied_on_nor_exported(place: Path) -> None:
    state = state_of(place)
    path = state.graph / next(p.name for p in state.graph.glob("IN_LAYER*.bucket"))
    assert spoil(path, 100, b"\xff" * 1_000)
    before = {item: item.stat().st_mtime_ns for item in place.rglob("*") if item.is_file()}
    store = open_store(place)
    for act in (
        lambda: store.write(nodes("Label", {"id": "l", "text": "l"})),
        lambda: next(store.export()),
    ):
        with pytest.raises(StoreDamagedError, match=path.name):
            act()
    after = {item: item.stat().st_mtime_ns for item in place.rglob("*") if item.is_file()}
    assert after == before


@pytest.mark.parametrize("kind", ["kernels", "responses"])
def test_arrays_that_changed_are_not_read_and_are_written_anew_when_given_again(
    place: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "AT_OPENING", 9.0)
    (path,) = (place / kind).iterdir()
    whole = path.read_bytes()
    assert spoil(path, len(whole) - 5, b"\x01\x02\x03")
    store = open_store(place)
    with pytest.raises(StoreDamagedError, match=path.name):
        getattr(store, kind)("net")
    assert values(store, COUNT) == [6], "the graph is still whole"
    store.write(rows())
    assert path.read_bytes() == whole
    assert getattr(store, kind)("net")
    assert not [found for found in check_files(place) if found.damage]


@pytest.mark.usefixtures("by_copy")
def test_only_files_that_a_write_changed_are_read_for_new_checksums(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(path: Path) -> checksums.FileSums:
        read.append(path.name)
        return sums_of(path)

    monkeypatch.setattr(copies, "sums_of", counted)
    files = len(list(state_of(place).graph.iterdir()))
    open_store(place).write(nodes("Label", {"id": "l", "text": "l"}))
    again = read[files:]
    assert len(read) < 2 * files
    assert not [name for name in again if name.startswith(("Feature", "WEIGHT"))]
    assert [name for name in again if name.startswith("Label")]
    taken = state_of(place).checksums()
    assert taken is not None
    assert {name: sums_of(state_of(place).path / name).sums for name in taken.files} == {
        name: item.sums for name, item in taken.files.items()
    }
    assert taken.counts["Label"] == 1
    assert taken.counts["WEIGHT"] == 12


def test_sums_are_xxh3_of_every_64_kilobytes(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(2 * BLOCK + 17)
    (tmp_path / "file").write_bytes(content)
    expected = b"".join(
        xxhash.xxh3_64(content[start : start + BLOCK]).digest()
        for start in range(0, len(content), BLOCK)
    )
    found = sums_of(tmp_path / "file")
    assert (found.size, found.sums) == (len(content), expected)
    (tmp_path / "empty").touch()
    assert sums_of(tmp_path / "empty") == checksums.FileSums(0, b"")


def test_a_glance_looks_at_other_blocks_with_another_seed_and_finds_in_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 256 * 100)
    sums = {"file": sums_of(tmp_path / "file")}
    assert spoil(tmp_path / "file", 50 * BLOCK, bytes(BLOCK))
    found = [glance(tmp_path, sums, seconds=0.0, seed=seed) for seed in range(100)]
    wrong = f"is not what was written, at byte {50 * BLOCK:,}"
    assert {item for item in found if item} == {("file", wrong)}
    assert 1 < sum(item is not None for item in found) < 30
    assert all(glance(tmp_path, sums, seconds=9.0, seed=seed) for seed in range(3))


@pytest.mark.parametrize(
    ("before", "after"), [('"bytes"', '"Bytes"'), ("{", "["), ('"block": 65536', '"block": 65537')]
)
def test_changed_checksums_are_damage_too(place: Path, before: str, after: str) -> None:
    path = state_of(place).path / "checksums.json"
    text = path.read_text()
    assert Checksums.from_text(text).to_text() == text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(StoreDamagedError, match=r"checksums\.json is not what was written"):
        values(open_store(place), COUNT)


def test_lost_checksums_are_no_older_store(place: Path) -> None:
    (state_of(place).path / "checksums.json").unlink()
    with pytest.raises(StoreDamagedError, match=r"checksums\.json is missing"):
        open_store(place).write(nodes("Feature", feature(0, layer="b")))


def test_a_store_of_an_older_version_that_lost_its_schema_is_not_empty(place: Path) -> None:
    state = state_of(place)
    (state.path / "checksums.json").unlink()
    (state.path / "lease").write_text("")
    for name in ("schema.json", "schema.prev.json"):
        (state.graph / name).write_text("{")
    with pytest.raises(StoreError, match=r"zoo\.ckb is damaged"):
        values(open_store(place), COUNT)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_a_limit_of_the_process_is_not_taken_for_damage(
    place: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def limited(*arguments: object, **others: object) -> None:
        raise OSError(number, os.strerror(number))

    store = open_store(place)
    state = state_of(place)
    taken = state.checksums()
    assert taken is not None
    for name in ("open", "stat"):
        with monkeypatch.context() as patch:
            patch.setattr(checksums.Path, name, limited)
            with pytest.raises(OSError, match=os.strerror(number)):
                glance(state.path, taken.files)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", limited)
        with pytest.raises(OSError, match=os.strerror(number)):
            values(store, COUNT)
    assert values(store, COUNT) == [6]
