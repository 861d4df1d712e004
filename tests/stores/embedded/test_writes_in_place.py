"""A few rows are written into the state itself: whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import StoreDamagedError, StoreError, StoreFullError
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import (
    directory,
    glancing,
    in_place,
    settling,
    transaction,
    verifying,
)
from circuitkb.stores.embedded.checking import check_files
from circuitkb.stores.embedded.checksums import BLOCK, sums_of
from circuitkb.stores.embedded.generations import Generation, generations_in
from circuitkb.stores.embedded.redo_log import changes_in, page_files
from circuitkb.stores.embedded.settling import settle
from tests.moving.awkward import awkward
from tests.stores.contents import (
    content,
    content_of,
    feature,
    more,
    network,
    nodes,
    relations,
    together,
    values,
    weight,
    weights,
)
from tests.stores.processes import finish, start

COUNT = "MATCH (n:Label) RETURN count(n) AS n"
LABEL = nodes("Label", {"id": "l", "text": "l"})


def few() -> GraphRows:
    """New nodes, a changed one, and relations between old and new ones."""
    return together(
        nodes("Label", {"id": "few", "text": "few"}),
        nodes("Feature", feature(0, layer="few"), feature(1, bias=0.75)),
        weights(
            weight(0, 3, sum=9.0, connection="few"),
            {"source": "net/few:0", "target": "net/a:0", "connection": "few", "sum": 1.0},
        ),
        relations("IN_LAYER", "Feature", "Layer", {"source": "net/few:0", "target": "net/a"}),
    )


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


def state_of(place: Path) -> Generation:
    (found,) = generations_in(place)
    return found


def is_whole(place: Path) -> bool:
    return not [found for found in check_files(place) if found.damage]


def files(place: Path) -> dict[str, bytes]:
    found = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


def test_a_few_rows_change_the_state_itself_and_only_what_they_concern(
    place: Path, store: Store
) -> None:
    store.write(more())
    state, before = state_of(place), files(place)
    store.write(LABEL)
    assert state_of(place) == state
    after = files(place)
    assert sorted(after) == sorted(before)
    changed = {name.rpartition("/")[2] for name in after if after[name] != before[name]}
    assert {name.partition(".")[0] for name in changed if not name.startswith("Label_0")} == {
        "checksums",
        "statistics",
        "last-tx-id",
    }
    taken = state.checksums()
    assert taken is not None
    assert taken.counts["Label"] == 1
    assert {name: sums_of(state.path / name) for name in taken.files} == taken.files
    assert is_whole(place)


def test_readers_that_are_open_see_the_new_state_at_their_next_read(
    place: Path, store: Store
) -> None:
    reader = open_store(place)
    for turn in range(3):
        assert values(reader, COUNT) == [turn]
        store.write(nodes("Label", {"id": str(turn), "text": "l"}))
    assert values(reader, COUNT) == [3]
    reader.close()


def test_rows_of_every_kind_are_the_same_as_in_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = awkward()
    tables = [GraphRows(nodes={label: table}) for label, table in rows.nodes.items()]
    first = [
        GraphRows(nodes={label: table.select(["id", *_required(table)])})
        for label, table in rows.nodes.items()
        if label != "Model"
    ]
    joined = [GraphRows(relations=[item]) for item in rows.relations]
    found = []
    for way in ("in place", "by copy"):
        place = tmp_path / way
        store = open_store(place)
        store.write(nodes("Label", {"id": "first", "text": "first"}))
        with monkeypatch.context() as patch:
            if way == "in place":
                patch.setattr(directory.StoreDirectory, "next_generation", None)
                for piece in [*first, *tables, *joined]:
                    store.write(piece)
            else:
                patch.setattr(in_place.InPlace, "takes", lambda *_: False)
                store.write(together(*tables, *joined))
        assert is_whole(place)
        assert list(verifying.loose_relations(state_of(place))) == []
        found.append((content_of(store), store.recorded_counts()))
        store.close()
    assert found[0] == found[1]


def _required(table: Any) -> list[str]:
    return [item.name for item in table.schema if not item.nullable and item.name != "id"]


def test_numbers_without_end_are_the_same_as_in_a_copy(
    tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = float("inf")
    rows = together(
        nodes("Feature", feature(9, bias=end), feature(1, bias=-end)),
        weights(weight(0, 3, sum=-end), weight(0, 1, sum=end)),
    )
    found = []
    for takes in (in_place.InPlace.takes, lambda *_: False):
        monkeypatch.setattr(in_place.InPlace, "takes", takes)
        place = tmp_path / str(len(found))
        shutil.copytree(written, place)
        store = open_store(place)
        store.write(rows)
        found.append(content_of(store))
        store.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("error", [StoreError("no"), KeyboardInterrupt(), OSError("no")])
def test_an_error_within_the_transaction_leaves_the_state_as_it_was(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    state = state_of(place)
    before, edition = files(place), state.edition()
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "check_values", fail)
        with pytest.raises((StoreError, KeyboardInterrupt)):
            store.write(few())
    assert files(place) == before
    assert state.edition() == edition
    store.write(few())
    assert values(store, COUNT) == [1]
    assert is_whole(place)


@pytest.mark.parametrize("lost", ["nodes", "relations", "updates"])
def test_whatever_the_engine_does_not_take_is_missed(
    store: Store, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    with monkeypatch.context() as patch:
        if lost == "updates":
            patch.setattr(transaction, "update", lambda *_: None)
        else:
            real, calls = transaction.property_rows, []

            def forgetful(table: Any) -> list[dict[str, Any]]:
                calls.append(table)
                rows = real(table)
                return rows[1:] if len(calls) == 1 and lost == "nodes" else rows

            patch.setattr(transaction, "property_rows", forgetful)
            if lost == "relations":
                text = "WHERE elementId(b) = 'none' AND elementId(a) = row.source "
                patch.setattr(transaction, "ENDS", text)
        with pytest.raises(StoreError, match="did not bring every"):
            store.write(few())
    assert content_of(store) == content([network()])


def test_a_state_that_somebody_reads_is_copied_instead(place: Path, store: Store) -> None:
    stream = store.stream("MATCH (n:Feature) RETURN n.id", rows=1)
    next(stream)
    open_store(place).write(LABEL)
    assert [state.number for state in generations_in(place)] == [1, 2]
    assert len(list(stream)) == 5
    assert values(store, COUNT) == [1]


def test_ten_processes_add_at_once_and_none_is_turned_away(place: Path, store: Store) -> None:
    code = "open_store(sys.argv[1]).write(nodes('Label', {'id': sys.argv[2], 'text': 'l'}))"
    processes = [start(code, place, number) for number in range(10)]
    assert [finish(process) for process in processes] == [(0, "", "")] * 10
    assert values(store, COUNT) == [10]
    assert is_whole(place)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A glance that misses damage, as it may in a large store."""
    monkeypatch.setattr(glancing, "glance", lambda *_, **__: None)


def spoil(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xee" * 100)


@pytest.mark.usefixtures("unseen")
def test_damage_elsewhere_in_a_file_that_is_written_is_still_found(
    place: Path, store: Store
) -> None:
    store.write(more(400, 12_000))
    (path,) = state_of(place).graph.glob("WEIGHT_0.*")
    assert path.stat().st_size > 6 * BLOCK
    spoil(path, 3 * BLOCK + 60_000)
    before = sums_of(path)
    store.write(weights(weight(0, 3, connection="new")))
    assert sums_of(path) != before, "the file was written"
    (damage,) = [found for found in check_files(place) if found.damage]
    assert damage.part.endswith(path.name)
    assert damage.found.endswith(f"at byte {3 * BLOCK:,}")


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("kind", ["Label_0.", "Feature_0.", "WEIGHT_0.", "Feature_0_in_edges."])
def test_damage_in_what_would_be_written_anew_is_refused(
    place: Path, store: Store, kind: str
) -> None:
    store.write(LABEL)
    rows = together(
        nodes("Label", {"id": "m", "text": "m"}), weights(weight(0, 3, connection="new"))
    )
    (path,) = state_of(place).graph.glob(f"{kind}*")
    spoil(path, 1_000)
    before = files(place)
    with pytest.raises(StoreDamagedError, match=path.name):
        store.write(rows)
    assert files(place) == before


def test_a_store_without_checksums_is_copied_once_and_gets_them(place: Path, store: Store) -> None:
    state = state_of(place)
    (state.path / "checksums.json").unlink()
    (state.path / "lease").write_text("")
    store.write(LABEL)
    assert state_of(place) != state
    state = state_of(place)
    store.write(nodes("Label", {"id": "m", "text": "m"}))
    assert state_of(place) == state
    assert values(store, COUNT) == [2]


@pytest.mark.parametrize("missing", ["hardlink", "locks"])
def test_where_the_system_lacks_something_a_copy_is_changed(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if missing == "hardlink":
        monkeypatch.setattr(in_place.os, "link", fail)
    else:
        monkeypatch.setattr(in_place, "locks_are_kept", lambda: False)
    store.write(LABEL)
    assert state_of(place).number == 2
    assert values(store, COUNT) == [1]


def test_a_folder_of_somebody_else_in_its_place_stays(place: Path, store: Store) -> None:
    folder = state_of(place).path / "writing"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    store.write(LABEL)
    assert (folder / "notes.txt").read_text() == "mine"
    assert values(store, COUNT) == [1]


@pytest.fixture
def stopped(
    place: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[Path, Path, Path]]:
    """Gives a store before a write, at the end of its transaction, and after it."""
    store.write(more(60, 200))
    store.close()
    before, stopped = tmp_path / "before.ckb", tmp_path / "stopped.ckb"
    shutil.copytree(place, before)

    def stop(generation: Generation, *, closed: bool) -> None:
        shutil.copytree(place, stopped)
        settle(generation, closed=closed)

    monkeypatch.setattr(in_place, "settle", stop)
    store.write(few())
    monkeypatch.setattr(in_place, "settle", settle)
    return lambda: (before, stopped, place)


Stopped = Callable[[], tuple[Path, Path, Path]]


def pages_of(place: Path) -> dict[str, bytes]:
    return {
        file.path.name: file.path.read_bytes()
        for file in page_files(state_of(place).graph).values()
    }


def test_pages_that_reached_the_disk_in_part_are_finished_from_the_log(
    stopped: Stopped, tmp_path: Path
) -> None:
    before, killed, after = stopped()
    old, new = pages_of(before), pages_of(after)
    changed = sorted(name for name in new if old[name] != new[name])
    assert len(changed) > 6
    expected = content_of(open_store(after))
    for seed in range(25):
        rng = random.Random(seed)
        place = tmp_path / f"{seed}.ckb"
        shutil.copytree(killed, place)
        graph = state_of(place).graph
        for name in changed:
            size = len(new[name])
            cut = rng.choice([0, size, 4096 * rng.randrange(size // 4096)])
            mixed = new[name][:cut] + old[name][cut:]
            (graph / name).write_bytes(mixed)
        if seed % 2:
            (graph / "statistics.json").write_bytes(
                (state_of(before).graph / "statistics.json").read_bytes()
            )
        store = open_store(place)
        if seed < 4:
            assert content_of(store) == expected
        else:
            assert store.recorded_counts() == open_store(after).recorded_counts()
        assert pages_of(place) == new
        assert is_whole(place)
        assert not (state_of(place).path / "writing").exists()
        shutil.rmtree(place)


def test_a_log_that_is_not_whole_changes_nothing(stopped: Stopped, tmp_path: Path) -> None:
    before, killed, _ = stopped()
    logs = [log for log in (state_of(killed).path / "writing").glob("log-*") if log.stat().st_size]
    (name,) = [log.name for log in logs]
    whole = logs[0].read_bytes()
    assert changes_in([whole])
    wanted = files(before)
    for size in (0, 1, 24, 100, len(whole) // 2, len(whole) - 1):
        place = tmp_path / f"{size}.ckb"
        shutil.copytree(killed, place)
        state = state_of(place)
        for path in state_of(before).graph.iterdir():
            shutil.copyfile(path, state.graph / path.name)
        (state.path / "writing" / name).write_bytes(whole[:size])
        assert open_store(place).recorded_counts() == open_store(before).recorded_counts()
        assert files(place) == wanted
        assert is_whole(place)
        shutil.rmtree(place)


def test_a_log_that_does_not_fit_is_damage_and_nothing_is_changed(stopped: Stopped) -> None:
    _, killed, _ = stopped()
    state = state_of(killed)
    logs = [log.read_bytes() for log in (state.path / "writing").glob("log-*")]
    number = next(change.file for change in changes_in(logs) if change.version > 1)
    path = page_files(state.graph)[number].path
    path.write_bytes(bytes(path.stat().st_size))
    before = files(killed)
    for act in (lambda: values(open_store(killed), COUNT), lambda: open_store(killed).write(LABEL)):
        with pytest.raises(StoreDamagedError, match="writing does not fit"):
            act()
    assert [found for found in check_files(killed) if found.damage]
    after = files(killed)
    assert {n: c for n, c in after.items() if "/graph/" not in n} == {
        n: c for n, c in before.items() if "/graph/" not in n
    }


def test_a_full_disk_while_it_is_finished_loses_nothing(
    stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, killed, after = stopped()
    for name, text in (
        (errno.ENOSPC, "is full.*Nothing is lost"),
        (errno.EROFS, "open the store once where it can be written"),
    ):
        place = killed.with_name(f"{name}.ckb")
        shutil.copytree(killed, place)
        for path in state_of(before).graph.iterdir():
            shutil.copyfile(path, state_of(place).graph / path.name)

        def fail(*_: object, number: int = name) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(settling, "_write_all", fail)
            with pytest.raises((StoreFullError, StoreError), match=text):
                values(open_store(place), COUNT)
        assert content_of(open_store(place)) == content_of(open_store(after))
        assert is_whole(place)
