"""The picture of a feature's tuning: curves as plain loops give them, the band of its control."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from circuitkb.observation.kept import battery_of
from circuitkb.observation.measures.tuning import oriented_families
from circuitkb.observation.stimuli.battery import battery
from circuitkb.results.pictures.tuning_curves import tuning_picture
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.responses import Responses

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def responses() -> Responses:
    shown = battery()
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=(4, len(shown.stimuli))).astype(np.float32) for _ in range(4)]
    ids = tuple(stimulus.id for stimulus in shown.stimuli)
    return Responses(shown.name, ids, (("a", 3), ("b", 1)), *arrays, {})


def drawn(svg: str) -> list[tuple[float, list[float]]]:
    """Return for each panel its largest value and the heights of its curve, largest 1."""
    found = []
    for panel in ET.fromstring(svg).findall(f"{SVG}g"):
        line = panel.find(f"{SVG}polyline")
        assert line is not None
        ys = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
        most = next(t.text for t in panel.findall(f"{SVG}text") if (t.text or "").endswith("sd"))
        found.append((float(re.sub(" sd", "", most or "")), [(144 - y) / 110 for y in ys]))
    return found


def test_curves_are_those_of_plain_loops(responses: Responses) -> None:
    row = responses.before[1].astype(float) / responses.before[1].astype(float).std()
    stimuli = battery_of(responses).stimuli
    grey = next(i for i, s in enumerate(stimuli) if s.id.startswith("flat") and "0.5" in s.id)
    for (most, heights), family in zip(
        drawn(tuning_picture(responses, "m/a:1")), oriented_families(stimuli), strict=True
    ):
        angles = len(family.levels)
        cells: dict[int, list[float]] = {}
        for stimulus, cell in zip(family.stimuli, family.cells, strict=True):
            cells.setdefault(int(cell), []).append(max(row[stimulus] - row[grey], 0) ** 2)
        values = {cell: math.sqrt(sum(x) / len(x)) for cell, x in cells.items()}
        scale = max(values, key=values.__getitem__) // angles
        expected = [values[scale * angles + place] for place in range(angles)]
        assert heights[-1] == heights[0], "180 degrees are 0"
        for height, value in zip(heights, expected, strict=False):
            assert height * most == pytest.approx(value, abs=0.06 * most)


def test_the_band_is_that_of_the_shuffled_units_of_the_layer(responses: Responses) -> None:
    alone = tuning_picture(responses, "m/b:0")
    bands = re.findall(r'polygon points="([^"]*)"', alone)
    assert len(bands) == 3
    for band in bands:  # one shuffled unit: its curve, up and down again
        points = band.split()
        assert points[: len(points) // 2] == points[len(points) // 2 :][::-1]
    assert bands != re.findall(r'polygon points="([^"]*)"', tuning_picture(responses, "m/a:0"))


def test_a_feature_that_was_not_observed_is_named(responses: Responses) -> None:
    with pytest.raises(NotFoundError, match="m/c:0"):
        tuning_picture(responses, "m/c:0")
