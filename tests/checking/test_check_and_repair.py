"""A check says whether all of a knowledge base is what was written; a repair loses nothing more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.checking.graph import check_graph
from circuitkb.checking.report import CheckReport
from circuitkb.cli.app import app
from circuitkb.schema.errors import CapabilityError, StoreDamagedError, StoreNotFoundError
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.embedded.generations import Generation, generations_in
from tests.stores.contents import (
    connection,
    content_of,
    feature,
    network,
    nodes,
    pictures,
    responses,
    shown,
    together,
    values,
)

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


def rows() -> GraphRows:
    arrays = GraphRows(kernels={"net": [connection("k")]}, responses={"net": responses()})
    return together(network(), arrays, shown(pictures()))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two states, the first of which somebody reads."""
    path = tmp_path_factory.mktemp("written") / "zoo.ckb"
    store = open_store(path)
    store.write(rows())
    reader = store.stream("UNWIND range(1, 3) AS x RETURN x", rows=1)
    next(reader)
    store.write(together(nodes("Feature", feature(0, layer="b")), nodes("Label", label("l"))))
    assert [state.number for state in generations_in(path)] == [1, 2]
    copied = path.with_name("copy.ckb")
    shutil.copytree(path, copied)
    assert len(list(reader)) == 2
    store.close()
    return copied


def label(text: str) -> dict[str, str]:
    return {"id": text, "text": text}


@pytest.fixture
def place(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "zoo.ckb")
    return tmp_path / "zoo.ckb"


def damaged(report: CheckReport) -> list[str]:
    return [found.part for found in report.findings if found.damage]


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:110] = bytes(255 - byte for byte in content[100:110])
    path.write_bytes(content)


def graph_file(state: Generation) -> Path:
    return next(state.graph.glob("WEIGHT*.bucket"))


def older(place: Path) -> None:
    """Make the newest state one as an older version wrote it, and the only one."""
    first, state = generations_in(place)
    shutil.rmtree(first.path)
    (state.path / "checksums.json").unlink()
    state.lease_file.write_text("")


def test_a_whole_store_is_whole_in_every_part(place: Path) -> None:
    with ckb.open(place) as kb:
        reports = [kb.check(), ckb.check(place), ckb.check(place, repair=True)]
    for report in reports:
        assert report.whole
        assert report.repaired == ()
        looked_at = {found.part: found.looked_at for found in report.findings}
        assert looked_at["nodes"] == "10 nodes"
        assert looked_at["relations"] == "19 relations"
        assert looked_at["ends of relations"] == "38 ends"
        assert looked_at["ids"] == "9 ids"
        assert (looked_at["kernels"], looked_at["responses"]) == ("1 files", "1 files")
        files = [path for path in place.glob("generation-2/**/*") if path.is_file()]
        assert looked_at["generation-2"].startswith(f"{len(files) - 2} files")
        assert looked_at["earlier states"] == "generation-1"


def test_a_lost_pointer_is_set_again_and_nothing_is_lost(place: Path) -> None:
    before = content_of(open_store(place))
    (place / "CURRENT").unlink()
    assert damaged(ckb.check(place)) == ["CURRENT"]
    report = ckb.check(place, repair=True)
    assert report.whole
    assert report.repaired == ("CURRENT names generation-2 now. Nothing is lost.",)
    assert content_of(open_store(place)) == before


def test_the_newest_whole_state_counts_again_and_the_damaged_one_is_kept(place: Path) -> None:
    state = generations_in(place)[-1]
    spoil(graph_file(state))
    held = sorted(path.name for path in state.graph.iterdir())
    (place / "notes.txt").write_text("precious")
    assert damaged(ckb.check(place)) == [f"generation-2/graph/{graph_file(state).name}"]
    report = ckb.check(place, repair=True)
    assert report.whole
    assert report.repaired == (
        "CURRENT names generation-1 now. Lost is what was written after it: 1 Feature, 1 Label.",
        "generation-2, which is not whole, is kept as damaged-generation-2.",
    )
    store = open_store(place)
    assert values(store, COUNT) == [6]
    store.write(nodes("Label", label("later")))
    assert sorted(p.name for p in (place / "damaged-generation-2/graph").iterdir()) == held
    assert (place / "notes.txt").read_text() == "precious"
    assert ckb.check(place).whole


def test_where_no_state_is_whole_nothing_is_changed(place: Path) -> None:
    for state in generations_in(place):
        spoil(graph_file(state))
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    report = ckb.check(place, repair=True)
    assert not report.whole
    assert report.repaired[0].startswith("No state is whole, so nothing was changed")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("text", [None, "", '{"format": "circ'])
def test_a_lost_card_is_written_anew(place: Path, text: str | None) -> None:
    before = content_of(open_store(place))
    card = (place / "store.json").read_text()
    (place / "store.json").unlink()
    if text is not None:
        (place / "store.json").write_text(text)
    assert damaged(ckb.check(place))[0] == "store.json"
    report = ckb.check(place, repair=True)
    assert report.whole
    assert report.repaired == ("store.json was written anew.",)
    assert (place / "store.json").read_text() == card
    assert content_of(open_store(place)) == before


@pytest.mark.parametrize("kind", ARRAY_KINDS)
@pytest.mark.parametrize("lost", [False, True])
def test_damaged_arrays_are_set_aside_and_come_back_when_given_again(
    place: Path, kind: str, lost: bool
) -> None:
    (path,) = (place / kind).iterdir()
    path.unlink() if lost else spoil(path)
    report = ckb.check(place, repair=True)
    (found,) = (item for item in report.findings if item.damage and item.part != "nodes")
    assert found.part == f"{kind}/{path.name}"
    assert "of net" in found.found
    aside = [] if lost else [f"{path.name}.damaged"]
    assert [item.name for item in (place / kind).iterdir()] == aside
    store = open_store(place)
    assert values(store, COUNT) == [7], "the graph is whole"
    store.write(rows())
    assert ckb.check(place).whole
    assert getattr(store, kind)("net/dogs" if kind == "pictures" else "net")


def test_an_older_store_says_that_it_has_no_checksums_and_gets_them(place: Path) -> None:
    older(place)
    report = ckb.check(place)
    assert report.whole
    assert "no checksums: made by an older version" in " ".join(f.found for f in report.findings)
    open_store(place).write(nodes("Label", label("later")))
    assert not any("no checksums" in found.found for found in ckb.check(place).findings)
    counts = open_store(place).recorded_counts()
    assert counts is not None
    assert (counts["Label"], counts["Feature"], counts["WEIGHT"]) == (2, 7, 12)


def test_an_older_store_without_a_pointer_is_mended_if_it_adds_up(place: Path) -> None:
    older(place)
    (place / "CURRENT").unlink()
    shutil.copytree(place, place.with_name("other.ckb"))
    assert ckb.check(place, repair=True).whole
    assert values(open_store(place), COUNT) == [7]
    (state,) = generations_in(place.with_name("other.ckb"))
    bucket = next(state.graph.glob("Feature_0.*.bucket"))
    bucket.write_bytes(bytes(len(bucket.read_bytes())))
    report = ckb.check(place.with_name("other.ckb"), repair=True)
    assert not report.whole
    assert report.repaired[0].startswith("No state is whole")


def test_pages_that_an_older_store_lost_are_found_by_what_refers_to_them(place: Path) -> None:
    older(place)
    (state,) = generations_in(place)
    bucket = next(state.graph.glob("Feature_0.*.bucket"))
    bucket.write_bytes(bytes(len(bucket.read_bytes())))
    report = ckb.check(place)
    assert damaged(report) == ["generation-2/graph"]
    with pytest.raises(StoreDamagedError):
        next(open_store(place).export())


def test_counts_and_ids_are_held_against_what_they_must_be(tmp_path: Path) -> None:
    store = open_store(tmp_path / "zoo.ckb")
    wrong = {"id": "net/a:7", "model": "net", "layer": "a", "unit": 8}
    based = {"id": "net/a@nmf:3", "model": "net", "layer": "a", "unit": 3, "basis": "nmf"}
    told = {"id": "told", "fingerprint": "f", "source": "t", "features": 5, "edges_kept": 0}
    store.write(
        together(nodes("Feature", feature(0, layer="b"), wrong, based), nodes("Model", told))
    )
    found = {item.part: item for item in check_graph(store, {"Feature": 4, "Model": 1, "BY": 2})}
    assert found["nodes"].found == "3 of 4 Feature"
    assert found["relations"].found == "0 of 2 BY"
    assert not found["ends of relations"].damage
    assert found["ids"].found == "1 Feature, as 'net/a:7' are no ids of what they name"
    assert found["models"].found == "told has 0 of 5 features"


def test_the_command_ends_with_0_3_or_2(place: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["check", *arguments, "--kb", str(place)])
        return result.exit_code, result.output

    code, out = run()
    assert code == 0
    assert "whole" in out
    (place / "CURRENT").write_text("generation-9")
    code, out = run("--format", "json")
    assert code == 3
    (row,) = (row for row in json.loads(out[: out.rindex("]") + 1]) if row["state"] == "damaged")
    assert row["part"] == "CURRENT"
    assert row["found"] == "CURRENT names no state that is there"
    assert row["to_do"] == "circuitkb check --repair"
    code, out = run("--repair")
    assert code == 0
    assert "CURRENT names generation-2 now" in out
    assert CliRunner().invoke(app, ["check", "--kb", f"{place}.none"]).exit_code == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda place: ckb.check(place / "none.ckb"), StoreNotFoundError),
        (lambda place: ckb.check("bolt://localhost:1", repair=True), CapabilityError),
    ],
)
def test_what_cannot_be_checked_is_refused(
    place: Path, change: Callable[[Path], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        change(place)
