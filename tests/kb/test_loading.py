"""A load from Python: what is there already, what is another network, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import ModelConflictError, SourceError
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.tables import GraphRows, node_table, rows_of


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        yield kb


@dataclass
class MadeUp:
    """A source that composes nothing: it says how often it was asked to."""

    name: str = "net"
    fingerprint: str = "f" * 64
    computation: str | None = "torch1:a"
    layer: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    composed: list[int] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)
    not_composed: tuple[str, ...] = ()

    def rows(self, keep: int = 64, progress: Progress = silent) -> GraphRows:
        self.composed.append(keep)
        row = {"id": self.name, "fingerprint": self.fingerprint, "source": "x", "keep": keep}
        row |= {"computation": self.computation, "not_composed": list(self.not_composed)}
        row |= {"features": 40, "without_inputs": sum(one["units"] for one in self.missing)}
        rows = {"Model": node_table("Model", {k: [v] for k, v in row.items()})}
        if self.missing:
            summary = json.dumps({"missing_inputs": self.missing})
            record = {"id": f"load-{self.name}", "kind": "load", "summary": summary}
            rows["Import"] = node_table("Import", {k: [v] for k, v in record.items()})
        if self.layer:
            rows["Layer"] = node_table("Layer", rows_of(self.layers()))
        return GraphRows(rows)

    def layers(self) -> list[dict[str, Any]]:
        place = {"id": f"{self.name}/a", "model": self.name, "name": "a"}
        return [place | {"position": 0, "channels": 3} | self.layer]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    made_up = MadeUp()

    def open_source(
        text: str, *, name: str | None = None, architecture: str | None = None
    ) -> MadeUp:
        made_up.name = name or "net"
        return made_up

    monkeypatch.setattr("circuitkb.loaders.open_source", open_source)
    return made_up


def test_a_first_load_writes_the_model_and_says_what(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    report = empty.load("anything", keep=7)
    assert (report.name, report.created, report.keep, report.counts) == (
        "net",
        True,
        7,
        {"Model": 1},
    )
    assert source.composed == [7]
    assert [row["model"] for row in empty.models()] == ["net"]


def test_the_same_weights_again_change_nothing_and_compose_nothing(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    empty.load("anything")
    report = empty.load("anything")
    assert not report.created
    assert report.message == "net is there already: nothing changed."
    assert source.composed == [64]


def test_the_same_weights_with_another_keep_change_nothing_and_say_which_is_stored(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    empty.load("anything", keep=8)
    report = empty.load("anything", keep=16)
    assert (report.created, report.keep) == (False, 8)
    assert "with 8 inputs of each unit, not 16: nothing changed" in report.message
    assert source.composed == [8]


def test_other_weights_under_the_same_name_are_refused_before_they_are_composed(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    empty.load("anything")
    source.fingerprint = "0" * 64
    with pytest.raises(ModelConflictError, match="under another name, with --name"):
        empty.load("anything")
    assert source.composed == [64]
    assert empty.load("anything", name="other").created
    assert [row["model"] for row in empty.models()] == ["net", "other"]


def test_another_network_with_the_same_weights_is_refused_before_it_is_composed(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    empty.load("anything")
    source.computation = "torch1:b"
    with pytest.raises(ModelConflictError, match=r"another network with the same weights.*--name"):
        empty.load("anything")
    assert source.composed == [64]
    assert empty.load("anything", name="other").created


def test_a_model_of_an_older_store_is_told_by_its_layers(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    source.computation, source.layer = None, {"kind": "relu", "height": 7, "width": 7}
    empty.load("anything")
    source.computation = "torch1:a"
    assert empty.load("anything").message == "net is there already: nothing changed."
    source.layer = {"kind": "leaky_relu", "height": 7, "width": 7}
    with pytest.raises(ModelConflictError, match="layer 'a' is relu there, leaky_relu in this one"):
        empty.load("anything")
    assert source.composed == [64]


def test_layers_that_an_older_version_did_not_find_or_cut_otherwise_make_no_other_network(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    source.computation, source.layer = None, {"kind": "relu", "height": None, "channels": 1029}
    empty.load("anything")
    source.computation, source.layer = "torch1:a", {"kind": "output", "height": 3, "width": 3}
    assert not empty.load("anything").created


def test_a_keep_that_keeps_nothing_is_refused(empty: ckb.KnowledgeBase) -> None:
    with pytest.raises(SourceError, match="keep is 0"):
        empty.load("published:inceptionv1", keep=0)


def test_progress_goes_forward_to_the_whole(empty: ckb.KnowledgeBase) -> None:
    said: list[float] = []
    empty.load("published:inceptionv1", progress=lambda doing, done: said.append(done))
    assert said == sorted(said)
    assert said[-1] == 1.0


def test_published_circuits_are_kept_whole_whatever_is_asked(empty: ckb.KnowledgeBase) -> None:
    first = empty.load("published:inceptionv1", keep=1)
    assert (first.keep, first.counts["WEIGHT"]) == (None, 532)
    assert empty.load("published:inceptionv1", keep=2).message == (
        "inceptionv1 is there already: nothing changed."
    )


def lacking(layer: str, units: int, of: int, *why: str) -> dict[str, Any]:
    return {"layer": layer, "units": units, "of": of, "why": list(why)}


def test_a_load_ends_with_the_units_that_have_no_inputs_where_and_why(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    left_out = "edges into head are left out: they predict its values with an error of 9%"
    source.missing = [
        lacking("gate", 1000, 1000, "gate (softmax)"),
        lacking("mix", 3, 8, "a (pad)", "b (sort)"),
        lacking("late", 0, 5, "c (attention)"),
        lacking("head", 10, 10, left_out),
    ]
    gated = "gated edges into mix are off by 4% of the spread of its values"
    source.not_composed = ("no edges through gate (softmax), on the way to gate", left_out, gated)
    report = empty.load("anything")
    assert report.notes == (
        "1,013 of 40 units have no inputs, in 3 layers:",
        "gate: none of its 1,000 units has inputs: gate (softmax)",
        "mix: 3 of 8 units have none: a (pad); b (sort)",
        f"head: none of its 10 units has inputs: {left_out}",
        "some paths into 1 layer were not composed:",
        "late: c (attention)",
        gated,
    )
    assert report.without_inputs == {"gate": 1000, "mix": 3, "head": 10}
    assert report.not_composed == source.not_composed
    (row,) = report.to_result().to_dicts()
    assert row["units_without_inputs"] == 1013
    assert row["without_inputs"] == {"gate": 1000, "mix": 3, "head": 10}
    assert row["not_composed"] == list(source.not_composed)
    json.dumps(row)
    assert [row["without_inputs"] for row in empty.models()] == [1013]


def test_a_load_without_anything_missing_ends_without_a_word_and_many_layers_are_cut(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    assert empty.load("anything").notes == ()
    source.fingerprint = "e" * 64
    source.missing = [lacking(f"l{number}", 1, 1, "x") for number in range(9)]
    source.not_composed = tuple(f"edges into l{number} are off" for number in range(9))
    notes = empty.load("anything", name="other").notes
    assert len(notes) == 1 + 6 + 1 + 6 + 1
    assert notes[7] == "circuitkb show other lists all that was not composed."
    assert notes[-1] == "... and 3 more like these"


def test_a_model_of_before_has_null_units_without_inputs(empty: ckb.KnowledgeBase) -> None:
    row = {"id": "old", "fingerprint": "f", "source": "s"}
    empty.store.write(GraphRows({"Model": node_table("Model", {k: [v] for k, v in row.items()})}))
    assert [row["without_inputs"] for row in empty.models()] == [None]


def test_the_same_weights_under_another_name_are_told(
    empty: ckb.KnowledgeBase, source: MadeUp
) -> None:
    assert empty.load("anything", name="one").notes == ()
    assert empty.load("anything", name="two").notes == (
        "two is the same network, with the same weights, as one.",
    )
    source.computation = "torch1:b"
    assert empty.load("anything", name="three").notes == (
        "three computes something else with the same weights as one, two.",
    )
    source.computation = None
    assert "four has the same weights as" in empty.load("anything", name="four").notes[0]
    source.fingerprint = "e" * 64
    assert empty.load("anything", name="five").notes == ()
