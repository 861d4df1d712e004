"""What counts as a rating, and what does not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from circuitkb.annotations.comparing.ratings import Ratings, from_rows, ratings
from circuitkb.annotations.comparing.vocabulary import declare
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store
from tests.annotations.rated import rated, unit
from tests.annotations.shared_records import by, feature, model_rows, record, take_in
from tests.stores.factories import FACTORIES, Factory


def cells(found: Ratings) -> dict[tuple[str, str], tuple[int, int]]:
    """Yes and raters of each cell in which somebody spoke of the concept."""
    counts = found.counts()
    return {
        (found.units[u].id, found.concepts[c]): (int(y), int(m))
        for u, c, y, m in zip(counts.unit, counts.concept, counts.yes, counts.raters, strict=True)
    }


def test_who_labels_a_unit_says_no_to_every_concept_that_they_do_not_give() -> None:
    found = rated([(0, "ada", "curve"), (0, "grace", "line"), (1, "ada", "curve")])
    assert cells(found) == {
        ("alpha/conv1:0", "curve"): (1, 2),
        ("alpha/conv1:0", "line"): (1, 2),
        ("alpha/conv1:1", "curve"): (1, 1),
    }


def test_a_review_that_disagrees_is_a_no_to_that_concept_alone() -> None:
    found = from_rows(
        [
            (unit(0), "ada", "human", "curve", "agree"),
            (unit(0), "grace", "human", "line", "agree"),
            (unit(0), "mary", "human", "curve", "disagree"),
        ]
    )
    assert cells(found) == {
        ("alpha/conv1:0", "curve"): (1, 3),
        ("alpha/conv1:0", "line"): (1, 2),
    }


def test_who_is_unsure_of_a_concept_does_not_rate_it() -> None:
    found = from_rows(
        [
            (unit(0), "ada", "human", "curve", "agree"),
            (unit(0), "grace", "human", "line", "agree"),
            (unit(0), "grace", "human", "curve", "unsure"),
            (unit(0), "mary", "human", "curve", "unsure"),
        ]
    )
    assert cells(found) == {
        ("alpha/conv1:0", "curve"): (1, 1),
        ("alpha/conv1:0", "line"): (1, 2),
    }


def test_counts_are_those_of_asking_every_rater_about_every_concept() -> None:
    rng = random.Random(5)
    for _ in range(20):
        rows = [
            (
                unit(rng.randrange(5)),
                f"rater-{rng.randrange(4)}",
                "human",
                rng.choice("abc"),
                rng.choice(("agree", "agree", "disagree", "unsure")),
            )
            for _ in range(40)
        ]
        expected = {}
        for number in range(5):
            here = [row for row in rows if row[0] == unit(number)]
            for concept in "abc":
                votes = []
                for rater in {row[1] for row in here}:
                    verdicts = {r[4] for r in here if r[1] == rater and r[3] == concept}
                    rates = any(r[4] == "agree" for r in here if r[1] == rater)
                    if "agree" in verdicts:
                        votes.append(1)
                    elif "disagree" in verdicts or ("unsure" not in verdicts and rates):
                        votes.append(0)
                if any(r[3] == concept for r in here):
                    expected[unit(number).id, concept] = (sum(votes), len(votes))
        assert cells(from_rows(rows)) == expected


@pytest.mark.parametrize("kind", FACTORIES[:2], ids=lambda kind: kind.name)
def test_a_store_of_either_kind_gives_live_labels_of_features_and_their_reviews(
    kind: Factory, tmp_path: Path
) -> None:
    with kind.held(tmp_path) as store:
        store.write(model_rows())
        only_live_labels_and_reviews(store, tmp_path)


def only_live_labels_and_reviews(store: Store, tmp_path: Path) -> None:
    first = canonical_record(record(label={"text": "Curve"}))
    gone = canonical_record(record(label={"text": "dog"}, author=by("bo")))
    take_in(
        store,
        [
            first,
            gone,
            record("retraction", target={"type": "annotation", "id": gone["id"]}, author=by("bo")),
            record(
                "review",
                target={"type": "annotation", "id": first["id"]},
                verdict="agree",
                author=by("grace"),
            ),
            record(
                "review",
                target={"type": "annotation", "id": first["id"]},
                verdict="disagree",
                author=by("explainer", "model"),
            ),
            record(label={"text": "curves"}, author=by("cleo"), target=feature(1)),
            record(
                label={"text": "bend", "concept": "curve"}, author=by("cleo"), target=feature(2)
            ),
            record(label={"text": "elsewhere"}, target=feature(0, model="beta")),
            record("role", label={"text": "case"}, author=by("cleo")),
        ],
        tmp_path,
    )
    found = ratings(store, models=["alpha"])
    assert cells(found) == {
        ("alpha/conv1:0", "Curve"): (2, 3),
        ("alpha/conv1:1", "curves"): (1, 1),
        ("alpha/conv1:2", "curve"): (1, 1),
    }
    assert cells(found.humans())["alpha/conv1:0", "Curve"] == (2, 2)
    path = tmp_path / "v.csv"
    path.write_text("concept,label\nbent,Curve\nbent,curves\n", encoding="utf-8")
    declare(store, path)
    assert ratings(store, models=["alpha"]).concepts == ("bent", "curve")
    assert ratings(store, models=["alpha"], by="label").concepts == (
        "free:Curve",
        "free:bend",
        "free:curves",
    )
    assert ratings(store, layers=["conv2"]).units == ()
