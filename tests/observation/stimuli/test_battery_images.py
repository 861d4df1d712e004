"""What the images of the stimulus battery show: angles, sides, offsets, colours, ranges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from circuitkb.observation.stimuli.battery import battery

Floats = NDArray[np.float32]


def image(name: str, side: int, channel: int = 0) -> Floats:
    place = [item.id for item in battery().stimuli].index(name)
    drawn: Floats = battery().images([place], rows=side, columns=side)[0, channel]
    return drawn


def test_a_grating_of_orientation_0_has_horizontal_lines() -> None:
    shown = image("grating 0 wavelength 8 phase 0", 17)
    waves = [0.5 + 0.4 * np.cos(2 * np.pi * (8 - row) / 8) for row in range(17)]
    np.testing.assert_allclose(shown, np.repeat(np.array(waves)[:, None], 17, axis=1), atol=1e-5)


def test_a_grating_of_phase_90_falls_towards_its_left_hand_side() -> None:
    # Along 0 degrees, to the right, the left hand points up, to smaller rows.
    assert image("grating 0 wavelength 8 phase 90", 17)[6, 0] == pytest.approx(0.1, abs=1e-5)
    # Along 90 degrees, upwards, it points left, to smaller columns.
    assert image("grating 90 wavelength 8 phase 90", 17)[0, 6] == pytest.approx(0.1, abs=1e-5)


def test_an_edge_is_bright_where_it_points_and_a_pixel_wide() -> None:
    shown = image("edge 90 width 1 offset 8", 33)
    profile = [0.5 + 0.4 * np.tanh((16 - row) - 8) for row in range(33)]
    np.testing.assert_allclose(shown, np.repeat(np.array(profile)[:, None], 33, axis=1), atol=1e-5)


@pytest.mark.parametrize("kind", ["line", "grating"])
def test_lines_of_45_degrees_rise_to_the_right(kind: str) -> None:
    places = [
        place
        for place in battery().of_kind(kind)
        if battery().stimuli[place].parameters["orientation"] == 45
    ]
    images = battery().images(places, rows=20, columns=20)[:, 0]
    # Along the line nothing changes: up one row and right one column is the same value.
    np.testing.assert_array_equal(images[:, 1:, :-1], images[:, :-1, 1:])
    assert (np.ptp(images, axis=(1, 2)) > 0.3).all()


@pytest.mark.parametrize("orientation", range(0, 180, 15))
def test_the_brightest_pixels_of_a_line_lie_along_its_orientation(orientation: int) -> None:
    line = image(f"line {orientation} width 2 bright offset 0", 61)
    row, column = np.mgrid[:61, :61] - 30
    within = np.hypot(row, column) <= 30
    weight = (line - 0.5) * within
    doubled = (weight * (column - 1j * row) ** 2).sum()  # rows grow downwards
    assert np.rad2deg(np.angle(doubled)) / 2 % 180 == pytest.approx(orientation, abs=0.1)


@pytest.mark.parametrize("direction", range(0, 360, 15))
@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("edge {} width 1 offset 0", 0),
        ("edge {} width 8 offset 0", 0),
        ("arc {} radius 10 bright", 0),
        ("curved edge {} radius 20 bright", 0),
        ("corner {} angle 45", 0),
        ("corner {} angle 90", 0),
        ("colour edge {} red/green", 0),
        ("colour edge {} blue/yellow", 2),
    ],
)
def test_directions_point_to_the_bright_side(name: str, channel: int, direction: int) -> None:
    shown = image(name.format(direction), 101, channel)
    row, column = np.mgrid[:101, :101] - 50
    weight = (shown - shown.min()) * (np.hypot(row, column) <= 50)
    towards = (weight * (column - 1j * row)).sum()
    turned = np.angle(towards * np.exp(-1j * np.deg2rad(direction)), deg=True)
    assert turned == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("direction", [0, 75, 195, 330])
def test_directions_of_textures_point_to_the_texture(direction: int) -> None:
    shown = image(f"high-low frequency {direction} wavelength 4", 101)
    row, column = np.mgrid[:101, :101] - 50
    ahead = column * np.cos(np.deg2rad(direction)) - row * np.sin(np.deg2rad(direction))
    assert shown[ahead > 12].std() > 0.15
    assert shown[ahead < -12].std() < 1e-3


def test_offsets_move_a_line_to_its_left_hand_side() -> None:
    assert image("line 0 width 2 bright offset 6", 31)[:, 0].argmax() == 15 - 6
    assert image("line 90 width 2 bright offset 6", 31)[0].argmax() == 15 - 6
    assert image("line 90 width 2 dark offset -6", 31)[0].argmin() == 15 + 6


def test_arcs_go_through_the_centre_with_their_radius() -> None:
    for radius in (10, 20, 40):
        shown = image(f"arc 0 radius {radius} dark", 101)
        assert shown[50].argmin() == 50
        rows = np.arange(50 - radius // 2, 51 + radius // 2)
        sagitta = radius - np.sqrt(radius**2 - (rows - 50.0) ** 2)
        np.testing.assert_allclose(shown[rows].argmin(axis=1), 50 + sagitta, atol=0.6)


def test_colours_have_the_mean_of_grey() -> None:
    coloured = [
        i
        for i, item in enumerate(battery().stimuli)
        if item.kind in {"colour edge", "hue", "hue spot"}
    ]
    images = battery().images(coloured, rows=33, columns=33)
    np.testing.assert_allclose(images.mean(axis=1), 0.5, atol=2e-5)
    assert np.abs(images - 0.5).max(axis=(1, 2, 3)).min() > 0.3


def test_hues_count_from_red_over_green_to_blue() -> None:
    strongest = [
        battery()
        .images(battery().of_kind("hue"), rows=1, columns=1)[:, :, 0, 0][hue // 15]
        .argmax()
        for hue in (0, 120, 240)
    ]
    assert strongest == [0, 1, 2]


def test_values_lie_between_0_and_1_with_the_contrast_of_the_battery() -> None:
    for start in range(0, len(battery()), 200):
        images = battery().images(slice(start, start + 200), rows=97, columns=97)
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 1
    drawn = [
        place
        for place, item in enumerate(battery().stimuli)
        if item.kind not in {"flat", "noise", "pink noise"}
    ]
    assert np.abs(battery().images(drawn, rows=65, columns=65) - 0.5).max() <= 0.4 + 1e-5


@pytest.mark.parametrize(("extent", "side"), [(None, 165), (64, 64), (32, 32)])
def test_no_two_stimuli_are_the_same_image(extent: int | None, side: int) -> None:
    shown = battery(extent=extent)
    step = 3 if side > 100 else 1  # apart on some pixels is apart
    images = (
        np.concatenate(
            [
                shown.images(slice(start, start + 100), rows=side, columns=side)[
                    :, :, ::step, ::step
                ]
                for start in range(0, len(shown), 100)
            ]
        )
        .reshape(len(shown), -1)
        .astype(np.float64)
    )
    square = (images**2).sum(axis=1)
    apart = square[:, None] + square - 2 * images @ images.T
    np.fill_diagonal(apart, np.inf)
    assert np.sqrt(apart.min() / images.shape[1]) > 0.005
