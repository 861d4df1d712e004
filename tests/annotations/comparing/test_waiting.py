"""Labels of a model that is not loaded count nowhere yet, and whoever compares is told so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.annotations.comparing.agreement import OVERALL
from circuitkb.annotations.comparing.waiting import waiting
from circuitkb.cli.app import app
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.schema.errors import NotFoundError
from circuitkb.stores import open_store
from tests.annotations.shared_records import (
    MODELS,
    by,
    feature,
    model_rows,
    record,
    store_at,
    take_in,
    unit,
)

ADA, BOB = ("curve", "curve", "line", "curve"), ("curve", "curve", "line", "line")


def labels(model: str = MODELS[0]) -> list[dict[str, Any]]:
    return [
        record(target=feature(number, model=model), author=by(who), label={"text": text})
        for who, said in (("ada", ADA), ("bob", BOB))
        for number, text in enumerate(said)
    ]


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with ckb.open(tmp_path / "kb.ckb") as base:
        yield base


def test_labels_of_two_people_wait_for_their_model_and_count_once_it_is_there(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    take_in(kb.store, labels(), tmp_path)
    report = kb.annotate.agreement(resamples=100)
    note = "8 labels wait for alpha, which is not loaded: circuitkb load SOURCE --name alpha"
    assert report.to_result().notes[0] == note
    assert [row["waiting"] for row in report.to_result()] == [8, 8]
    assert report.overall().why == "fewer than two raters; 8 labels wait"
    assert kb.annotate.consensus().notes[0] == note
    assert kb.annotate.waiting() == (note,)
    kb.store.write(model_rows())
    take_in(kb.store, [record(target=feature(7), author=by("ada"))], tmp_path)
    report = kb.annotate.agreement(resamples=100)
    # Two raters of four units, one apart: observed 1/4, expected 2 x 5 x 3 / (8 x 7).
    assert report.overall().alpha == pytest.approx(1 - (1 / 4) / (30 / 56))
    assert report.overall().alpha == pytest.approx(0.5333, abs=1e-4)
    assert report.notes == ()
    assert {row["waiting"] for row in report.to_result()} == {0}


def test_what_waits_is_counted_by_concept_by_rater_by_model_and_by_layer(tmp_path: Path) -> None:
    store = open_store(tmp_path / "kb.ckb")
    gone = [
        record(
            target=feature(number, model=model, layer=layer),
            author=by(who, kind),
            label={"text": text},
        )
        for model, layer, number, who, kind, text in (
            ("gamma", "conv1", 0, "ada", "human", "curve"),
            ("gamma", "conv2", 1, "explainer", "model", "curve"),
            ("delta", "conv1", 0, "ada", "human", "line"),
            ("alpha", "conv1", 99, "ada", "human", "line"),
        )
    ]
    edge = {"type": "edge", "source": unit(0, model="gamma"), "target": unit(1, model="gamma")}
    take_in(store, [*gone, record(target=edge), record(target=feature(0))], tmp_path)
    assert waiting(store).count() == 5  # of the edge, nobody rates a feature by it
    store.write(model_rows())
    take_in(store, [record(target=feature(1))], tmp_path)  # what was waited for is found now
    found = waiting(store)
    assert (found.count(), found.count("curve"), found.count("line", "human")) == (4, 2, 2)
    assert found.count("curve", "human") == 1
    assert waiting(store, layers=["conv2"]).count() == 1
    assert waiting(store, models=["alpha"]).notes == (
        "1 label waits for a unit of alpha that it does not have, as alpha/conv1:99",
    )
    assert [note.split(",")[0] for note in found.notes] == [
        "2 labels wait for gamma",
        "1 label waits for a unit of alpha that it does not have",
        "1 label waits for delta",
    ]
    store.close()


def test_models_that_come_with_the_package_are_named_as_they_are_loaded(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    names = ("inceptionv1", "efficientnet_lite0", "mine", "other", "third")
    take_in(kb.store, [record(target=feature(0, model=name)) for name in names], tmp_path)
    assert [note.partition(": ")[2] for note in kb.annotate.waiting()] == [
        "circuitkb load efficientnet_lite0",
        "circuitkb load published:inceptionv1",
        "circuitkb load SOURCE --name mine",
        "circuitkb ask pending",
    ]


@pytest.mark.parametrize("command", ["agreement", "consensus", "disagreements"])
def test_each_command_that_compares_says_that_labels_wait(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ckb.open(tmp_path / "kb.ckb") as base:
        take_in(base.store, labels(), tmp_path)
    with pytest.raises(SystemExit) as stopped:
        app(["annotate", command, "--format", "json", "--kb", str(tmp_path / "kb.ckb")])
    printed = capsys.readouterr()
    assert stopped.value.code in (0, None)
    assert printed.err.count("8 labels wait for alpha, which is not loaded") == 1
    rows = json.loads(printed.out)
    if command == "agreement":
        assert [(row["concept"], row["waiting"]) for row in rows] == [(OVERALL, 8)] * 2


def test_a_model_or_layer_that_is_nowhere_is_refused_in_python_too(tmp_path: Path) -> None:
    from circuitkb.annotations.comparing.agreement import agreement
    from circuitkb.annotations.comparing.consensus import consensus
    from circuitkb.annotations.comparing.measured_labels import measured_labels

    store = store_at(tmp_path / "kb.ckb")
    for compare in (agreement, consensus, measured_labels):
        with pytest.raises(NotFoundError, match=r"No model 'alhpa' here.*alpha"):
            compare(store, models=["alhpa"])
        with pytest.raises(NotFoundError, match="No layer 'conv9'"):
            compare(store, layers=["conv9"])
    store.close()
