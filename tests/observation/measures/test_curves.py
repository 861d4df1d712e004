"""Curves, corners and colour: as loops give them, as filters were drawn, and never by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest

from circuitkb.observation.measures.against_nulls import Measurement
from circuitkb.observation.measures.colour import COLOUR
from circuitkb.observation.measures.corner import CORNER
from circuitkb.observation.measures.curve_direction import CURVE_DIRECTION
from circuitkb.observation.measures.curve_radius import CURVE_RADIUS
from circuitkb.observation.measures.measure import Measure
from circuitkb.observation.measuring import measure_recording
from circuitkb.observation.recording import Recording
from circuitkb.observation.stimuli.battery import battery
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from tests.observation.oriented_battery import measured, responses

SIDE = 41
WHOLE = battery()
STIMULI = WHOLE.stimuli
SMALL = battery(channels=1, extent=SIDE)
CURVED = [
    place
    for place, item in enumerate(SMALL.stimuli)
    if item.kind in {"arc", "curved edge", "line"} or item.id == "flat 0.5"
]
SHOWN = [SMALL.stimuli[place] for place in CURVED]
IMAGES = SMALL.images(CURVED, rows=SIDE, columns=SIDE).mean(axis=1)


def noise(units: int, stimuli: Sequence[Stimulus] = STIMULI, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(units, len(stimuli))).astype(np.float32)
    found[:, [item.id == "flat 0.5" for item in stimuli]] *= 0.1  # most exceed grey at times
    return found


Chosen = Callable[[Stimulus], bool]


def root_mean_square(unit: np.ndarray, chosen: Chosen, floor: float) -> float:
    """Of the excitation of a unit above a floor by some stimuli."""
    above = [
        max(float(x) - floor, 0) ** 2 for x, item in zip(unit, STIMULI, strict=True) if chosen(item)
    ]
    return float((sum(above) / len(above)) ** 0.5)


def spread(unit: np.ndarray, chosen: Chosen) -> float:
    read = [float(x) for x, s in zip(unit, STIMULI, strict=True) if chosen(s) or s.id == "flat 0.5"]
    return float(np.std(read))


def grey(unit: np.ndarray) -> float:
    return float(unit[[item.id for item in STIMULI].index("flat 0.5")])


def is_bright_arc(item: Stimulus) -> bool:
    return item.kind == "arc" and item.parameters["polarity"] == 1


def is_dark_arc(item: Stimulus) -> bool:
    return item.kind == "arc" and item.parameters["polarity"] == -1


def is_curved_edge(item: Stimulus) -> bool:
    return item.kind == "curved edge"


CURVES = [is_bright_arc, is_dark_arc, is_curved_edge]
CORNERS = [
    lambda item, angle=angle: item.kind == "corner" and item.parameters["angle"] == angle
    for angle in (45, 90)
]
TEXTURES = [
    lambda item: item.kind == "noise" and item.parameters["smoothing"] == 1,
    lambda item: item.kind == "noise" and item.parameters["smoothing"] == 4,
    lambda item: item.kind == "pink noise",
]


def direction(item: Stimulus) -> float:
    return item.number("direction")


def hue(item: Stimulus) -> float:
    return 0 if item.parameters["channels"] == "colour" else 180


def circular(
    unit: np.ndarray, families: list[Chosen], angle: Callable[[Stimulus], float], floor: float
) -> tuple[float, float]:
    """Statistic and preferred angle of one unit, as the definition says it."""
    vectors, peaks = [], []
    for family in families:
        angles = sorted({angle(item) for item in STIMULI if family(item)})
        curve = [
            root_mean_square(unit, lambda s, a=a, f=family: f(s) and angle(s) == a, floor)
            for a in angles
        ]
        vectors.append(
            sum(x * np.exp(1j * np.pi * a / 180) for x, a in zip(curve, angles, strict=True))
            / sum(curve)
        )
        peaks.append(max(curve))
    agreement = np.mean([(v * w.conjugate()).real for v, w in combinations(vectors, 2)])
    size = spread(unit, lambda s: any(family(s) for family in families))
    return agreement * min(peaks) / size, np.degrees(np.angle(sum(vectors))) % 360


def test_the_direction_of_curves_is_what_loops_over_the_definition_give() -> None:
    units = noise(4)
    found = CURVE_DIRECTION.of(units, STIMULI)
    for place, unit in enumerate(units):
        statistic, preferred = circular(unit, CURVES, direction, grey(unit))
        assert found.statistic[place] == pytest.approx(statistic, rel=1e-4, abs=1e-5)
        assert found.properties["curve_direction"][place] == pytest.approx(preferred, abs=0.01)


def test_the_direction_of_corners_counts_what_exceeds_every_edge_and_line() -> None:
    units = noise(4)
    units[:, [item.kind in {"edge", "line"} for item in STIMULI]] *= 0.1
    found = CORNER.of(units, STIMULI)
    for place, unit in enumerate(units):
        straight = [
            float(x) for x, item in zip(unit, STIMULI, strict=True) if item.kind in {"edge", "line"}
        ]
        floor = max(*straight, grey(unit))
        statistic, preferred = circular(unit, CORNERS, direction, floor)
        assert found.statistic[place] == pytest.approx(statistic, rel=1e-4, abs=1e-5)
        assert found.properties["corner_direction"][place] == pytest.approx(preferred, abs=0.01)


def test_the_preference_for_colour_is_what_loops_over_the_definition_give() -> None:
    units = noise(6)
    found = COLOUR.of(units, STIMULI)
    for place, unit in enumerate(units):
        statistic, preferred = circular(unit, TEXTURES, hue, grey(unit))
        assert found.statistic[place] == pytest.approx(statistic, rel=1e-4, abs=1e-5)
        coloured = min(preferred, 360 - preferred) < 90
        assert found.labels[place] == ("coloured texture" if coloured else "grey texture")


def test_the_radius_of_curves_is_what_loops_over_the_definition_give() -> None:
    units = noise(4)
    found = CURVE_RADIUS.of(units, STIMULI)
    radii = (10, 20, 40, 80)
    for place, unit in enumerate(units):
        _, preferred = circular(unit, CURVES, direction, grey(unit))
        nearest = round(preferred / 15) * 15 % 360
        shares, peaks = [], []
        for family in CURVES:
            curve = np.array(
                [
                    root_mean_square(
                        unit,
                        lambda s, f=family, r=radius, n=nearest: (
                            f(s) and (s.number("direction"), s.number("radius")) == (n, r)
                        ),
                        grey(unit),
                    )
                    for radius in radii
                ]
            )
            shares.append(curve / curve.sum() if curve.sum() else curve)
            peaks.append(curve.max())
        alike = np.mean([one @ other for one, other in combinations(shares, 2)])
        agreement = (4 * alike - 1) / 3 if all(share.any() for share in shares) else 0
        size = spread(unit, lambda s: s.kind in {"arc", "curved edge"})
        expected = agreement * min(peaks) / size
        assert found.statistic[place] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert found.properties["curve_radius"][place] == radii[sum(shares).argmax()]


# Filters that were drawn, shown what fits 41 pixels: curves of radius 10, 20 and 40.
ROW, COLUMN = np.mgrid[:SIDE, :SIDE].astype(float) - SIDE // 2


WINDOW = np.exp(-(ROW**2 + COLUMN**2) / 120)


def curve(degrees: float, radius: float = 10) -> tuple[np.ndarray, np.ndarray]:
    """Filters of an arc and of a disc's border, both through the centre.

    The centre of curvature lies at ``degrees`` on the screen.
    """
    angle = np.deg2rad(degrees)
    ahead = COLUMN * np.cos(angle) - ROW * np.sin(angle)
    beside = COLUMN * np.sin(angle) + ROW * np.cos(angle)
    inside = radius - np.hypot(ahead - radius, beside)
    return drawn(inside)


def line(degrees: float, offset: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Filters of a straight line and an edge across ``degrees``, moved in that direction."""
    angle = np.deg2rad(degrees)
    return drawn(COLUMN * np.cos(angle) - ROW * np.sin(angle) - offset)


def drawn(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.exp(-0.5 * (inside / 2) ** 2) * WINDOW, np.tanh(inside / 2) * WINDOW
    one, other = (each - each.mean() for each in both)
    return one / np.abs(one).sum(), other / np.abs(other).sum()


Unit = tuple[np.ndarray, np.ndarray]


def energy(units: Sequence[Unit]) -> np.ndarray:
    """Units that do not care for polarity, and answer to what moves either filter most."""
    images = IMAGES.reshape(len(IMAGES), -1).T
    answers = np.zeros((len(units), len(IMAGES)))
    for side, kinds in enumerate(({"arc", "line"}, {"curved edge"})):
        size = np.abs(np.stack([unit[side].ravel() for unit in units]) @ images)
        size[:, [item.kind not in kinds for item in SHOWN]] = 0
        answers += (size / size.max(axis=1, keepdims=True) - 0.7).clip(min=0)
    return answers


def mixed(answers: np.ndarray, seed: int) -> np.ndarray:
    """Units that read all of these with random weights: a copy whose weights are shuffled."""
    weights = np.random.default_rng(seed).normal(size=(len(answers), len(answers)))
    return np.asarray(weights @ answers)


DEGREES = [15.0 * step for step in range(24)]
DRAWN = [curve(degrees) for degrees in DEGREES]
CENTRED = [line(degrees) for degrees in DEGREES]
OFF_CENTRE = [line(degrees, 6) for degrees in DEGREES]


@pytest.fixture(scope="module")
def found() -> Measurement:
    answers = energy([*DRAWN, *CENTRED, *OFF_CENTRE])
    given = responses(answers, mixed(answers, 1), after=lambda before: before)
    return measured(given, SHOWN, measure=CURVE_DIRECTION)


def apart(one: np.ndarray, other: Sequence[float]) -> np.ndarray:
    difference = np.abs(one - np.array(other)) % 360
    return np.minimum(difference, 360 - difference)


def test_a_unit_with_a_drawn_curve_prefers_the_direction_that_it_was_drawn_with(
    found: Measurement,
) -> None:
    assert found.passed[:24].all()
    assert apart(found.measured.properties["curve_direction"][:24], DEGREES).max() < 8
    assert found.measured.labels[6] == "curve direction 90°"


def test_straight_lines_in_the_centre_and_off_it_do_not_pass(found: Measurement) -> None:
    assert not found.passed[24:].any()


def test_a_radius_is_that_of_the_drawn_curve() -> None:
    sizes = [10, 40]
    answers = energy([curve(degrees, radius) for degrees in DEGREES for radius in sizes])
    found = CURVE_RADIUS.of(answers.astype(np.float32), SHOWN)
    assert np.mean(found.properties["curve_radius"] == sizes * 24) > 0.9


MEASURES = (CURVE_DIRECTION, CURVE_RADIUS)


def test_nothing_passes_in_random_units_nor_in_their_shuffled_copies() -> None:
    layers = [(f"layer{i}", 60) for i in range(4)]
    answers = energy([*DRAWN, *CENTRED, *OFF_CENTRE])
    for seed in range(4):
        random = np.random.default_rng(seed)
        real, null = (random.normal(size=(240, len(answers))) @ answers for _ in range(2))
        given = responses(real, null, layers=layers, after=lambda before: before)
        nothing = np.empty((240, 0), np.float32)
        work = Recording(given, nothing, np.empty(0, np.intp), 0.0)
        assert set(measure_recording(work, SHOWN, MEASURES, seed=seed).counts.values()) == {0}


def test_a_copy_is_tested_half_against_half_and_radius_only_beside_direction() -> None:
    answers = energy([*DRAWN, *CENTRED])
    noise = mixed(answers, 1)
    # Of the copy, every second unit sees curves: against the others these pass.
    copy = np.stack([answers[:24], noise[:24]], axis=1).reshape(48, -1)
    given = responses(answers, noise, after=lambda before: before)
    copied = responses(answers, copy, after=lambda before: before)
    nothing = np.empty((48, 0), np.float32)
    work, other = (Recording(each, nothing, np.empty(0, np.intp), 0.0) for each in (given, copied))
    assert measure_recording(other, SHOWN, MEASURES, seed=0).control["curve-direction"] == 24
    found = measure_recording(work, SHOWN, MEASURES, seed=0)
    assert found.control["curve-direction"] == 0
    direction, radius = (found.found[each.name] for each in MEASURES)
    assert not (radius.passed & ~direction.passed).any()
    assert direction.passed[:24].all()
    assert radius.testable[24:].any()


@pytest.mark.parametrize(
    ("measure", "stimuli", "said"),
    [
        (CURVE_DIRECTION, [s for s in STIMULI if s.kind != "arc"], "'bright arc'.*larger images"),
        (CURVE_RADIUS, [s for s in SHOWN if s.number("radius") in (0, 10)], "one radius alone"),
        (CORNER, [s for s in STIMULI if s.kind != "corner"], "'corner'"),
        (COLOUR, SMALL.stimuli, "no colour"),
    ],
)
def test_what_a_battery_cannot_show_is_named(
    measure: Measure, stimuli: Sequence[Stimulus], said: str
) -> None:
    with pytest.raises(ObservationError, match=said):
        measure.reads(stimuli)


def test_pictures_point_where_the_units_do() -> None:
    assert CURVE_DIRECTION.picture is not None
    assert CORNER.picture is not None
    for first, second in pairwise((0, 90, 180, 270)):
        drawn = [CURVE_DIRECTION.picture({"curve_direction": each})[0] for each in (first, second)]
        assert drawn[0] != drawn[1]
    wedge, _ = CORNER.picture({"corner_direction": 90})
    assert all(
        float(y) < 22 for y in (word.split()[1].rstrip('Z"') for word in wedge.split("L")[1:])
    )
