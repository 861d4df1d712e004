"""Drawings of circuits: spatial kernels on a signed scale, and what drives a unit.

The functions take plain values, not a knowledge base, and draw without a display.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitkb.schema.errors import QueryError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

COLOURS = "RdBu_r"
"""Diverging map: red excites, blue inhibits, white is zero; told apart by colour-blind readers."""

_EXCITES, _INHIBITS = "#b2182b", "#2166ac"


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


@dataclass(frozen=True)
class Input:
    """One weight into a unit: the mass of each sign (``negative`` is at most 0)."""

    feature: str
    positive: float
    negative: float


@dataclass(frozen=True)
class InputsDrawing:
    """The strongest inputs of a unit, strongest first."""

    target: str
    inputs: tuple[Input, ...]
    caption: str


def positive_centroid(kernel: NDArray[np.floating[Any]]) -> tuple[float, float] | None:
    """Return where the positive mass of a kernel lies: rows below, columns right of its centre.

    Parameters
    ----------
    kernel
        Axes (row, column).

    Returns
    -------
    (dy, dx), or None where no value is positive.

    Examples
    --------
    >>> positive_centroid(np.array([[0.0, -1.0, 3.0]]))
    (0.0, 1.0)
    >>> positive_centroid(np.array([[-1.0]])) is None
    True
    """
    mass = np.clip(kernel, 0, None)
    total = float(mass.sum())
    if total == 0:
        return None
    rows, columns = kernel.shape
    dy = float(mass.sum(axis=1) @ (np.arange(rows) - (rows - 1) / 2)) / total
    dx = float(mass.sum(axis=0) @ (np.arange(columns) - (columns - 1) / 2)) / total
    return dy, dx


def draw(union: UnionDrawing, inputs: InputsDrawing | None = None) -> Figure:
    """Draw a union beside the strongest inputs of another unit.

    Raises
    ------
    QueryError
        The union has no cases.
    """
    from matplotlib.figure import Figure

    if not union.cases:
        raise QueryError(f"The union at {union.target} has no cases to draw.")
    sides = max(2, max(case.side for case in union.cases))
    most = max(sum(case.side == side + 1 for case in union.cases) for side in range(sides))
    width = 2.55 * most + 1.5
    figure = Figure(
        figsize=(width + (5.2 if inputs else 0.0), 2.6 * sides + 1.75), layout="constrained"
    )
    ratios = (width, 5.2) if inputs else (width,)
    parts: NDArray[Any] = figure.subfigures(
        1, len(ratios), squeeze=False, width_ratios=ratios, wspace=0.04
    )
    _draw_union(parts[0, 0], union, sides, most)
    if inputs:
        _draw_inputs(parts[0, 1], inputs)
    return figure


def _draw_union(part: SubFigure, union: UnionDrawing, sides: int, most: int) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    reach = max(float(np.abs(case.kernel).max()) for case in union.cases) or 1.0
    scale = Normalize(-reach, reach)
    part.suptitle(
        f"Two mirrored sides excite one unit: {union.target}\n{union.label}",
        fontsize="large",
    )
    grid: NDArray[Any] = part.subplots(sides, most, squeeze=False)
    for side in range(sides):
        cases = [case for case in union.cases if case.side == side + 1]
        for place in range(most):
            axes = grid[side, place]
            if place >= len(cases):
                axes.set_axis_off()
                continue
            _draw_kernel(axes, cases[place], scale)
            if side == sides - 1:
                axes.set_xlabel("columns right of centre", fontsize="small")
            if place == 0:
                axes.set_ylabel(f"side {side + 1}\nrows below centre", fontsize="small")
    bar = part.colorbar(ScalarMappable(scale, COLOURS), ax=grid, shrink=0.8, pad=0.02)
    bar.set_label(f"{union.unit}\nblue inhibits, red excites", fontsize="small")
    bar.ax.tick_params(labelsize="small")
    part.supxlabel(union.caption, fontsize="x-small", color="0.35")


def _draw_kernel(axes: Axes, case: Case, scale: Normalize) -> None:
    rows, columns = case.kernel.shape
    half_rows, half_columns = rows / 2, columns / 2
    axes.imshow(
        case.kernel,
        cmap=COLOURS,
        norm=scale,
        extent=(-half_columns, half_columns, half_rows, -half_rows),
        interpolation="nearest",
    )
    title = f"{case.feature}\n{case.label or 'no label'}"
    centre = positive_centroid(case.kernel)
    if centre is not None:
        dy, dx = centre
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


def _draw_inputs(part: SubFigure, drawing: InputsDrawing) -> None:
    part.suptitle(f"Strongest inputs of {drawing.target}", fontsize="large")
    axes = part.subplots()
    inputs: Sequence[Input] = drawing.inputs
    places = np.arange(len(inputs))
    axes.barh(places, [item.positive for item in inputs], color=_EXCITES, label="positive mass")
    axes.barh(places, [item.negative for item in inputs], color=_INHIBITS, label="negative mass")
    mixed = [i for i, item in enumerate(inputs) if item.positive and item.negative]
    if mixed:  # Elsewhere the net weight is the bar.
        axes.plot(
            [inputs[i].positive + inputs[i].negative for i in mixed],
            mixed,
            linestyle="none",
            marker="D",
            markersize=4.5,
            color="white",
            markeredgecolor="black",
            label="net weight",
        )
    axes.set_yticks(places, [item.feature for item in inputs], fontsize="small")
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.margins(x=0.05, y=0.02)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize="small")
    axes.set_xlabel(
        "sum of kernel values of each sign\n(pre-activation per unit of activation)",
        fontsize="small",
    )
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, fontsize="small", frameon=False
    )
    part.supxlabel(drawing.caption, fontsize="x-small", color="0.35")
