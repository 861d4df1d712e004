"""The shape of tuning between two cases: constructed curves, and planted networks (6 s)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from circuitkb.loaders.planted.networks import Planted, planted_network
from circuitkb.motifs.by_responses.angled_stimuli import angled_families
from circuitkb.motifs.by_responses.tuning_shape import SHAPES, SMALL, Tuning, tunings
from circuitkb.observation.stimuli.battery import battery

BATTERY, SMALL_BATTERY = battery(), battery(extent=27)
IMAGE = BATTERY.transformed("mirror left-right")
CIRCUIT = np.array([[2, 0, 1]])
Curve = Callable[[float], float]


def near(angle: float, *wanted: float) -> float:
    """1 at one of some orientations, 0 from 30 degrees on."""
    return max(max(0.0, 1 - min(abs(angle - w), 180 - abs(angle - w)) / 30) for w in wanted)


def shown(*curves: Curve, noise: float = 0.0) -> NDArray[np.float64]:
    """Units that answer to dark lines, by their orientation, and to one spot at full strength."""
    rng = np.random.default_rng(0)
    responses = np.zeros((len(curves), len(BATTERY)))
    for unit, curve in enumerate(curves):
        for place, item in enumerate(BATTERY.stimuli):
            if item.kind == "line" and item.number("polarity") == -1:
                responses[unit, place] = curve(item.number("orientation"))
            elif item.id == "spot radius 8 bright":
                responses[unit, place] = 1.0
    return responses + noise * rng.normal(size=responses.shape)


def tuning(target: Curve, noise: float = 0.0) -> Tuning:
    found = tunings(
        shown(lambda a: near(a, 45), lambda a: near(a, 135), target, noise=noise),
        BATTERY.stimuli,
        IMAGE,
        CIRCUIT,
    )[0]
    assert found is not None
    return found


@pytest.mark.parametrize("noise", [0.0, 0.03])
@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (lambda a: near(a, 45, 135), "two peaks"),
        (lambda a: 0.3 + 0.3 * near(a, 45, 135), "two peaks"),
        (lambda a: 0.7, "flat"),
        (lambda a: 0.5 + 0.05 * near(a, 45, 135), "flat"),
        (lambda a: near(a, 90), "between"),
        (lambda a: near(a, 0), "between"),
        (lambda a: 0.5 * near(a, 45, 135) + near(a, 90), "between"),
        (lambda a: near(a, 45), "other"),
        (lambda a: near(a, 45) + 0.4 * near(a, 90), "other"),
    ],
)
def test_constructed_curves_have_their_shape(target: Curve, shape: str, noise: float) -> None:
    found = tuning(target, noise)
    assert found.shape == shape
    assert (found.family, found.angles) == ("dark lines", (45.0, 135.0))
    assert found.cases == pytest.approx((target(45), target(135)), abs=0.1)
    assert sorted(found.midway) == pytest.approx(sorted((target(90), target(0))), abs=0.1)


def test_a_difference_within_its_error_is_no_peak() -> None:
    """What varies from setting to setting as much as from angle to angle is not modulated."""
    responses = shown(lambda a: near(a, 45), lambda a: near(a, 135), lambda a: 0.0)
    (lines,) = (f for f in angled_families(BATTERY.stimuli) if f.name == "dark lines")
    for angle, step in ((3, 1.0), (9, 1.0)):
        for setting, sign in enumerate((1, -1, 1, -1)):
            responses[2, lines.places[angle, setting]] = 0.5 + 0.5 * sign * step
    (found,) = tunings(responses, BATTERY.stimuli, IMAGE, CIRCUIT)
    assert found is not None
    assert found.cases == pytest.approx((0.5, 0.5))
    responses[2, lines.places[[3, 9]]] = 0.5
    (steady,) = tunings(responses, BATTERY.stimuli, IMAGE, CIRCUIT)
    assert steady is not None
    assert (found.shape, steady.shape) == ("two peaks", "two peaks")
    responses[2, lines.places[:, 1:]] += 0.6
    responses[2, lines.places[[3, 9], 0]] = 1.0
    responses[2, lines.places[[3, 9], 1:]] = 0.55
    (noisy,) = tunings(responses, BATTERY.stimuli, IMAGE, CIRCUIT)
    assert noisy is not None
    assert noisy.shape == "flat"


def test_cases_that_answer_to_no_angle_are_not_tested() -> None:
    responses = shown(lambda a: 0.5, lambda a: 0.5, lambda a: near(a, 45, 135))
    assert tunings(responses, BATTERY.stimuli, IMAGE, CIRCUIT) == [None]


def test_the_shape_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(1)
    responses = rng.random((30, len(BATTERY))) ** 4
    circuits = rng.permutation(30)[:27].reshape(9, 3)
    found = tunings(responses, BATTERY.stimuli, IMAGE, circuits)
    for (target, one, other), tuned in zip(circuits.tolist(), found, strict=True):
        own = responses / np.ptp(responses, axis=1, keepdims=True)
        best = None
        for family in angled_families(BATTERY.stimuli):
            cells = family.places
            period = 180 if len(family.angles) == 12 else 360
            value = {
                float(angle): own[:, cells[place]].mean(axis=(1, 2))
                for place, angle in enumerate(family.angles)
            }
            for angle in value:
                image = (180 - angle) % period
                liked = value[angle][one] + value[image][other]
                if image != angle and (best is None or liked > best[0] + 1e-12):
                    best = liked, family, angle, image, value, period
        assert best is not None
        _, family, angle, image, value, period = best
        if value[angle][[one]] - value[image][one] + value[image][other] - value[angle][other] <= (
            2 * SMALL
        ):
            assert tuned is None
            continue
        assert tuned is not None
        assert (tuned.family, tuned.angles) == (family.name, (angle, image))
        ends = [0.0, 90.0] if period == 180 else [90.0, 270.0]
        scale = np.ptp(responses[target])
        assert tuned.cases == pytest.approx([value[a][target] * scale for a in (angle, image)])
        assert sorted(tuned.midway) == pytest.approx(sorted(value[a][target] * scale for a in ends))
        assert tuned.shape in SHAPES


def answers(planted: Planted) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Responses at the middle of detectors, then of targets; and the sum of all filters' maps."""
    images = SMALL_BATTERY.images(slice(None), rows=27, columns=27)
    x = torch.from_numpy(images * 2 - 1)
    maps = {}
    with torch.no_grad():
        for name, module in planted.module.named_children():
            x = maps[name] = module(x)
    found = [
        maps[name][:, :, maps[name].shape[2] // 2, maps[name].shape[3] // 2].T
        for name in ("detectors", "targets")
    ]
    return torch.cat(found).numpy(), maps["filters"].sum(dim=(1, 2, 3))[None].numpy()


def test_planted_unions_have_two_peaks_and_other_planted_units_do_not() -> None:
    """Unions with their own cases; symmetric targets, and all filters at once, with the same."""
    planted = planted_network(size=27, seed=301)
    units, everything = answers(planted)
    responses, detectors = np.concatenate([units, everything]), len(planted.detectors)
    pairs = [(t.unit, *sorted(pair)) for t in planted.targets for pair in t.pairs]

    def shapes(circuits: list[tuple[int, int, int]]) -> Counter[str]:
        image = SMALL_BATTERY.transformed("mirror left-right")
        found = tunings(responses, SMALL_BATTERY.stimuli, image, np.array(circuits))
        return Counter(one.shape for one in found if one is not None)

    unions = shapes([(detectors + unit, one, other) for unit, one, other in pairs])
    assert unions["two peaks"] >= 0.95 * unions.total() > 0.7 * len(pairs)
    symmetric = shapes(
        [(detectors + unit, a, b) for unit in planted.units("symmetric") for _, a, b in pairs]
    )
    assert symmetric["two peaks"] <= 0.1 * symmetric.total()
    assert symmetric["between"] > 0.5 * symmetric.total()
    flat = shapes([(len(units), one, other) for _, one, other in pairs])
    assert flat["flat"] >= 0.8 * flat.total() > 0
