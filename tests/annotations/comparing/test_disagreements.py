"""Disagreement is told side by side, never averaged; and who labelled, what is stale or waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.queries.questions.catalogue import find
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store
from tests.annotations.shared_records import (
    FINGERPRINT,
    by,
    feature,
    model_rows,
    record,
    take_in,
    unit,
)
from tests.stores.factories import FACTORIES, Factory

CONTESTED = "urn:uuid:00000000-0000-4000-8000-000000000009"
WAITING = "ckb:" + "0" * 32

pytestmark = pytest.mark.long_on_a_server


def of(id: str) -> dict[str, Any]:
    return {"type": "annotation", "id": id}


def answer(store: Store, name: str, **given: Any) -> list[dict[str, Any]]:
    statement = find(name).bind(given)
    found = store.read(statement.text, statement.parameters)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


@pytest.fixture(scope="module", params=FACTORIES[:2], ids=lambda kind: kind.name)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("disagreements")
    kind: Factory = request.param
    with kind.held(folder) as store:
        fill(store, folder)
        yield store


def fill(store: Store, folder: Path) -> None:
    store.write(model_rows())
    old = canonical_record(record(target=feature(3), label={"text": "first"}, author=by("cleo")))
    reviewed = canonical_record(record(target=feature(2), label={"text": "wheel"}))
    take_in(
        store,
        [
            record(),  # ada: curve
            record(author=by("grace"), label={"text": "line"}),
            record(author=by("grace"), label={"text": "curve"}),
            # The same two words by two people, and one word by two people: nobody disagrees.
            *[
                record(target=feature(1), author=by(who), label={"text": text})
                for who in ("ada", "grace")
                for text in ("dog", "head")
            ],
            reviewed,
            record("review", target=of(reviewed["id"]), verdict="disagree", author=by("grace")),
            record("review", target=of(reviewed["id"]), verdict="agree", author=by("mary")),
            old,
            *[
                record(
                    target=feature(3),
                    label={"text": text},
                    author=by("cleo"),
                    supersedes=[old["id"]],
                )
                for text in ("second", "third")
            ],
            record(id=CONTESTED, target=feature(4), label={"text": "cat"}),
            record(id=CONTESTED, target=feature(4), label={"text": "dog"}),
            record(target=feature(5, fingerprint="a" * 64), label={"text": "old"}),
            record(target=feature(6, fingerprint=FINGERPRINT), label={"text": "new"}),
            record(target=feature(0, model="beta"), label={"text": "arc"}),
            record(target=feature(0, model="beta"), label={"text": "bow"}, author=by("grace")),
            record("review", target=of(WAITING), verdict="unsure", author=by("grace")),
            record(
                "claim",
                target={"type": "edge", "source": unit(1), "target": unit(2, layer="conv2")},
                text="excites",
                author=by("cleo"),
            ),
        ],
        folder,
    )


def test_features_with_different_concepts_show_who_says_what(store: Store) -> None:
    (first, second) = (r for r in answer(store, "disagreements") if r["kind"] == "labels")
    assert first == {
        "kind": "labels",
        "target": "alpha/conv1:0",
        "model": "alpha",
        "said": ["curve — ada", "curve — grace", "line — grace"],
        "annotators": ["ada", "grace"],
        "count": 2,
    }
    assert second["target"] == "beta/conv1:0"


def test_a_review_that_disagrees_stands_beside_what_it_is_about(store: Store) -> None:
    (row,) = (r for r in answer(store, "disagreements") if r["kind"] == "review")
    assert row["target"] == "alpha/conv1:2"
    assert row["said"] == ["wheel — ada", "agree — mary", "disagree — grace"]
    assert (row["annotators"], row["count"]) == (["ada", "mary", "grace"], 1)


def test_two_edits_of_one_annotation_are_a_fork(store: Store) -> None:
    (row,) = (r for r in answer(store, "disagreements") if r["kind"] == "fork")
    assert (row["said"], row["count"]) == (["second — cleo", "third — cleo"], 2)


def test_an_id_that_stands_for_two_statements_is_contested(store: Store) -> None:
    (row,) = (r for r in answer(store, "disagreements") if r["kind"] == "contested")
    assert (row["target"], row["count"]) == (CONTESTED, 2)
    assert ["cat" in text for text in row["said"]] == [True, False]


def test_models_layers_and_labels_narrow_it(store: Store) -> None:
    assert [r["target"] for r in answer(store, "disagreements", models=["beta"])] == [
        "beta/conv1:0"
    ]
    assert [r["kind"] for r in answer(store, "disagreements", label="WHEEL")] == ["review"]
    assert [r["kind"] for r in answer(store, "disagreements", label="line")] == ["labels"]
    assert answer(store, "disagreements", layers=["conv2"]) == []


def test_who_labelled_counts_live_annotations_by_annotator_model_and_kind(store: Store) -> None:
    rows = {
        (r["annotator"], r["model"], r["kind"]): (r["annotations"], r["features"])
        for r in answer(store, "who-labelled")
    }
    assert rows == {
        ("ada", "alpha", "label"): (6, 5),
        ("grace", "alpha", "label"): (4, 2),
        ("cleo", "alpha", "label"): (2, 1),
        ("cleo", "alpha", "claim"): (1, 2),
        ("ada", "beta", "label"): (1, 1),
        ("grace", "beta", "label"): (1, 1),
    }


def test_stale_is_what_was_made_on_other_weights(store: Store) -> None:
    (row,) = answer(store, "stale")
    assert (row["feature"], row["text"], row["said_by"]) == ("alpha/conv1:5", "old", ["ada"])
    assert (row["made_on"], row["here"]) == ("a" * 64, FINGERPRINT)


def test_pending_names_what_is_waited_for(store: Store) -> None:
    assert answer(store, "pending") == [
        {"awaiting": "annotation", "awaits": WAITING, "annotations": 1, "said_by": ["grace"]}
    ]
