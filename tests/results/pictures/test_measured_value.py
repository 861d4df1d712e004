"""The picture of one value: every mark stands where its value is on one line."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from circuitkb.results.pictures.measured_value import measured_picture

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(VALUES, VALUES, VALUES, VALUES, VALUES)
def test_marks_stand_in_the_order_of_their_values(
    measured: float, predicted: float, low: float, high: float, null: float
) -> None:
    low, high = min(low, high), max(low, high)
    drawn = ET.fromstring(
        measured_picture(
            {
                "measured": measured,
                "predicted": predicted,
                "low": low,
                "high": high,
                "null_mean": null,
            }
        )
    )
    (dot,), (band,) = drawn.findall(f"{SVG}circle"), drawn.findall(f"{SVG}rect")
    lines = [path.attrib["d"] for path in drawn.findall(f"{SVG}path")]
    at = {
        measured: float(dot.attrib["cx"]),
        low: float(band.attrib["x"]),
        predicted: float(lines[0][1:].split(" ")[0]),
        null: float(lines[1][1:].split(" ")[0]),
    }
    in_order = sorted(at)
    for one, other in pairwise(in_order):
        assert at[one] <= at[other] + 0.11
    assert all(19.9 <= place <= 500.1 for place in at.values())


def test_a_value_alone_has_no_picture_and_a_missing_one_neither() -> None:
    assert measured_picture({"value": 3.0, "null_mean": None}) == ""
    assert measured_picture({"measured": None, "null_mean": 1.0}) == ""
    assert "chance 0.5" in measured_picture({"value": 3.0, "null_mean": 0.5})
