"""What raters agree on, by each rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuitkb.annotations.comparing.consensus import Rule, consensus, consensus_of
from circuitkb.schema.errors import QueryError
from tests.annotations.rated import rated
from tests.annotations.shared_records import by, feature, record, store_at, take_in

SAID = [
    (0, "ada", "curve"),
    (0, "grace", "curve"),
    (0, "mary", "line"),  # two of three
    (1, "ada", "dog"),
    (1, "grace", "dog"),  # both
    (2, "ada", "dog"),
    (2, "grace", "cat"),  # half each
    (3, "ada", "eye"),  # one rater
]


@pytest.mark.parametrize(
    ("rule", "least", "expected"),
    [
        ("majority", 2, [(0, "curve"), (1, "dog")]),
        ("unanimous", 2, [(1, "dog")]),
        ("unanimous", 1, [(1, "dog"), (3, "eye")]),
        ("any", 2, [(0, "curve"), (0, "line"), (1, "dog"), (2, "cat"), (2, "dog")]),
        ("majority", 3, [(0, "curve")]),
    ],
)
def test_each_rule_accepts_what_it_says(
    rule: Rule, least: int, expected: list[tuple[int, str]]
) -> None:
    result = consensus_of(rated(SAID), rule, least)
    assert list(zip(result["unit"], result["concept"], strict=True)) == expected
    assert set(result["rule"]) == {rule}


def test_a_row_has_the_votes_on_both_sides() -> None:
    (first, _) = consensus_of(rated(SAID), "majority", 2)
    assert (first["for"], first["against"], first["raters"]) == (2, 1, 3)
    assert first["share"] == pytest.approx(2 / 3)


def test_units_without_consensus_are_counted_and_the_rule_is_stated() -> None:
    rule, left = consensus_of(rated(SAID), "majority", 2).notes
    assert "more than half" in rule
    assert left.startswith("2 of 4 rated units have a consensus")
    assert "1 of them" in left


def test_an_unknown_rule_is_refused_by_name() -> None:
    with pytest.raises(QueryError, match="majority, unanimous, any"):
        consensus_of(rated(SAID), "most")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="from 1"):
        consensus_of(rated(SAID), "any", 0)


def test_a_view_of_a_store_changes_nothing_in_it(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    take_in(
        store,
        [record(target=feature(n), author=by(who)) for n in (0, 1) for who in ("ada", "grace")],
        tmp_path,
    )
    count = "MATCH (n) RETURN count(n) AS n"
    before = store.read(count).rows
    assert consensus(store)["feature"] == ["alpha/conv1:0", "alpha/conv1:1"]
    assert store.read(count).rows == before
    store.close()
