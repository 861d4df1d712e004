"""Tuning curves by direction, and the page that shows a measured union."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuitkb.demonstration import direction_tuning
from circuitkb.errors import QueryError
from circuitkb.observation.measures.tuning import grey_of
from circuitkb.observation.stimuli.battery import battery
from circuitkb.results.pictures import union_page
from circuitkb.results.pictures.union_kernels import Case, UnionDrawing

BATTERY = battery(extent=63)
FAMILIES = {item.name: item for item in direction_tuning.directed_families(BATTERY.stimuli)}
KERNELS = UnionDrawing("p/l:0", "head", (Case("k:0", "", 1, np.eye(3)),), "weight", "a source")


def likes(kind: str, parameter: str, value: float) -> np.ndarray:
    """Responses of a unit that one direction of one kind excites, and nothing else."""
    return np.array(
        [item.kind == kind and item.number(parameter) == value for item in BATTERY.stimuli], float
    )


def curve(responses: np.ndarray, family: str) -> np.ndarray:
    found: np.ndarray = FAMILIES[family].curves(responses[None], grey_of(BATTERY.stimuli))[0]
    return found


def test_families_go_all_round_the_circle() -> None:
    assert list(FAMILIES) == ["curves", "edges", "lines", "gratings"]
    for family in FAMILIES.values():
        assert family.angles.tolist() == list(range(0, 360, 15))


@pytest.mark.parametrize(
    ("family", "kind", "parameter", "value", "peaks", "mirrored"),
    [
        ("edges", "edge", "direction", 30, [30], [150]),
        ("curves", "arc", "direction", 45, [45], [135]),
        ("lines", "line", "orientation", 60, [60, 240], [120, 300]),
        ("gratings", "grating", "orientation", 0, [0, 180], [0, 180]),
    ],
)
def test_a_curve_peaks_where_the_unit_was_made_to_and_mirrored_on_the_other_side(
    family: str, kind: str, parameter: str, value: float, peaks: list[int], mirrored: list[int]
) -> None:
    found = curve(likes(kind, parameter, value), family)
    angles = FAMILIES[family].angles
    assert angles[found > 0].tolist() == peaks
    assert angles[FAMILIES[family].mirrored(found) > 0].tolist() == mirrored


def test_a_curve_is_the_root_mean_square_in_standard_deviations() -> None:
    responses = likes("edge", "direction", 30)
    expected = 1 / responses.std()
    assert curve(responses, "edges").max() == pytest.approx(expected)
    assert curve(7 * responses + 3, "edges").max() == pytest.approx(expected), "whatever the scale"


def test_what_lies_below_grey_and_a_silent_unit_have_no_curve() -> None:
    assert not curve(-likes("edge", "direction", 30), "edges").any()
    assert not curve(np.zeros(len(BATTERY)), "edges").any()


def test_mirror_images_gain_by_mirroring_and_like_ones_lose() -> None:
    right, left = (curve(likes("edge", "direction", value), "edges") for value in (30, 150))
    gain = direction_tuning.gain_by_mirroring
    assert gain(right, left, FAMILIES["edges"]) > 1
    assert gain(right, right, FAMILIES["edges"]) < -1


def union(**changes: Any) -> union_page.MeasuredUnion:
    angles = np.arange(0.0, 360, 15)
    tuning = tuple(
        union_page.Tuning(
            angles,
            np.clip(np.cos(np.deg2rad(angles - peak)), 0, None),
            0 * angles,
            0 * angles + 0.3,
            40,
        )
        for peak in (30, 150)
    )
    shown = tuple(
        union_page.Shown(np.full((8, 8, 3), 0.5, np.float32), "edge 30", 2.0) for _ in range(4)
    )
    responses = np.linspace(-1, 3, 40)
    strengths = tuple(
        union_page.Strength(1 + i, f"m/a:{i}", 1.0 - 0.1 * i, {0: 1, 5: 2}.get(i)) for i in range(8)
    )
    values = {
        "model": "m",
        "target": "m/b:7",
        "target_label": "",
        "cases": ("m/a:0", "m/a:5"),
        "labels": ("", "curve"),
        "tuning": tuning,
        "family": "edges",
        "crop": 8,
        "stimuli": (shown, shown),
        "responses": responses,
        "mirrored": responses[::-1],
        "liked": np.repeat([0, 1, 2, 0], 10),
        "correlation": -1.0,
        "strengths": strengths,
        "inputs": 90,
        "pairs": 1,
        "hits": 2,
        "null_mean": 0.1,
        "q": 0.01,
    }
    return union_page.MeasuredUnion(**{**values, **changes})


def panels(figure: Any) -> list[Any]:
    """Return all axes, however deep they lie."""
    below = [axes for part in figure.subfigs for axes in panels(part)]
    return [*figure._localaxes, *below]


def test_the_page_shows_the_mirrored_curve_over_the_other_case() -> None:
    figure = union_page.draw_across([union(), union()], KERNELS, ["a control"])
    polar = [axes for axes in panels(figure) if axes.name == "polar"]
    assert len(polar) == 4
    lines = [line for line in polar[1].lines if line.get_label() == "A's curve, mirrored"]
    (mirrored,) = lines
    x, y = mirrored.get_data()
    assert np.rad2deg(x[np.argmax(y)]) % 360 == pytest.approx(150)


def test_bars_are_the_strengths_and_the_cases_stand_out() -> None:
    figure = union_page.draw_across([union()], KERNELS, [])
    (bars,) = [axes for axes in panels(figure) if axes.get_title(loc="right")]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(
        [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    )
    assert [text.get_text().strip() for text in bars.texts] == ["A", "B"]
    assert "90 inputs" in bars.get_title(loc="right")
    assert "weights permuted: 0.10" in bars.get_title(loc="right")


def test_the_caption_tells_the_controls() -> None:
    figure = union_page.draw_across([union()], KERNELS, ["permuted weights give 36"])
    assert "permuted weights give 36" in figure._supxlabel.get_text()


def test_no_union_is_no_page() -> None:
    with pytest.raises(QueryError, match="no union"):
        union_page.draw_across([], KERNELS, [])


def test_its_words_name_the_cases_with_labels_and_ranks() -> None:
    lines = union().in_words.splitlines()
    assert lines[:3] == ["m/b:7 unites", "  m/a:0 and", "  m/a:5 (curve):"]
    assert lines[3].startswith("  inputs 1 and 6 of 90 by strength;")
