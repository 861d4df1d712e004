"""Edits in words read back to the same value, and clash in one line. Costs about 2 s."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitkb.schema.errors import TrialError
from circuitkb.trials.edits import Edit
from circuitkb.trials.single_changes import (
    Ablate,
    Change,
    Flip,
    Mirror,
    Put,
    Remove,
    Rotate,
    Scale,
    Swap,
    Unit,
)

units = st.builds(
    Unit, st.sampled_from(["a", "blocks.3.1.act1", "x/y:z", "odd;name"]), st.integers(0, 9999)
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
tables = st.integers(1, 4).flatmap(
    lambda wide: st.lists(st.tuples(*[numbers] * wide), min_size=1, max_size=4).map(tuple)
)
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(Remove, units, units),
    st.builds(Flip, units, units),
    st.builds(Scale, units, units, numbers),
    st.builds(Mirror, units, units, st.sampled_from(["left-right", "up-down"])),
    st.builds(Rotate, units, units, st.sampled_from([90, 180, 270])),
    st.builds(Put, units, units, tables),
    st.tuples(units, units, units)
    .filter(lambda some: some[0] != some[1])
    .map(lambda some: Swap(*some)),
    st.builds(Ablate, units, st.sampled_from(["zero", "mean"])),
    st.builds(Ablate, units, st.just("resampling"), st.integers(0, 10**9)),
)


@given(st.lists(changes, min_size=1, max_size=4), units)
def test_an_edit_in_words_reads_back_to_the_same_value(some: list[Change], target: Unit) -> None:
    try:
        edit = Edit.of(some)
    except TrialError:  # they clash
        return
    assert Edit.parse(str(edit)) == edit
    assert Edit.parse(edit.words(target), target) == edit
    assert Edit.of(reversed(some)) == edit
    assert hash(Edit.of(reversed(some))) == hash(edit)


def test_short_words_are_those_of_the_target() -> None:
    for words in (
        "remove layer:278",
        "scale layer:278 by 0.5",
        "swap layer:1 and layer:2",
        "mirror layer:3 left-right",
        "rotate layer:3 by 90",
        "flip layer:3",
        "set layer:3 to [[0, 1, 0], [1.5, -2, 1], [0, 1, 0]]",
        "ablate by zero",
        "ablate by resampling 7",
        "flip a:1; remove a:2",
    ):
        assert Edit.parse(words, "deep:5").words("deep:5") == words
    assert Edit.parse("ablate", "a:1") == Edit.of([Ablate(Unit("a", 1))])
    assert Edit.parse("remove m/a:1", "m/b:2", model="m") == Edit.parse("remove a:1 into b:2")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("remove a:1; scale a:1 by 2", "both change the edge from a:1 to b:7"),
        ("swap a:1 and a:2; remove a:2", "both change the edge from a:2 to b:7"),
        ("remove a:1; ablate b:7", "what leads into b:7 does not count"),
        ("ablate b:7; ablate b:7 by mean", "give one"),
        ("swap a:1 and a:1", "swapped with itself"),
        ("cut a:1", "begins with one of remove, flip"),
        ("mirror a:1 sideways", "write it as in 'mirror layer:3 left-right'"),
        ("scale a:1 by much", "'much' is no number"),
        ("scale a:1 by inf", "finite number"),
        ("rotate a:1 by 45", "90, 180 or 270"),
        ("set a:1 to [[1], [1, 2]]", "rows of one length"),
        ("remove a@pca:1", "only units can be edited"),
        ("remove a", "write it as in|it is written layer:unit"),
        ("", "begins with one of"),
    ],
)
def test_what_is_no_edit_is_one_line(words: str, why: str) -> None:
    with pytest.raises(TrialError, match=why) as raised:
        Edit.parse(words, "b:7")
    assert str(raised.value).count("\n") == 0


def test_an_edge_needs_a_target() -> None:
    with pytest.raises(TrialError, match="add 'into layer:unit'"):
        Edit.parse("remove a:1")
