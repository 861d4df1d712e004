"""One label, one review, one retraction: what somebody does who changes her mind."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuitkb.annotations.adding import add_label, retract, review
from circuitkb.annotations.comparing.consensus import consensus
from circuitkb.annotations.history import history
from circuitkb.schema.errors import AnnotationError, NotFoundError
from circuitkb.stores.base import Store
from tests.annotations.shared_records import store_at

UNIT = "alpha/conv1:0"
EDGE = "alpha/conv1:0 -> alpha/conv2:3"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_at(tmp_path / "labels.ckb")


def states(store: Store, kind: str = "label", of: str = UNIT) -> list[tuple[str, str]]:
    rows = history(store, of).to_dicts()
    return sorted((row["said"], row["state"]) for row in rows if row["kind"] == kind)


def live(store: Store, said: str) -> str:
    (id,) = (
        row["annotation"]
        for row in history(store, UNIT).to_dicts()
        if (row["said"], row["state"]) == (said, "live")
    )
    return str(id)


def test_who_goes_back_to_her_first_label_says_it_again(store: Store) -> None:
    add_label(store, UNIT, "curve", author="ada")
    first = live(store, "curve")
    add_label(store, UNIT, "line", author="ada", supersedes=[first])
    second = live(store, "line")
    assert add_label(store, UNIT, "curve", author="ada", supersedes=[second]).new == 1
    assert states(store) == [("curve", "live"), ("curve", "superseded"), ("line", "superseded")]
    again = add_label(store, UNIT, "curve", author="ada", supersedes=[second])
    assert (again.new, again.known) == (0, 1)


def test_what_was_taken_back_can_be_said_again_and_stays_taken_back(store: Store) -> None:
    for times in range(1, 4):
        assert add_label(store, UNIT, "curve", author="ada").new == 1
        assert add_label(store, UNIT, "curve", author="ada").known == 1
        retract(store, live(store, "curve"), author="ada")
        assert states(store) == [("curve", "retracted")] * times


def test_a_confidence_is_corrected_by_the_same_label_in_its_place(store: Store) -> None:
    add_label(store, UNIT, "curve", author="ada", confidence=0.5)
    first = live(store, "curve")
    add_label(store, UNIT, "curve", author="ada", confidence=0.9, supersedes=[first])
    assert states(store) == [("curve", "live"), ("curve", "superseded")]
    confidence = "MATCH (a:Annotation {id: $id}) RETURN a.confidence AS confidence"
    assert store.read(confidence, {"id": live(store, "curve")}).rows == [(0.9,)]


def test_the_last_of_ones_reviews_counts(store: Store) -> None:
    add_label(store, UNIT, "curve", author="ada")
    label = live(store, "curve")
    for verdict, votes in (("agree", 2), ("disagree", 1), ("agree", 2), ("unsure", 1)):
        assert review(store, label, verdict, author="grace").new == 1
        assert review(store, label, verdict, author="grace").known == 1
        told = states(store, "review")
        assert [said for said, state in told if state == "live"] == [verdict]
        assert yes(store) == votes
    review(store, label, "disagree", author="mary")
    assert [state for _, state in states(store, "review")].count("live") == 2


def yes(store: Store) -> int:
    (row,) = consensus(store, rule="any", least_raters=1)
    return int(row["for"])


def test_a_label_takes_the_place_of_one_that_is_here(store: Store) -> None:
    with pytest.raises(NotFoundError, match="ckb:no"):
        add_label(store, UNIT, "curve", author="ada", supersedes=["ckb:no"])
    assert states(store) == []


def test_the_history_of_an_edge_has_what_was_said_of_that_edge(store: Store) -> None:
    add_label(store, EDGE, "left view", author="ada", sign="excitatory")
    add_label(store, UNIT, "curve", author="ada")
    assert states(store, of=EDGE) == states(store, of=EDGE.replace(" ", ""))
    assert states(store, of=EDGE) == [("left view", "live")]
    assert states(store, of="alpha/conv1:1 -> alpha/conv2:3") == []
    with pytest.raises(NotFoundError, match="conv2:99"):
        history(store, "alpha/conv1:0 -> alpha/conv2:99")


def test_a_layer_that_is_not_there_is_refused_with_the_nearest(store: Store) -> None:
    with pytest.raises(AnnotationError, match=r"no layer 'conv3'\. Did you mean .*\?$"):
        add_label(store, "alpha/conv3:0", "curve", author="ada")
