"""Families: planted turns found, units without a partner for every turn not, chance not (5 s)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuitkb.motifs.by_responses.turned_families import Turned, best_for_turns, find_in_model
from circuitkb.motifs.family import FAMILY, TurnedFamily
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.observation.stimuli.battery import battery
from circuitkb.schema.responses import Responses

SHOWN = battery(channels=1, extent=32)
TURNED = Turned.of(SHOWN.stimuli)
WAY = FAMILY.searches[0]
UNITS = 90
EIGHT, FOUR = (range(0, 8), range(40, 48), range(50, 58)), range(10, 14)
BROKEN, LONE = range(20, 27), range(30, 38)


def planted(seed: int) -> Responses:
    """Families of 8 and one of 4; 7 of 8 turns; 8 units of equal tuning without a partner."""
    rng = np.random.default_rng(seed)
    size = len(SHOWN.stimuli)
    after = rng.normal(size=(UNITS, size)).clip(0)

    def bases(half_turn: bool = False) -> Any:
        base = rng.normal(size=size).clip(0) ** 2
        for_turns = base[TURNED.places]
        if half_turn:
            for_turns = for_turns + for_turns[TURNED.turns(4)]
        return base, for_turns

    for units, half_turn in (*((one, False) for one in EIGHT), (FOUR, True), (BROKEN, False)):
        base, for_turns = bases(half_turn)
        for turn, unit in enumerate(units):
            after[unit] = base
            # A unit turned by 45 degrees answers to turned stimuli as the first to plain ones.
            after[unit, TURNED.places[TURNED.turns(turn)]] = for_turns
    for unit in LONE:
        after[unit] = bases()[0]
    after = after + 0.1 * rng.normal(size=after.shape)
    null = rng.normal(size=after.shape).clip(0)
    arrays = [values.astype(np.float32) for values in (after, after, null, null)]
    stimuli = tuple(item.id for item in SHOWN.stimuli)
    return Responses(SHOWN.name, stimuli, (("a", UNITS),), *arrays, {})


def found(responses: Responses, seed: int = 0) -> GroupFindings:
    assert isinstance(WAY, TurnedFamily)
    return find_in_model([], responses, WAY, model="m", seed=seed)


@pytest.fixture(scope="module")
def responses() -> Responses:
    return planted(0)


@pytest.fixture(scope="module")
def findings(responses: Responses) -> GroupFindings:
    return found(responses)


def test_planted_families_are_found_with_their_order_and_their_turns(
    findings: GroupFindings,
) -> None:
    assert len(findings.groups) == 4
    left = [*EIGHT, FOUR]
    for group in findings.groups:
        members = {
            int(one.role.removeprefix("turned by ")): int(one.feature.split(":")[1])
            for one in group.members
        }
        (units,) = (one for one in left if members[0] in one)
        left.remove(units)
        order, first = len(units), members[0] - units.start
        assert members == {45 * t: units.start + (first + t) % order for t in range(order)}
        assert group.figures["order"] == order
        assert group.figures["group"] == f"{order} turns, not under mirrors"
    assert not left


def test_units_that_lack_a_partner_for_one_turn_are_none(findings: GroupFindings) -> None:
    assert findings.counts == {"hits": 28, "units": 28}
    assert findings.figures()["shuffled_hits_mean"] == 0
    assert findings.figures()["angles_hits_max"] == 0


def test_a_layer_whose_units_all_are_silent_has_no_family() -> None:
    assert isinstance(WAY, TurnedFamily)
    none = best_for_turns(np.zeros((0, len(TURNED.places)), np.float32), TURNED, WAY)
    assert none.partner.shape == none.corr.shape == (0, 8)


def test_the_score_is_that_of_plain_loops_over_turned_stimuli(
    responses: Responses, findings: GroupFindings
) -> None:
    ids = {item.id: place for place, item in enumerate(SHOWN.stimuli)}

    def quarter(place: int) -> int:
        return int(SHOWN.transformed("rotate 90")[place])

    places = TURNED.places.tolist()
    assert all(
        quarter(place) == TURNED.places[TURNED.turns(2)[index]]
        for index, place in list(enumerate(places))[::37]
    )
    assert all(ids[SHOWN.stimuli[place].id] == place for place in places)
    for group in findings.groups:
        (own,) = (
            int(one.feature.split(":")[1]) for one in group.members if one.role == "turned by 0"
        )
        plain = responses.after[own][places].astype(float)
        worst = min(
            max(
                np.corrcoef(responses.after[unit][TURNED.places[TURNED.turns(turn)]], plain)[0, 1]
                for unit in range(UNITS)
            )
            for turn in range(1, 8)
        )
        assert group.value == pytest.approx(worst, abs=1e-4)


def test_networks_without_families_hold_none() -> None:
    for seed in range(1, 6):
        rng = np.random.default_rng(seed)
        shape = (UNITS, len(SHOWN.stimuli))
        arrays = [rng.normal(size=shape).clip(0).astype(np.float32) for _ in range(2)]
        stimuli = tuple(item.id for item in SHOWN.stimuli)
        layers = (("a", UNITS),)
        values = (arrays[0], arrays[0], arrays[1], arrays[1])
        none = found(Responses(SHOWN.name, stimuli, layers, *values, {}), seed)
        assert (none.circuits, none.tested) == (0, UNITS)


def test_the_same_seed_gives_the_same(responses: Responses, findings: GroupFindings) -> None:
    again = found(responses)
    assert again.groups == findings.groups
    assert again.figures() == findings.figures()
