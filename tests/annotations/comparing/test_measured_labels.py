"""What measured orientation says of labels: all verdicts, against a computation of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations.comparing.measured_labels import measured_labels, of_feature
from circuitkb.annotations.comparing.vocabulary import declare
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.stores.base import Store
from tests.annotations.shared_records import by, feature, model_rows, record, take_in
from tests.stores.factories import FACTORIES, Factory

VOCABULARY = """\
concept,label,vocabulary,measure,expected,tolerance
line,oriented,,oriented,yes,
blob,blob,,oriented,no,
upright,upright,,orientation,170,20
flat,flat,,orientation,0,
colour,colour,,,,
"""
EXPECTED: dict[str, Any] = {
    "oriented": "yes",
    "blob": "no",
    "upright": (170.0, 20.0),
    "flat": (0.0, 15.0),
}


def observe(store: Store, angles: dict[int, float | None]) -> None:
    """Write evidence for units of alpha/conv1; the angle is None where it did not pass."""
    ids = {n: f"alpha/conv1:{n}" for n in angles}
    features = [
        {"id": ids[n], "model": "alpha", "layer": "conv1", "unit": n, "orientation": angle}
        for n, angle in angles.items()
    ]
    evidence = [
        {
            "id": f"orientation-{n}",
            "kind": "orientation-tuning",
            "method": "orientation-tuning",
            "stance": "neutral" if angle is None else "supports",
            "value": 0.5 + n,
            "null_mean": 0.25,
            "p": 0.01,
            "q": 0.5 if angle is None else 0.02,
        }
        for n, angle in angles.items()
    ]
    about = {
        "source": [e["id"] for e in evidence],
        "target": list(ids.values()),
        "role": ["unit"] * len(ids),
    }
    store.write(
        GraphRows(
            nodes={
                "Feature": node_table("Feature", rows_of(features)),
                "Evidence": node_table("Evidence", rows_of(evidence)),
            },
            relations=[Relations("ABOUT", "Evidence", "Feature", relation_table("ABOUT", about))],
        )
    )


def verdict(text: str, observed: bool, angle: float | None) -> str:
    """What the question should say, computed on the circle of axes."""
    if not observed:
        return "not measured"
    expected = EXPECTED[text]
    if expected == "no":
        return "agrees" if angle is None else "contradicts"
    if angle is None:
        return "not confirmed"
    if expected == "yes":
        return "agrees"
    at, tolerance = expected
    return "agrees" if min((angle - at) % 180, (at - angle) % 180) <= tolerance else "contradicts"


def tied(store: Store, folder: Path, labels: list[tuple[int, str]]) -> Store:
    store.write(model_rows())
    if labels:
        take_in(
            store, [record(target=feature(n), label={"text": text}) for n, text in labels], folder
        )
    path = folder / "vocabulary.csv"
    path.write_text(VOCABULARY, encoding="utf-8")
    declare(store, path)
    return store


pytestmark = pytest.mark.long_on_a_server


@pytest.fixture(params=FACTORIES[:2], ids=lambda kind: kind.name)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kind: Factory = request.param
    with kind.held(tmp_path) as store:
        yield store


def test_every_verdict_is_that_of_the_circle_of_axes(store: Store, tmp_path: Path) -> None:
    rng = random.Random(2)
    labels = [(n, text) for n in range(8) for text in (*EXPECTED, "colour")]
    tied(store, tmp_path, labels)
    seen = set()
    for _ in range(6):
        angles = {n: rng.choice((None, rng.uniform(0, 180), 5.0, 175.0)) for n in range(7)}
        observe(store, angles)
        # A store keeps the last orientation of a unit that no longer passes; the stance decides.
        result = measured_labels(store)
        found = {(row["feature"], row["label"]): row["verdict"] for row in result}
        assert found == {
            (f"alpha/conv1:{n}", text): verdict(text, n in angles, angles.get(n))
            for n, text in labels
            if text in EXPECTED
        }
        seen |= set(found.values())
    assert seen == {"agrees", "contradicts", "not confirmed", "not measured"}


def test_a_row_has_the_figures_of_the_evidence_and_what_was_expected(
    store: Store, tmp_path: Path
) -> None:
    tied(store, tmp_path, [(1, "flat"), (2, "blob"), (3, "oriented")])
    take_in(
        store, [record(target=feature(1), label={"text": "flat"}, author=by("grace"))], tmp_path
    )
    observe(store, {1: 40.0, 2: None})
    rows = {row["label"]: row for row in measured_labels(store)}
    assert rows["flat"] == {
        "feature": "alpha/conv1:1",
        "label": "flat",
        "said_by": ["ada", "grace"],
        "expected": "0° ± 15.0°",
        "measured": "40.0°",
        "verdict": "contradicts",
        "value": 1.5,
        "null_mean": 0.25,
        "p": 0.01,
        "q": 0.02,
    }
    assert (rows["blob"]["expected"], rows["blob"]["measured"]) == ("not oriented", "not oriented")
    assert (rows["oriented"]["measured"], rows["oriented"]["value"]) == (None, None)
    assert of_feature(store, "alpha/conv1:1")["label"] == ["flat"]
    assert measured_labels(store, label="BLO")["label"] == ["blob"]
    assert "contradicts: 1" in measured_labels(store).notes[0]


def test_no_rows_come_with_the_reason(store: Store, tmp_path: Path) -> None:
    assert "vocabulary file" in measured_labels(store).notes[0]
    tied(store, tmp_path, [])
    assert "No feature asked for" in measured_labels(store).notes[0]
