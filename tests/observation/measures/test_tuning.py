"""Tuning curves: what is pooled, what is chosen, and which way degrees run."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.observation.measures.tuning import (
    grey_of,
    orientation_of,
    oriented_families,
    tuning_curves,
)
from circuitkb.observation.stimuli.stimulus import stimulus
from circuitkb.schema.errors import ObservationError
from tests.observation.oriented_battery import ORIENTATIONS, battery, gabor, look

STIMULI, IMAGES = battery()


def noise(units: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(units, len(STIMULI))).astype(np.float32)


def curves_by_loops(answers: np.ndarray, kind: str, scale: str) -> tuple[np.ndarray, list[float]]:
    """Curve and best scale of one unit, as the definition says it."""
    grey = next(
        a
        for a, s in zip(answers, STIMULI, strict=True)
        if s.kind == "flat" and s.parameters["luminance"] == 0.5
    )
    best: tuple[float, list[float], float] = (-1.0, [], 0.0)
    for size in sorted({s.parameters[scale] for s in STIMULI if s.kind == kind}):
        curve = []
        for degrees in ORIENTATIONS:
            squares = [
                max(float(a) - float(grey), 0.0) ** 2
                for a, s in zip(answers, STIMULI, strict=True)
                if s.kind == kind and s.parameters[scale] == size and orientation_of(s) == degrees
            ]
            curve.append((sum(squares) / len(squares)) ** 0.5)
        if max(curve) > best[0]:
            best = max(curve), curve, size
    return np.array(best[1]), [best[2]]


@pytest.mark.parametrize(
    ("family", "kind", "scale"),
    [(0, "grating", "wavelength"), (1, "line", "width"), (2, "edge", "width")],
)
def test_curves_are_what_loops_over_the_definition_give(family: int, kind: str, scale: str) -> None:
    answers = noise(5)
    found = tuning_curves(answers, STIMULI)[family]
    assert found.family == kind
    for unit in range(5):
        curve, size = curves_by_loops(answers[unit], kind, scale)
        np.testing.assert_allclose(found.curve[unit], curve, rtol=1e-5)
        assert found.scale[unit] == size


def test_many_units_get_the_curves_that_each_gets_alone() -> None:
    answers = noise(2_100)
    together = tuning_curves(answers, STIMULI)
    for unit in (0, 2_047, 2_048, 2_099):
        for all_, alone in zip(together, tuning_curves(answers[[unit]], STIMULI), strict=True):
            np.testing.assert_allclose(all_.curve[unit], alone.curve[0], rtol=1e-5)


def test_the_order_of_the_stimuli_does_not_matter() -> None:
    answers = noise(4)
    order = np.random.default_rng(1).permutation(len(STIMULI))
    for plain, mixed in zip(
        tuning_curves(answers, STIMULI),
        tuning_curves(answers[:, order], [STIMULI[i] for i in order]),
        strict=True,
    ):
        np.testing.assert_allclose(plain.curve, mixed.curve, rtol=1e-5)


def test_a_unit_is_shown_at_the_wavelength_it_likes_best() -> None:
    answers = look([gabor(30, wavelength=wavelength) for wavelength in (4, 8, 16)], IMAGES)
    assert tuning_curves(answers.astype(np.float32), STIMULI)[0].scale.tolist() == [4, 8, 16]


def test_curves_scale_with_the_answers_and_ignore_a_constant() -> None:
    answers = noise(4)
    for plain, other in zip(
        tuning_curves(answers, STIMULI), tuning_curves(answers * 1000 + 700, STIMULI), strict=True
    ):
        np.testing.assert_allclose(other.curve, plain.curve * 1000, rtol=1e-2, atol=0.5)
        np.testing.assert_allclose(other.normalised, plain.normalised, atol=1e-3)


def test_what_lies_below_the_answer_to_grey_is_no_excitation() -> None:
    answers = np.zeros((2, len(STIMULI)), np.float32)
    answers[:, grey_of(STIMULI)] = 5
    for curves in tuning_curves(answers, STIMULI):
        assert not curves.curve.any()
        assert not curves.normalised.any()
        assert not curves.mean_vector(180).any()


def test_half_precision_answers_give_nearly_the_same_curves() -> None:
    answers = noise(6)
    for full, half in zip(
        tuning_curves(answers, STIMULI),
        tuning_curves(answers.astype(np.float16), STIMULI),
        strict=True,
    ):
        np.testing.assert_allclose(half.curve, full.curve, atol=2e-3)


@pytest.mark.parametrize(
    ("direction", "line"), [(0, 90), (90, 0), (180, 90), (45, 135), (225, 135), (135, 45)]
)
def test_the_line_of_an_edge_runs_across_the_direction_of_its_bright_side(
    direction: float, line: float
) -> None:
    assert orientation_of(stimulus("edge", direction=direction)) == line


def test_an_edge_and_its_negative_share_an_orientation() -> None:
    edges = oriented_families(STIMULI)[2]
    assert edges.levels.tolist() == list(ORIENTATIONS)
    assert np.bincount(edges.cells).tolist() == [6] * 12


def test_a_battery_that_cannot_tell_orientation_is_refused() -> None:
    with pytest.raises(ObservationError, match="no stimulus of kind 'line'"):
        oriented_families([s for s in STIMULI if s.kind != "line"])
    thin = ("line", 3, 0)
    holes = [s for s in STIMULI if (s.kind, s.number("width"), s.number("orientation")) != thin]
    with pytest.raises(ObservationError, match="does not show every line"):
        oriented_families(holes)
    with pytest.raises(ObservationError, match=r"luminance 0\.5"):
        grey_of([s for s in STIMULI if s.kind != "flat"])
    with pytest.raises(ObservationError, match="neither orientation nor direction"):
        orientation_of(stimulus("line", width=2))


def test_units_that_nothing_moves_are_told_from_weak_ones() -> None:
    random = np.random.default_rng(0)
    layer = random.normal(size=(20, 50))
    layer[0] = 3  # constant
    layer[1] = 8 + random.normal(size=50) * 1e-7  # constant, but for rounding
    layer[2] = random.normal(size=50) * 1e-9  # rounding about zero
    layer[3] *= 1e-2  # weak, and moved all the same
    for size in (1e-6, 1, 1e6):
        found = is_responsive((layer * size).astype(np.float32))
        assert np.flatnonzero(~found).tolist() == [0, 1, 2]


def test_a_constant_that_half_precision_rounds_two_ways_is_not_moved() -> None:
    layer = np.random.default_rng(0).normal(size=(20, 50))
    layer[0] = 10.004 + np.random.default_rng(1).normal(size=50) * 1e-3
    assert len(set(layer[0].astype(np.float16).tolist())) > 1
    assert np.flatnonzero(~is_responsive(layer.astype(np.float16))).tolist() == [0]


def test_one_huge_unit_does_not_silence_its_layer_and_a_dead_layer_stays_dead() -> None:
    layer = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32)
    layer[7] *= 1e8
    assert is_responsive(layer).all()
    assert not is_responsive(np.full((20, 50), 2, np.float32)).any()
    mostly = np.zeros((20, 50), np.float32)
    mostly[3] = layer[0]
    assert np.flatnonzero(is_responsive(mostly)).tolist() == [3]
