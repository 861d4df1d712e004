"""A copy arrives whole, adds and never takes away, and proves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from circuitkb.moving.copies.copy import copy
from circuitkb.schema.errors import (
    ModelConflictError,
    NotFoundError,
    StoreBusyError,
    StoreError,
)
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.base import Store
from tests.moving import worlds
from tests.stores.contents import (
    Record,
    connection,
    content,
    content_of,
    model,
    nodes,
    pictures,
    relations,
    responses,
    together,
)

Pair = tuple[Store, Store]

ARRAYS = GraphRows(
    kernels={"alex": [connection("k0"), connection("k1", 1)], "lite0": [connection("k", 2)]},
    responses={"alex": responses(3), "lite1": responses(4)},
    pictures={key: pictures(key) for key in ("alex/dogs", "alex/cats", "lite1/dogs")},
)


def everything(seed: int) -> GraphRows:
    """Rows of every kind, of three models, with arrays."""
    return together(worlds.make(seed).rows(), ARRAYS)


def part(seed: int, *models: str) -> Record:
    """Content of some models alone."""
    arrays = GraphRows(
        kernels={name: found for name, found in ARRAYS.kernels.items() if name in models},
        responses={name: found for name, found in ARRAYS.responses.items() if name in models},
        pictures={key: found for key, found in ARRAYS.pictures.items() if found.model in models},
    )
    return content([worlds.make(seed).part(models).rows(), arrays])


def union(*parts: Record) -> Record:
    found: Record = {"nodes": {}, "relations": {}, **{kind: {} for kind in ARRAY_KINDS}}
    for item in parts:
        for kind, rows in item.items():
            found[kind] |= rows
    return found


@pytest.mark.writes
def test_everything_is_copied_and_counted(pair: Pair) -> None:
    source, target = pair
    rows = everything(1)
    source.write(rows)
    report = copy(source, target)
    assert content_of(target) == content([rows])
    assert report.written == report.models == worlds.MODELS
    counted: dict[str, int] = {}
    for item in report.kinds:
        assert item.rows == item.copied == item.there
        assert item.hash == item.there_hash
        counted[item.kind] = counted.get(item.kind, 0) + item.rows
    assert counted == {**rows.counts(), "kernels": 2, "responses": 2, "pictures": 3}


def test_again_it_writes_nothing(pair: Pair) -> None:
    source, target = pair
    source.write(everything(2))
    first = copy(source, target)
    again = copy(source, Refusing(target))
    assert (again.copied, again.written) == (0, ())
    assert [i.hash for i in again.kinds] == [i.hash for i in first.kinds]
    assert "nothing changed" in " ".join(again.notes)


def test_a_copy_of_a_copy_has_the_same_hashes(pair: Pair) -> None:
    source, target = pair
    source.write(everything(3))
    there = copy(source, target)
    back = copy(target, source)
    assert back.copied == 0
    assert [(i.kind, i.rows, i.hash) for i in back.kinds] == [
        (i.kind, i.rows, i.hash) for i in there.kinds
    ]


def test_one_model_is_copied_with_what_belongs_to_it_and_the_others_later(pair: Pair) -> None:
    source, target = pair
    source.write(everything(4))
    report = copy(source, target, ["lite0"])
    assert content_of(target) == part(4, "lite0")
    assert report.models == ("lite0",)
    copy(source, target, ["alex"])
    assert content_of(target) == union(part(4, "lite0"), part(4, "alex"))
    copy(source, target, ["alex", "lite0"])
    assert content_of(target) == part(4, "alex", "lite0")
    copy(source, target)
    assert content_of(target) == content([everything(4)])


@pytest.mark.parametrize("seed", range(5, 11))
def test_what_belongs_to_no_model_or_joins_several_is_copied_too(embedded: Pair, seed: int) -> None:
    source, target = embedded
    source.write(everything(seed))
    copy(source, target)
    assert content_of(target) == content([everything(seed)])


def test_what_the_target_holds_besides_stays_and_is_no_difference(pair: Pair) -> None:
    source, target = pair
    mine = {"id": "net/a:0", "model": "net", "layer": "a", "unit": 0, "bias": 1.5}
    theirs = mine | {"bias": 9.0, "orientation": 45.0}
    said = relations("ANNOTATES", "Annotation", "Feature", {"source": "x", "target": "net/a:0"})
    source.write(together(model("net"), nodes("Feature", mine)))
    target.write(
        together(
            model("net", "other"),
            nodes("Feature", theirs, mine | {"id": "net/a:1", "unit": 1}),
            nodes("Annotation", {"id": "x", "kind": "label", "text": "curve", "state": "live"}),
            said,
        )
    )
    for models in (None, ["net"]):
        report = copy(source, target, models)
        found = content_of(target)["nodes"]
        assert found["Feature", "net/a:0"] == theirs | {"bias": 1.5}
        assert {id for _, id in found} == {"net", "other", "net/a:0", "net/a:1", "x"}
        assert {i.kind: i.there for i in report.kinds} == {"Model": 1, "Feature": 1}


def test_an_unknown_model_is_answered_with_near_names(embedded: Pair) -> None:
    source, target = embedded
    source.write(model("alexnet"))
    with pytest.raises(NotFoundError, match=r"'alexnt' in .*Did you mean 'alexnet'"):
        copy(source, target, ["alexnt"])
    with pytest.raises(NotFoundError, match="empty"):
        copy(target, source, ["alexnet"])
    assert content_of(target) == content([])


def test_other_weights_under_one_name_stop_a_copy_before_it_writes(pair: Pair) -> None:
    source, target = pair
    source.write(model("a", "net"))
    other = nodes("Model", {"id": "net", "fingerprint": "g", "source": "else"})
    target.write(other)
    for models in (None, ["net"], ["a", "net"]):
        with pytest.raises(ModelConflictError, match="'net' has other weights"):
            copy(source, target, models)
        assert content_of(target) == content([other])
    copy(source, target, ["a"])


def test_another_network_with_the_same_weights_stops_a_copy_before_it_writes(pair: Pair) -> None:
    source, target = pair
    alike = {"id": "net", "fingerprint": "f", "source": "else"}
    there = nodes("Model", alike | {"computation": "torch1:b"})
    source.write(together(nodes("Model", alike | {"computation": "torch1:a"})))
    target.write(there)
    with pytest.raises(ModelConflictError, match="'net' is another network with the same weights"):
        copy(source, target)
    assert content_of(target) == content([there])


def test_what_a_model_computes_goes_along_with_a_copy_and_comes_to_an_older_one(
    embedded: Pair,
) -> None:
    source, target = embedded
    alike = {"id": "net", "fingerprint": "f", "source": "else"}
    target.write(nodes("Model", alike))
    copy(target, source)
    assert content_of(source) == content_of(target)
    source.write(nodes("Model", alike | {"computation": "torch1:a"}))
    assert copy(source, target).copied == 1
    assert content_of(source) == content_of(target)
    older = nodes("Model", alike)
    source.write(older)
    assert copy(source, target).copied == 0


def test_a_store_is_not_copied_onto_itself(embedded: Pair, tmp_path: Path) -> None:
    source, _ = embedded
    source.write(model("net"))
    (tmp_path / "link").symlink_to(tmp_path / "source")
    for address in ("source/zoo.ckb", "source/../source/zoo.ckb", "link/zoo.ckb"):
        same = open_store(tmp_path / address)
        with pytest.raises(StoreError, match="onto itself"):
            copy(source, same)
        same.close()


def test_a_dry_run_says_what_would_go_and_writes_nothing(pair: Pair) -> None:
    source, target = pair
    source.write(everything(1))
    report = copy(source, Refusing(target), dry_run=True)
    assert report.copied == report.rows > 0
    assert (report.written, {i.there for i in report.kinds}) == ((), {0})
    assert content_of(target) == content([])
    copy(source, target, ["alex"])
    part_there = copy(source, Refusing(target), dry_run=True)
    assert 0 < part_there.copied < part_there.rows
    assert sum(i.there for i in part_there.kinds) == part_there.rows - part_there.copied


def test_a_dry_run_makes_no_knowledge_base(embedded: Pair, tmp_path: Path) -> None:
    source, target = embedded
    source.write(model("net"))
    copy(source, target, dry_run=True)
    assert list((tmp_path / "target").iterdir()) == []


def test_an_empty_knowledge_base_is_nothing_to_copy(embedded: Pair) -> None:
    source, target = embedded
    report = copy(source, target)
    assert (report.rows, report.kinds) == (0, ())
    assert "is empty" in " ".join(report.notes)


def test_progress_goes_from_nothing_to_all_and_never_back(embedded: Pair) -> None:
    source, target = embedded
    source.write(everything(1))
    told: list[tuple[str, float]] = []
    copy(source, target, progress=lambda doing, done: told.append((doing, done)))
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert [name for name in worlds.MODELS if not any(name in doing for doing, _ in told)] == []


class Through:
    """A store that passes everything on to another one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Refusing(Through):
    """A store that must not be written."""

    def write(self, rows: GraphRows, progress: Progress = silent) -> None:
        raise AssertionError("it was written")


class Changing(Through):
    """A store that writes something else than it was given."""

    def __init__(self, store: Store, change: Callable[[GraphRows], GraphRows]) -> None:
        super().__init__(store)
        self._change = change

    def write(self, rows: GraphRows, progress: Progress = silent) -> None:
        self._store.write(self._change(rows), progress)


def lose_a_weight(rows: GraphRows) -> GraphRows:
    return replace(rows, relations=[replace(i, table=i.table.slice(1)) for i in rows.relations])


def change_a_bias(rows: GraphRows) -> GraphRows:
    table = rows.nodes["Feature"]
    place = table.column_names.index("bias")
    bias = pa.chunked_array([[1e-9, *table["bias"].to_pylist()[1:]]])
    changed = table.set_column(place, table.schema.field("bias"), bias)
    return replace(rows, nodes={**rows.nodes, "Feature": changed})


def mix_kernels_up(rows: GraphRows) -> GraphRows:
    return replace(rows, kernels={"net": [connection("k", seed=1)]})


def lose_responses(rows: GraphRows) -> GraphRows:
    return replace(rows, responses={})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_a_weight, r"lacks 1 of 2 WEIGHT \(Feature to Feature\) .*net/a:0 net/a:1 c"),
        (change_a_bias, r"holds otherwise 1 of 2 Feature .*net/a:0"),
        (mix_kernels_up, r"holds otherwise 1 of 1 kernels .*'net'"),
        (lose_responses, r"lacks 1 of 1 responses .*'net'"),
    ],
)
def test_what_does_not_arrive_as_it_was_is_named(
    embedded: Pair, change: Callable[[GraphRows], GraphRows], message: str
) -> None:
    source, target = embedded
    place = {"model": "net", "layer": "a", "bias": 0.5}
    units = [{"id": f"net/a:{i}", "unit": i} | place for i in range(2)]
    ends = {"source": "net/a:0", "target": "net/a:1", "connection": "c"}
    source.write(
        together(
            model("net"),
            nodes("Feature", *units),
            relations("WEIGHT", "Feature", "Feature", ends, ends | {"connection": "d"}),
            GraphRows(kernels={"net": [connection("k")]}, responses={"net": responses()}),
        )
    )
    with pytest.raises(StoreError, match=message):
        copy(source, Changing(target, change))
    assert copy(source, target).copied == 1  # and again it is mended


class Interrupted(Through):
    """A store that a write of some model stops at, once."""

    def __init__(self, store: Store, model: str) -> None:
        super().__init__(store)
        self.model = model
        self.taken: list[Sequence[str]] = []

    def write(self, rows: GraphRows, progress: Progress = silent) -> None:
        names = rows.nodes["Model"]["id"].to_pylist() if "Model" in rows.nodes else []
        if self.model in names:
            self.model = ""
            raise KeyboardInterrupt
        self.taken.append(names)
        self._store.write(rows, progress)


def test_an_interrupted_copy_goes_on_with_what_is_not_there(pair: Pair) -> None:
    source, target = pair
    source.write(everything(4))
    stopping = Interrupted(target, "lite0")
    with pytest.raises(KeyboardInterrupt):
        copy(source, stopping)
    assert content_of(target) == part(4, "alex")
    report = copy(source, stopping)
    assert content_of(target) == content([everything(4)])
    assert stopping.taken == [["alex"], ["lite0"], ["lite1"], []]
    assert "alex" not in report.written


class Busy(Through):
    """A store that others write to while it is read, as often as told."""

    def __init__(self, store: Store, times: int) -> None:
        super().__init__(store)
        self.times = times

    def export(self, models: Sequence[str] | None = None) -> Iterator[GraphRows]:
        yield from self._store.export(models)
        if self.times:
            self.times -= 1
            raise StoreBusyError("Somebody wrote meanwhile.")


def test_a_source_that_changes_meanwhile_is_not_copied(embedded: Pair) -> None:
    source, target = embedded
    source.write(model("net"))
    with pytest.raises(StoreBusyError, match=r"changed while it was being copied.*again"):
        copy(Busy(source, 1), target)
    assert content_of(target) == content([])


def test_a_target_that_others_write_to_is_read_again(embedded: Pair) -> None:
    source, target = embedded
    source.write(model("net"))
    assert copy(source, Busy(target, 2)).copied == 1
    with pytest.raises(StoreBusyError):
        copy(source, Busy(target, 3))
