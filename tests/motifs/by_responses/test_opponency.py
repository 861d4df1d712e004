"""Opponency: negatives of stimuli, planted targets found in their roles, chance not (3 s)."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.motifs.by_responses.find import find_in_model
from circuitkb.motifs.opponency import OPPONENCY
from circuitkb.observation.kept import images_under
from circuitkb.observation.stimuli.battery import battery
from tests.motifs.planted_layers import PLACE, Array, network, random_network

SOURCES, TARGETS = 80, 48
PLANTED = range(0, TARGETS, 3)


def test_the_image_of_a_stimulus_is_its_negative_about_mean_grey() -> None:
    shown = battery()
    responses = random_network(0)[1]
    image = images_under(responses, "invert contrast")
    assert (image[image] == range(len(image))).all()
    places = np.flatnonzero(image != range(len(image)))[::23]
    ids = [responses.stimuli[place] for place in places]
    negatives = [responses.stimuli[place] for place in image[places]]
    known = {item.id: place for place, item in enumerate(shown.stimuli)}
    one, other = (
        shown.images([known[name] for name in names], rows=41, columns=41)
        for names in (ids, negatives)
    )
    np.testing.assert_allclose(one + other, 1, atol=2 / 65536)
    assert {name.split()[0] for name in ids} >= {"grating", "line", "edge", "arc", "spot"}


def planted(seed: int) -> tuple[Array, Array, Array, dict[str, tuple[str, str]]]:
    rng = np.random.default_rng(seed)
    image = images_under(random_network(0)[1], "invert contrast")
    half = rng.normal(size=(SOURCES // 2, len(PLACE))).clip(0) ** 2
    sources = np.stack([half, half[:, image]], axis=1).reshape(SOURCES, -1)
    sources += 0.05 * rng.normal(size=sources.shape)
    weights = rng.normal(size=(TARGETS, SOURCES))
    truth = {}
    for target in PLANTED:
        one = int(rng.integers(0, SOURCES))
        weights[target, [one, one ^ 1]] = 30, -30
        truth[f"m/b:{target}"] = f"m/a:{one}", f"m/a:{one ^ 1}"
    return sources, weights @ sources.clip(0), weights, truth


@pytest.mark.parametrize("seed", [1, 2])
def test_planted_opponents_are_found_with_what_excites_and_what_inhibits_them(seed: int) -> None:
    sources, targets, weights, truth = planted(seed)
    findings = find_in_model(
        *network({"a": sources, "b": targets}, {("a", "b"): weights}), OPPONENCY, model="m"
    )
    found = {
        one.target: {case.role: case.feature for case in one.cases.values()}
        for one in findings.found
    }
    planted_ones = {
        target: {"exciting": one, "inhibiting": other} for target, (one, other) in truth.items()
    }
    assert planted_ones.items() <= found.items()
    # Of the others one may be strong by chance, at the rate that was asked for.
    assert len(found) - len(planted_ones) <= 1


def test_random_weights_hold_none() -> None:
    for seed in range(4):
        assert not find_in_model(*random_network(seed), OPPONENCY, model="m").found
