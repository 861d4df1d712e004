"""What a user may say of black and white pixels."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import typer

from circuitkb.cli.observe import _numbers
from circuitkb.errors import ObservationError
from circuitkb.loaders.sources.pixels import PixelRange


def test_each_channel_has_its_own_black_and_white() -> None:
    given = PixelRange.of_levels((0, -1, 2), (1, 1, -2), channels=3)
    assert given == PixelRange((0.0, -1.0, 2.0), (1.0, 1.0, -2.0), known=True)
    shown = given.apply(np.array([0, 0.5, 1]).reshape(3, 1, 1, 1))
    np.testing.assert_allclose(shown.reshape(3, 3), [[0, -1, 2], [0.5, 0, 0], [1, 1, -2]])


@pytest.mark.parametrize(
    ("black", "white"), [(0, 255), ((0,), (255,)), ((0, 0, 0), 255), ((0, 0, 0), (255, 255, 255))]
)
def test_one_number_stands_for_all_channels_however_it_is_written(black: Any, white: Any) -> None:
    given = PixelRange.of_levels(black, white, channels=3)
    assert given == PixelRange((0.0,), (255.0,), known=True)


@pytest.mark.parametrize(
    ("black", "white", "said"),
    [
        ((0, 0), 1, "2 values are given for black, and the network reads 3 channels"),
        (0, (1, 1, 1, 1), "4 values are given for white"),
        ((0, 0, 1), 1, "Black 1 and white 1 make no image in channel 2"),
        (0.5, 0.5, "Black 0.5 and white 0.5 make no image"),
        ((0, float("nan"), 0), 1, "for black makes no image: give a finite number"),
        (0, float("-inf"), "-inf for white makes no image"),
        ((), 1, "() for black makes no image"),
        ("0", 1, "'0' for black makes no image"),
        (None, 1, "None for black makes no image"),
        (True, 0, "True for black makes no image"),
    ],
)
def test_what_makes_no_image_is_refused_by_name(black: Any, white: Any, said: str) -> None:
    with pytest.raises(ObservationError, match=re.escape(said)):
        PixelRange.of_levels(black, white, channels=3)


def test_the_command_line_takes_one_number_or_several_between_commas() -> None:
    assert _numbers("-2.5", "--black") == (-2.5,)
    assert _numbers("0, 1e1,-3", "--black") == (0.0, 10.0, -3.0)
    for wrong in ("", "1,,2", "0;1;2", "red", "1,2,"):
        with pytest.raises(typer.BadParameter, match="no number, nor several with commas"):
            _numbers(wrong, "--black")
