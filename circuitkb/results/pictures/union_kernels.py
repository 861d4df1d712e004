"""Drawings of unions of spatial kernels, on a signed scale.

The functions take plain values, not a knowledge base, and draw without a display.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.results.pictures.colours import signed_colours
from circuitkb.schema.errors import QueryError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Case:
    """One member of a union: ``kernel`` has axes (row, column), positive excites the target."""

    feature: str
    label: str
    side: int
    kernel: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class UnionDrawing:
    """A unit, the mirrored cases that excite it, and what the kernels' unit is."""

    target: str
    label: str
    cases: tuple[Case, ...]
    unit: str
    caption: str


def draw(union: UnionDrawing) -> Figure:
    """Draw a union, a row of kernels for each side.

    Raises
    ------
    QueryError
        The union has no cases.
    """
    from matplotlib.figure import Figure

    most = max((len(row) for row in _by_side(union)), default=1)
    figure = Figure(figsize=(2.55 * most + 1.5, 2.6 * 2 + 1.75), layout="constrained")
    parts: NDArray[Any] = figure.subfigures(1, 1, squeeze=False)
    part = parts[0, 0]
    part.suptitle(
        f"Two mirrored sides excite one unit: {union.target}\n{union.label}", fontsize="large"
    )
    draw_kernels(part, union)
    part.supxlabel(union.caption, fontsize="x-small", color="0.35")
    return figure


def draw_kernels(part: SubFigure, union: UnionDrawing, *, in_one_row: bool = False) -> None:
    """Draw the kernels of a union, all on one scale.

    Parameters
    ----------
    part
        Where to draw.
    in_one_row
        Both sides beside each other, instead of one below the other.

    Raises
    ------
    QueryError
        The union has no cases.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not union.cases:
        raise QueryError(f"The union at {union.target} has no cases to draw.")
    reach = max(float(np.abs(case.kernel).max()) for case in union.cases) or 1.0
    scale = Normalize(-reach, reach)
    rows = [list(union.cases)] if in_one_row else _by_side(union)
    most = max(map(len, rows))
    grid: NDArray[Any] = part.subplots(len(rows), most, squeeze=False)
    for row, cases in enumerate(rows):
        for place, axes in enumerate(grid[row]):
            if place >= len(cases):
                axes.set_axis_off()
                continue
            _draw_kernel(axes, cases[place], scale, with_side=in_one_row)
            if row == len(rows) - 1:
                axes.set_xlabel("columns right of centre", fontsize="small")
            if place == 0:
                side = "" if in_one_row else f"side {cases[0].side}\n"
                axes.set_ylabel(f"{side}rows below centre", fontsize="small")
    bar = part.colorbar(ScalarMappable(scale, signed_colours()), ax=grid, shrink=0.8, pad=0.02)
    bar.set_label(f"{union.unit}\nblue inhibits, red excites", fontsize="x-small")
    bar.ax.tick_params(labelsize="x-small")


def _by_side(union: UnionDrawing) -> list[list[Case]]:
    sides = max([2, *(case.side for case in union.cases)])
    return [[case for case in union.cases if case.side == 1 + side] for side in range(sides)]


def _draw_kernel(axes: Axes, case: Case, scale: Normalize, *, with_side: bool) -> None:
    rows, columns = case.kernel.shape
    half_rows, half_columns = rows / 2, columns / 2
    axes.imshow(
        case.kernel,
        cmap=signed_colours(),
        norm=scale,
        extent=(-half_columns, half_columns, half_rows, -half_rows),
        interpolation="nearest",
    )
    side = f"side {case.side}: " if with_side else ""
    title = f"{side}{case.feature}\n{case.label or 'no label'}"
    centroids = kernel_statistics(case.kernel)
    dy, dx = float(centroids["positive_dy"]), float(centroids["positive_dx"])
    if not np.isnan(dx):
        for colour, size, weight in (("white", 15, 4.5), ("black", 13, 2.2)):
            axes.plot(dx, dy, "+", color=colour, markersize=size, markeredgewidth=weight)
        title += f"\n+ at {_signed(dx)} right, {_signed(dy)} down"
    axes.axvline(0, color="0.5", linewidth=0.7, linestyle=":")
    axes.axhline(0, color="0.5", linewidth=0.7, linestyle=":")
    axes.set_xticks(_offsets(columns))
    axes.set_yticks(_offsets(rows))
    axes.tick_params(labelsize="x-small")
    axes.set_title(title, fontsize="small")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _offsets(size: int) -> list[float]:
    """Return whole steps from the centre, few enough to read."""
    reach = (size - 1) // 2
    step = max(1, reach // 2)
    return [float(value) for value in range(-(reach // step) * step, reach + 1, step)]
