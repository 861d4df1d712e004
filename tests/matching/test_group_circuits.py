"""Analogous groups of units: every part of one has its like in the other, and none is left over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitkb.matching.circuits import GROUP_NULLS, CircuitMatches
from circuitkb.matching.match import match
from circuitkb.matching.parts import PartedCircuit
from circuitkb.schema.responses import Responses
from tests.matching.two_models import STIMULI, responses

KIND = "analogous-groups"
Groups = Sequence[dict[tuple[str, int], tuple[int, ...]]]
"""For each group the kinds of the units of each part."""


def model(name: str, seed: int, groups: Groups) -> tuple[Responses, list[PartedCircuit]]:
    """A model with one unit for each member; kinds answer alike in all models, but for noise."""
    kinds = np.random.default_rng(5).normal(size=(400, STIMULI))
    rng = np.random.default_rng(seed)
    wanted = [kind for group in groups for part in group.values() for kind in part]
    order = rng.permutation(len(wanted))
    after = kinds[np.array(wanted)] + 0.25 * rng.normal(size=(len(wanted), STIMULI))
    unit = np.argsort(order).tolist()
    rows = iter(unit)
    circuits = [
        PartedCircuit(
            f"{name}-{place}",
            {part: tuple(f"{name}/a:{next(rows)}" for _ in of) for part, of in group.items()},
        )
        for place, group in enumerate(groups)
    ]
    return responses(after[order], rng.normal(size=after.shape)), circuits


def matched(one: Groups, other: Groups) -> CircuitMatches:
    first, second = model("m", 1, one), model("k", 2, other)
    return match(first[0], second[0], circuits={KIND: (first[1], second[1])}).circuits[KIND]


def names(found: CircuitMatches) -> set[tuple[str, str]]:
    kept = found.pairs[:, found.found].T.tolist()
    return {(found.first[one], found.second[other]) for one, other in kept}


def family(start: int, size: int) -> dict[tuple[str, int], tuple[int, ...]]:
    return {("member", 0): tuple(range(start, start + size))}


def wired(
    targets: tuple[int, int], inputs: Sequence[int]
) -> dict[tuple[str, int], tuple[int, ...]]:
    left, right = inputs[::2], inputs[1::2]
    return {
        ("target", 1): targets[:1],
        ("target", 2): targets[1:],
        ("input", 1): tuple(left),
        ("input", 2): tuple(right),
    }


def test_families_are_alike_wherever_each_begins_and_others_are_not() -> None:
    one = [family(10 * place, 4 + 4 * (place % 2)) for place in range(20)]
    # The second model begins its families with another member, and has others of its own.
    other = [
        {part: (*of[2:], *of[:2]) for part, of in group.items()} for group in one[:15][::-1]
    ] + [family(300 + 8 * place, 8) for place in range(5)]
    found = matched(one, other)
    assert names(found) == {(f"m-{place}", f"k-{14 - place}") for place in range(15)}
    assert [null.name for null in found.nulls] == list(GROUP_NULLS)
    assert (found.swapped, found.targets, found.case_pairs) == (0, (15, 15), (0, 0))


def test_a_group_that_lacks_a_member_or_has_one_more_is_not_alike() -> None:
    one = [family(10 * place, 6) for place in range(20)]
    other = [family(10 * place, 6 + (place == 0) - (place == 1)) for place in range(20)]
    found = matched(one, other)
    assert names(found) == {(f"m-{place}", f"k-{place}") for place in range(2, 20)}


def test_the_score_is_that_of_plain_loops() -> None:
    groups = [
        wired((9 * p, 9 * p + 1), range(9 * p + 2, 9 * p + 2 + 2 * (p % 3))) for p in range(12)
    ]
    (one, circuits), (other, others) = model("m", 1, groups), model("k", 2, groups[::-1])
    full = np.corrcoef(one.after, other.after)[: len(one.after), len(one.after) :]
    at = [
        [
            {part: [int(id_.rpartition(":")[2]) for id_ in ids] for part, ids in c.parts.items()}
            for c in each
        ]
        for each in (circuits, others)
    ]
    naive = np.full((12, 12), np.inf)
    for i, mine in enumerate(at[0]):
        for j, theirs in enumerate(at[1]):
            for part in mine:
                if bool(mine[part]) != bool(theirs[part]):
                    naive[i, j] = -np.inf
                elif mine[part]:
                    each = full[np.ix_(mine[part], theirs[part])]
                    naive[i, j] = min(naive[i, j], each.max(axis=1).min(), each.max(axis=0).min())
    found = match(one, other, circuits={KIND: (circuits, others)}).circuits[KIND]
    expected = [
        (i, j)
        for i in range(12)
        for j in range(12)
        if naive[i, j] == naive[i].max() == naive[:, j].max()
    ]
    assert list(zip(*found.pairs.tolist(), strict=True)) == expected
    np.testing.assert_allclose(found.score, [naive[two] for two in expected], atol=1e-5)


def test_sides_that_are_labelled_the_other_way_are_counted_and_no_matches() -> None:
    one = [wired((9 * p, 9 * p + 1), range(9 * p + 2, 9 * p + 6)) for p in range(20)]
    other = [
        {(role, side if place > 4 else 3 - side): of for (role, side), of in group.items()}
        for place, group in enumerate(one)
    ]
    found = matched(one, other)
    assert names(found) == {(f"m-{place}", f"k-{place}") for place in range(5, 20)}
    assert found.swapped == 5


def test_the_same_parts_joined_at_random_are_found_at_the_rate() -> None:
    runs, wrong, above, kinds = 8, 0, 0, 6
    for run in range(runs):
        groups = []
        for seed in (1000 + run, 2000 + run):
            rng = np.random.default_rng(seed)
            target, inputs = rng.integers(kinds, size=(2, 30)).tolist()
            groups.append(
                [
                    wired((9 * t, 9 * t + 1), range(200 + 4 * i, 204 + 4 * i))
                    for t, i in zip(target, inputs, strict=True)
                ]
            )
        first, second = model("m", 3 * run, groups[0]), model("k", 3 * run + 1, groups[1])
        found = match(first[0], second[0], circuits={KIND: (first[1], second[1])}).circuits[KIND]
        above += int(np.count_nonzero(found.score > 0.8))
        wrong += bool(found.found.any())
    assert above > 2 * runs
    assert wrong <= 0.1 * runs
