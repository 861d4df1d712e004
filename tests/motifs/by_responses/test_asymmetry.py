"""What makes mirrored cases differ, and its words, held against the drawn images (2 s)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.asymmetry import ASYMMETRIES, Asymmetries
from circuitkb.observation.stimuli.battery import battery
from circuitkb.observation.stimuli.stimulus import Stimulus

BATTERY = battery()
SIDE = 127
UP, RIGHT = np.meshgrid(np.arange(63, -64, -1), np.arange(-63, 64), indexing="ij")
Image = NDArray[np.float64]


def image_of(stimulus: str) -> Image:
    """The image, less grey; its middle is the centre."""
    place = [item.id for item in BATTERY.stimuli].index(stimulus)
    drawn: Image = BATTERY.images([place], rows=SIDE, columns=SIDE)[0].mean(axis=0) - 0.5
    return drawn


def facing(stimulus: str, axis: str = "left-right") -> tuple[str, tuple[str, str]]:
    """The asymmetry of a unit that answers to one stimulus and of its mirror image, in words."""
    ids = [item.id for item in BATTERY.stimuli]
    place = ids.index(stimulus)
    responses = np.zeros((2, len(BATTERY)))
    responses[0, place] = responses[1, BATTERY.transformed(f"mirror {axis}")[place]] = 1
    found = Asymmetries(BATTERY.stimuli, axis).of(responses, dict.fromkeys(ASYMMETRIES, 1.0))
    assert found is not None
    return found.name, found.facing


def centre(image: Image, axis: Image) -> float:
    """Where what is not grey lies, from the middle of the image."""
    return float((np.abs(image) * axis).sum() / np.abs(image).sum())


@pytest.mark.parametrize(
    "stimulus", ["line 30 width 2 bright offset 0", "grating 60 wavelength 8 phase 0"]
)
def test_what_leans_right_rises_to_the_right(stimulus: str) -> None:
    image = np.clip(image_of(stimulus), 0, None)[40:87, 40:87]
    # Along a line of one brightness, right goes with up.
    vertical, horizontal = np.gradient(image)
    assert (vertical * horizontal).sum() > 0
    assert facing(stimulus) == ("tilt", ("leans right /", "leans left \\"))


@pytest.mark.parametrize("contrast", ["bright", "dark"])
def test_an_arc_that_opens_to_the_left_has_its_ends_on_the_left(contrast: str) -> None:
    image = np.abs(image_of(f"arc 180 radius 20 {contrast}"))
    middle, ends = image * (np.abs(UP) < 5), image * (np.abs(UP) > 14)
    assert centre(ends, RIGHT) < centre(middle, RIGHT) - 5
    assert facing(f"arc 180 radius 20 {contrast}")[1][0] == "opens to the left"
    assert facing(f"arc 0 radius 20 {contrast}") == (
        "curve side",
        ("opens to the right", "opens to the left"),
    )
    assert facing(f"arc 90 radius 20 {contrast}", "up-down")[1][0] == "opens upwards"
    up = np.abs(image_of(f"arc 90 radius 20 {contrast}"))
    assert centre(up * (np.abs(RIGHT) > 14), UP) > centre(up * (np.abs(RIGHT) < 5), UP) + 5


@pytest.mark.parametrize(
    ("stimulus", "axis", "side", "words"),
    [
        ("edge 180 width 1 offset 0", "left-right", -RIGHT, "bright on the left"),
        ("edge 0 width 8 offset 0", "left-right", RIGHT, "bright on the right"),
        ("edge 90 width 1 offset 0", "up-down", UP, "bright above"),
        ("edge 270 width 1 offset 0", "up-down", -UP, "bright below"),
    ],
)
def test_an_edge_is_bright_where_it_is_said_to_be(
    stimulus: str, axis: str, side: Image, words: str
) -> None:
    assert (image_of(stimulus) * side).sum() > 0
    assert facing(stimulus, axis)[1][0] == words


@pytest.mark.parametrize(
    ("stimulus", "axis", "side", "words"),
    [
        ("line 90 width 2 bright offset 6", "left-right", RIGHT, ("left", "right")),
        ("line 90 width 5 dark offset -6", "left-right", RIGHT, ("left", "right")),
        ("line 0 width 2 bright offset 6", "up-down", UP, ("below", "above")),
    ],
)
def test_a_line_beside_the_centre_lies_where_it_is_said_to(
    stimulus: str, axis: str, side: Image, words: tuple[str, str]
) -> None:
    place = centre(image_of(stimulus), side)
    assert abs(place) > 5
    name, (said, _) = facing(stimulus, axis)
    assert name == "shift"
    assert said.startswith(words[place > 0])


def test_which_asymmetry_is_told_does_not_depend_on_what_else_a_unit_answers_to() -> None:
    """A unit for arcs that open to the left, of every tilt, differs by curve side, not by tilt."""

    def opens(s: Stimulus) -> bool:
        return s.kind == "arc" and 90 < s.number("direction") < 270

    responses = np.array([[float(opens(item)) for item in BATTERY.stimuli]])
    both = np.concatenate([responses, responses[:, BATTERY.transformed("mirror left-right")]])
    sizes = Asymmetries(BATTERY.stimuli, "left-right").sizes(both)
    assert sizes["tilt"] == pytest.approx(0)
    assert sizes["curve side"].min() > 0.2


def test_what_no_mirror_changes_has_no_asymmetry() -> None:
    rng = np.random.default_rng(0)
    own = rng.random(len(BATTERY))
    even = own + own[BATTERY.transformed("mirror left-right")]
    both = np.stack([even, even])
    found = Asymmetries(BATTERY.stimuli, "left-right")
    assert found.of(both, dict.fromkeys(ASYMMETRIES, 1.0)) is None
