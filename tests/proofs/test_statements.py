"""Statements and boxes in words: they read back, and what is none is one line.

Costs about two seconds of a processor.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.proofs.box import Box
from circuitkb.proofs.statement import Comparison, Level, Statement, Term
from circuitkb.schema.errors import ProofError

names = st.one_of(
    st.sampled_from(["case 1", "case 12"]),
    st.builds(
        "{}:{}".format,
        st.from_regex(r"[a-z_][a-z0-9_.\-/]{0,12}", fullmatch=True),
        st.integers(0, 999),
    ),
)
terms = st.builds(
    Term,
    names,
    st.sampled_from([1.0, -1.0, 2.0, -0.5]),
    st.integers(-3, 3),
    st.integers(-3, 3),
)
levels = st.one_of(
    st.builds(Level, st.just("number"), st.floats(-100, 100).map(lambda one: round(one, 4))),
    st.builds(Level, st.just("share"), st.integers(0, 100).map(float)),
    st.sampled_from([Level("best"), Level("mean")]),
)
comparisons = st.builds(
    Comparison,
    st.lists(terms, min_size=1, max_size=3).map(tuple),
    st.sampled_from([">", ">=", "<", "<="]),
    levels,
)
conditions = st.lists(
    st.lists(comparisons, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3
).map(tuple)


@settings(max_examples=25, deadline=None)
@given(conditions, st.sampled_from(["target > 0", "target <= 2.5", "target >= best"]))
def test_a_statement_in_words_reads_back_to_the_same_value(when: object, then: str) -> None:
    said = Statement(when, Statement.parse("a:0 > 0", then).then)  # type: ignore[arg-type]
    assert Statement.parse(said.condition, str(said.then)) == said


def test_any_case_stands_for_each_case() -> None:
    said = Statement.parse("any case >= best and a:1 < 2", "target > 0", 2)
    assert said.condition == "case 1 >= best and a:1 < 2 or case 2 >= best and a:1 < 2"


@pytest.mark.parametrize(
    ("when", "then", "why"),
    [
        ("case 1 >=", "target > 0", "ends too early"),
        ("case 1 is large", "target > 0", "not understood from"),
        ("", "target > 0", "ends too early"),
        ("case 1 > 0", "a:3 > 0", "about the target"),
        ("case 1 > 0", "target > 0 or target < 1", "one comparison"),
        ("case 1 > 0", "2*target > 0", "about the target"),
        ("target > 0", "target > 0", "name features that it reads"),
        ("any case > 0", "target > 0", "There are no cases here"),
    ],
)
def test_what_is_no_statement_is_one_line(when: str, then: str, why: str) -> None:
    with pytest.raises(ProofError, match=why) as caught:
        Statement.parse(when, then)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", ["mean", "layers 4", "pixels; pixels in 0.25..0.5", "binary"])
def test_a_box_in_words_reads_back(words: str) -> None:
    assert str(Box.parse(words)) == words


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("layers 0", "no box"),
        ("everything", "no box"),
        ("range; others in 2..1", "The box is empty: nothing lies in 2..1"),
        ("range; others between 1 and 2", "are no limits"),
        ("range; others in a..b", "are no limits"),
        ("range; others in nan..1", "are no limits"),
    ],
)
def test_what_is_no_box_is_one_line(words: str, why: str) -> None:
    with pytest.raises(ProofError, match=why) as caught:
        Box.parse(words)
    assert "\n" not in str(caught.value)
