"""Lists as values: equal where they ask the same, and refused where they cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

import circuitkb as ckb
from circuitkb.errors import QueryError
from circuitkb.queries.lists.criteria import Annotations, Edges, Features

KB = ckb.KnowledgeBase(cast(Any, None))
"""A list says what is wanted; it needs a store only when it runs."""


@pytest.mark.parametrize(
    ("make_list", "message"),
    [
        (lambda: Features().where(orientation="steep"), "orientation is 'steep': it must be a num"),
        (lambda: Features().where(orientation=True), "must be a number"),
        (lambda: Features().where(orientation=None), "ask missing"),
        (lambda: Features().where(orientation=float("nan")), "no finite number"),
        (lambda: Features().where(layer=ckb.near(1, 2)), "is no number"),
        (lambda: Features().where(unit=ckb.containing("a")), "unit is 'a'"),
        (lambda: Features().where("unit", "~", 3), "'~' is no operator"),
        (lambda: Features().where("unit"), "say how it is compared"),
        (lambda: ckb.near(1, -2), "a number from 0"),
        (lambda: ckb.near("a", 2), "no finite number"),
        (lambda: ckb.one_of(), "without values"),
        (lambda: ckb.near(1, 2) | 3, "no predicate"),
        (lambda: Features() | 3, "only such lists combine"),
        (lambda: Edges(sign="up"), "sign is 'up'"),
        (lambda: Edges(top=0), "top is 0"),
        (lambda: KB.features().paths("m/a:0", max_length=5), "1 to 4"),
        (lambda: KB.features().paths("m/a:0", top=5), "only the weight itself"),
        (lambda: KB.features().common_inputs(at_least=0), "at_least is 0"),
        (lambda: KB.features().transforms(3), "is no transform"),
        (lambda: Annotations(state="lively"), "state is 'lively'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_runs(
    make_list: Callable[[], Any], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        make_list()


def test_lists_are_values() -> None:
    one, same = (Features(layer="a").where(orientation=ckb.near(45, 15)) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != one.limited(3)
    inputs = [KB.features(layer="a").inputs(top=3).criteria for _ in range(2)]
    assert inputs[0] == inputs[1]
