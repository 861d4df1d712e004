"""Kernels of a union are drawn on one signed scale, with the place of their positive mass."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.errors import QueryError
from circuitkb.results.pictures import union_kernels


def drawing(*kernels: np.ndarray) -> union_kernels.UnionDrawing:
    cases = tuple(
        union_kernels.Case(f"mixed4a:{i}", "a label", 1 + i % 2, kernel)
        for i, kernel in enumerate(kernels)
    )
    return union_kernels.UnionDrawing("m/l:0", "the union", cases, "weight", "a source")


def test_the_figure_marks_the_centroid_of_positive_mass_and_shares_one_symmetric_scale() -> None:
    left = np.zeros((5, 5))
    left[2, 1], left[0, 4] = 2.0, -3.0
    figure = union_kernels.draw(drawing(left, left[:, ::-1]))
    panels = [axes for part in figure.subfigs for axes in part.axes if axes.images]
    assert len(panels) == 2
    for axes, column in zip(panels, (-1.0, 1.0), strict=True):
        marks = {tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() == "+"}
        assert marks == {(column, 0.0)}
        assert axes.images[0].get_clim() == (-3.0, 3.0)
        assert axes.get_title().startswith("mixed4a:")


def test_both_sides_may_stand_in_one_row() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    part = figure.subfigures(1, 1, squeeze=False)[0, 0]
    union_kernels.draw_kernels(part, drawing(np.eye(3), np.eye(3)[::-1]), in_one_row=True)
    titles = [axes.get_title() for axes in part.axes if axes.images]
    assert [title.partition(":")[0] for title in titles] == ["side 1", "side 2"]


def test_a_union_without_cases_is_not_drawn() -> None:
    with pytest.raises(QueryError, match="no cases"):
        union_kernels.draw(drawing())
