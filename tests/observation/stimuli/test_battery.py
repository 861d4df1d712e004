"""The stimulus battery as a set: its symmetry, its parts, its ids, and that it stays as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from circuitkb.errors import ObservationError, QueryError
from circuitkb.observation.stimuli.battery import Battery, Stimulus, battery

ROOT = Path(__file__).resolve().parents[3]
Floats = NDArray[np.float32]

# What each symmetry does to the last two axes, written by hand.
ON_ARRAYS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "identity": lambda image: image,
    "mirror left-right": lambda image: image[..., :, ::-1],
    "mirror up-down": lambda image: image[..., ::-1, :],
    "rotate 180": lambda image: image[..., ::-1, ::-1],
    "mirror falling diagonal": lambda image: image.swapaxes(-1, -2),
    "mirror rising diagonal": lambda image: image[..., ::-1, ::-1].swapaxes(-1, -2),
    "rotate 90": lambda image: image.swapaxes(-1, -2)[..., ::-1, :],
    "rotate 270": lambda image: image.swapaxes(-1, -2)[..., :, ::-1],
}
TRANSPOSING = [name for name in ON_ARRAYS if ON_ARRAYS[name](np.empty((1, 2))).shape == (2, 1)]


def everything(shown: Battery, rows: int, columns: int, **where: tuple[float, float]) -> Floats:
    return shown.images(slice(None), rows=rows, columns=columns, **where)


# ---------------------------------------------------------------- symmetry


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize(("rows", "columns"), [(41, 41), (40, 40), (41, 24), (31, 40)])
def test_every_transformed_image_is_on_the_battery_bit_for_bit(
    name: str, rows: int, columns: int
) -> None:
    size = (columns, rows) if name in TRANSPOSING else (rows, columns)
    expected = ON_ARRAYS[name](everything(battery(), rows, columns))
    partners = everything(battery(), *size)[battery().transformed(name)]
    np.testing.assert_array_equal(partners, expected)


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize("centre", [(9, 20), (12.5, 3.5), (0, 0), (10, 7.5), (-3, 40)])
def test_it_holds_for_centres_anywhere(name: str, centre: tuple[float, float]) -> None:
    rows, columns = 32, 27
    # Where the centre goes: a mark on a grid of half pixels, with a margin for centres outside.
    margin = 40
    marked = np.zeros((2 * rows - 1 + 2 * margin, 2 * columns - 1 + 2 * margin), bool)
    marked[int(2 * centre[0]) + margin, int(2 * centre[1]) + margin] = True
    row, column = np.argwhere(ON_ARRAYS[name](marked))[0]
    moved = ((row - margin) / 2, (column - margin) / 2)

    size = (columns, rows) if name in TRANSPOSING else (rows, columns)
    expected = ON_ARRAYS[name](everything(battery(), rows, columns, centre=centre))
    partners = everything(battery(), *size, centre=moved)[battery().transformed(name)]
    np.testing.assert_array_equal(partners, expected)


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_exactly_those_that_look_the_same_transformed_are_their_own_partner(name: str) -> None:
    shown = battery(extent=65)
    images = everything(shown, 65, 65)
    unchanged = (images == ON_ARRAYS[name](images)).all(axis=(1, 2, 3))
    own = shown.transformed(name) == np.arange(len(shown))
    np.testing.assert_array_equal(own, unchanged)


def test_the_symmetries_form_the_group_of_the_square() -> None:
    places = {name: battery().transformed(name) for name in ON_ARRAYS}
    labelled = np.arange(12).reshape(3, 4)
    assert len({tuple(place) for place in places.values()}) == 8
    for first, one in ON_ARRAYS.items():
        assert sorted(places[first]) == list(range(len(battery())))
        for second, other in ON_ARRAYS.items():
            both = other(one(labelled))
            (same,) = [
                name for name, does in ON_ARRAYS.items() if np.array_equal(does(labelled), both)
            ]
            np.testing.assert_array_equal(places[second][places[first]], places[same])


def test_an_unknown_symmetry_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(QueryError, match="Did you mean 'mirror left-right'"):
        battery().transformed("mirror left-rihgt")


# ---------------------------------------------------------------- place and size


@pytest.mark.parametrize("centre", [(30, 14), (21.5, 40.5), (20, 33.5)])
def test_what_stands_around_the_centre_does_not_depend_on_the_size(
    centre: tuple[float, float],
) -> None:
    row, column = centre
    height, width = 7 + int(row % 1 > 0), 9 + int(column % 1 > 0)
    top, left = int(row - (height - 1) / 2), int(column - (width - 1) / 2)
    large = everything(battery(), 61, 64, centre=centre)
    np.testing.assert_array_equal(
        large[:, :, top : top + height, left : left + width], everything(battery(), height, width)
    )


def test_an_image_does_not_depend_on_what_is_drawn_with_it() -> None:
    together = everything(battery(), 33, 33)
    places = [1100, 3, 700, 3, 42, 1163]
    np.testing.assert_array_equal(battery().images(places, rows=33, columns=33), together[places])
    np.testing.assert_array_equal(
        battery().images(np.array([], int), rows=33, columns=33), together[:0]
    )


def test_noise_repeats_where_images_are_larger_than_it() -> None:
    place = battery().of_kind("pink noise")[[0]]
    row = battery().images(place, rows=1, columns=1040)[0, 0, 0]
    np.testing.assert_array_equal(row[:528], row[512:])
    steps = np.abs(np.diff(row))
    assert steps.max() < 8 * steps.mean()


@pytest.mark.parametrize("centre", [(3.25, 4), (4, float("nan")), (float("inf"), 0)])
def test_a_centre_that_is_no_half_number_is_refused(centre: tuple[float, float]) -> None:
    with pytest.raises(ObservationError, match="whole or half numbers"):
        battery().images([0], rows=9, columns=9, centre=centre)


def test_images_without_pixels_are_refused() -> None:
    with pytest.raises(ObservationError, match="0 x 9 pixels"):
        battery().images([0], rows=0, columns=9)


# ---------------------------------------------------------------- ids, parameters, parts


def test_ids_are_unique_and_say_what_is_shown() -> None:
    ids = {item.id: item for item in battery().stimuli}
    assert len(ids) == len(battery())
    grating = ids["grating 45 wavelength 8 phase 90"]
    assert grating.kind == "grating"
    assert grating.parameters == {"orientation": 45, "wavelength": 8, "phase": 90}
    assert not any("-0" in name.split() for name in ids)


def test_values_are_nan_for_stimuli_without_the_parameter() -> None:
    wavelength = battery().values("wavelength")
    has = ["wavelength" in item.parameters for item in battery().stimuli]
    np.testing.assert_array_equal(~np.isnan(wavelength), has)
    polarity = battery().values("polarity")
    bright = [" bright" in item.id for item in battery().stimuli]
    np.testing.assert_array_equal(polarity == 1, bright)


def test_every_orientation_is_shown_at_every_setting() -> None:
    for kind, name, steps in (
        ("grating", "orientation", 180),
        ("line", "orientation", 180),
        ("edge", "direction", 360),
        ("arc", "direction", 360),
        ("curved edge", "direction", 360),
        ("corner", "direction", 360),
        ("high-low frequency", "direction", 360),
        ("colour edge", "direction", 360),
    ):
        settings = Counter(
            tuple((k, v) for k, v in battery().stimuli[place].parameters.items() if k != name)
            for place in battery().of_kind(kind)
        )
        assert set(settings.values()) == {steps // 15}, kind
        assert set(battery().values(name)[battery().of_kind(kind)]) == set(range(0, steps, 15))


def test_unknown_kinds_and_parameters_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(QueryError, match="Did you mean 'grating'"):
        battery().of_kind("gratings")
    with pytest.raises(QueryError, match="Did you mean 'wavelength'"):
        battery().values("wavelenght")
    with pytest.raises(QueryError, match="No stimulus has a number called 'pair'"):
        battery().values("pair")


def test_one_channel_shows_the_grey_stimuli_as_three_channels_do() -> None:
    grey = battery(channels=1)
    ids = {item.id: place for place, item in enumerate(battery().stimuli)}
    places = [ids[item.id] for item in grey.stimuli]
    of_three = battery().images(places, rows=21, columns=21)
    of_one = everything(grey, 21, 21)
    assert of_one.shape == (len(grey), 1, 21, 21)
    np.testing.assert_array_equal(np.repeat(of_one, 3, axis=1), of_three)
    left_out = set(ids.values()) - set(places)
    others = battery().images(sorted(left_out), rows=21, columns=21)
    assert (np.ptp(others, axis=1).max(axis=(1, 2)) > 0.1).all()


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_channels_are_refused(channels: int) -> None:
    with pytest.raises(ObservationError, match=rf"1 channel \(grey\) or 3 .* reads {channels}\."):
        battery(channels=channels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("extent", [1, 8, 28, 32, 63, 96])
def test_small_images_leave_out_whole_sets_of_symmetric_stimuli(channels: int, extent: int) -> None:
    small, whole = battery(channels=channels, extent=extent), battery(channels=channels)
    ids = [item.id for item in whole.stimuli]
    kept = np.isin(ids, [item.id for item in small.stimuli])
    assert [item for item in ids if item in {s.id for s in small.stimuli}] == [
        item.id for item in small.stimuli
    ]
    for name in ON_ARRAYS:
        np.testing.assert_array_equal(kept, kept[whole.transformed(name)])
        assert len(small.transformed(name)) == len(small)
    np.testing.assert_array_equal(
        everything(small, 15, 15), whole.images(np.flatnonzero(kept), rows=15, columns=15)
    )


def test_what_is_larger_than_the_image_is_left_out() -> None:
    assert set(left_out(32)) == {
        ("grating", 64),
        ("checkerboard", 64),
        ("arc", 40),
        ("arc", 80),
        ("curved edge", 40),
        ("curved edge", 80),
        ("spot", 32),
        ("spot", 64),
        ("ring", 32),
        ("ring", 64),
        ("hue spot", 24),
    }
    assert left_out(160) == []


def left_out(extent: int) -> list[tuple[str, float]]:
    kept = {item.id for item in battery(extent=extent).stimuli}

    def size(item: Stimulus) -> float:
        return float(item.parameters.get("wavelength", item.parameters.get("radius", 0)))

    return [(item.kind, size(item)) for item in battery().stimuli if item.id not in kept]


def test_an_extent_without_pixels_is_refused() -> None:
    with pytest.raises(ObservationError, match="0 pixels"):
        battery(extent=0)


# ---------------------------------------------------------------- the version

IDS = "fa1c52c7a90bed52894e29e6ff9c269dfaf81c17494898aee21571ba3164f7f1"
"""sha256 of all ids, one a line."""

SUMS = {
    "grating": 89471156.622,
    "line": 52722424.679,
    "edge": 34581058.364,
    "arc": 71327751.463,
    "curved edge": 70039413.003,
    "corner": 8347670.740,
    "high-low frequency": 17016578.037,
    "checkerboard": 1500052.427,
    "colour edge": 17125651.981,
    "hue": 7542029.373,
    "hue spot": 7542242.754,
    "spot": 3180996.909,
    "ring": 2277975.528,
    "flat": 1591753.765,
    "noise": 19744368.178,
    "pink noise": 4519326.416,
}
"""By kind, the sum of its images at 63 x 63, weighted by stimulus, channel, row and column."""


def test_version_1_is_what_it_was() -> None:
    # Another battery needs another name: change NAME in battery.py together with these figures.
    assert battery().name == "circuitkb-1"
    ids = "\n".join(item.id for item in battery().stimuli)
    assert sha256(ids.encode()).hexdigest() == IDS
    assert weighted_sums() == pytest.approx(SUMS, abs=0.05)


def weighted_sums() -> dict[str, float]:
    """Figures that a few pixels of one stimulus move, if they change by a grey level of 256.

    Rounding on another machine does not move them as far: values are multiples of 1/65536.
    """
    channel, row, column = np.ogrid[:3, :63, :63]
    weights = 1 + (5 * channel + 7 * row + 11 * column) % 13
    sums = {}
    for kind in dict.fromkeys(item.kind for item in battery().stimuli):
        images = battery().images(battery().of_kind(kind), rows=63, columns=63)
        each = np.einsum("ncyx,cyx->n", images.astype(np.float64), weights.astype(np.float64))
        sums[kind] = float(each @ (1 + np.arange(len(each)) % 17))
    return sums


def test_the_page_counts_what_is_on_the_battery() -> None:
    page = (ROOT / "docs/observation.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z -]+)` \|.*\| (\d+) \|$", page, re.M)
    counted = Counter(item.kind for item in battery().stimuli)
    assert {kind: int(number) for kind, number in rows} == counted
    assert f"{len(battery()):,} stimuli" in page
