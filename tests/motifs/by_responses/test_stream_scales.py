"""Scale unions: planted ones found, exchanged and reversed parts not, chance not (3 s)."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.motifs.by_responses.stream_scales import NO_STREAM, WEAK, find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.motifs.scale_union import SCALE_UNION
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.planted_layers import SHOWN, Array, network, random_network

UNITS, PLANTED = 96, range(0, 96, 4)

OCTAVE = np.log2(
    [max(item.number("wavelength"), item.number("radius"), 1) for item in SHOWN.stimuli]
)
SMALL = 1 / (1 + np.exp(1.2 * (OCTAVE - 4)))
"""How much of a feature comes along the stream, by the size of the stimulus."""


def feature(rng: np.random.Generator) -> Array:
    """Answers that depend on all parameters but the size."""
    gains: dict[str, float] = {}

    def gain(item: Stimulus) -> float:
        given = {k: v for k, v in item.parameters.items() if k not in ("wavelength", "radius")}
        return gains.setdefault(f"{item.kind} {given}", max(0, rng.normal()))

    return 3 * np.array([gain(item) for item in SHOWN.stimuli])


def streams(
    seed: int, *, reverse: bool = False, exchange: bool = False
) -> tuple[list[Connection], Responses]:
    """Units of the stream 'a', of a block 'b', and their sums 'c'; planted ones unite two sizes."""
    rng = np.random.default_rng(seed)
    shape = UNITS, len(SHOWN.stimuli)
    first, block = rng.normal(size=shape).clip(0), rng.normal(size=shape).clip(0)
    for unit in PLANTED:
        whole = feature(rng)
        first[unit], block[unit] = whole * SMALL, whole * (1 - SMALL)
    if reverse:
        first, block = block, first
    if exchange:
        block[PLANTED] = block[np.roll(PLANTED, 1)]
    first, block = (own + 0.05 * rng.normal(size=shape) for own in (first, block))
    same = np.eye(UNITS)
    return network(
        {"a": first, "b": block, "c": first.clip(0) + block.clip(0)},
        {("a", "c"): same, ("b", "c"): same},
        "residual",
    )


def found(given: tuple[list[Connection], Responses], seed: int = 0) -> GroupFindings:
    return find_in_model(*given, SCALE_UNION, model="m", seed=seed)


def test_planted_scale_unions_are_found_with_what_either_part_comes_from() -> None:
    findings = found(streams(1))
    members = [{one.role: one.feature for one in group.members} for group in findings.groups]
    assert sorted(members, key=str) == sorted(
        (
            {"union": f"m/c:{unit}", "smaller": f"m/a:{unit}", "larger": f"m/b:{unit}"}
            for unit in PLANTED
        ),
        key=str,
    )
    assert all(group.q <= 0.05 and group.p <= 0.05 for group in findings.groups)
    assert findings.not_tested == {NO_STREAM: 2 * UNITS}


def test_the_statistic_is_the_plain_correlation_of_both_parts_at_two_sizes() -> None:
    responses = streams(1)[1]
    place = {item.id: index for index, item in enumerate(SHOWN.stimuli)}
    for group in found(streams(1)).groups[:3]:
        unit = int(group.members[0].feature.split(":")[1])
        stream = responses.after[unit].astype(float)
        block = responses.before[2 * UNITS + unit].astype(float) - stream
        ends = [
            (index, place[twice])
            for index, item in enumerate(SHOWN.stimuli)
            for size in ("wavelength", "radius")
            if size in item.parameters and item.kind not in ("hue spot", "high-low frequency")
            if (twice := _doubled(item.id, size, item.number(size))) in place
        ]
        small, large = np.array(ends).T
        plain = np.corrcoef(stream[small], block[large])[0, 1]
        assert group.value == pytest.approx(plain, abs=1e-4)


def _doubled(name: str, size: str, value: float) -> str:
    return name.replace(f"{size} {value:g}", f"{size} {2 * value:g}")


def test_larger_copies_along_the_stream_and_parts_of_other_features_are_none() -> None:
    assert not found(streams(2, reverse=True)).groups
    assert not found(streams(2, exchange=True)).groups


def test_random_weights_hold_none_and_what_cannot_be_tested_is_named() -> None:
    for seed in range(4):
        connections, responses = random_network(seed)
        none = found((connections, responses), seed)
        assert (none.tested, none.circuits) == (0, 0)
        assert none.not_tested == {NO_STREAM: 100}
    connections, responses = streams(3)
    silent = np.array(responses.before)
    silent[2 * UNITS :] = 0
    dead = Responses(
        responses.battery,
        responses.stimuli,
        responses.layers,
        silent,
        silent.clip(0),
        silent,
        silent.clip(0),
        {},
    )
    assert found((connections, dead)).not_tested == {NO_STREAM: 2 * UNITS, WEAK: UNITS}
