"""One page: a union of mirrored detectors as it was measured, the analogous one, and kernels.

The functions take plain values, not a knowledge base, and draw without a display.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.results.pictures.union_kernels import draw_kernels
from circuitkb.schema.errors import QueryError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.projections.polar import PolarAxes

    from circuitkb.results.pictures.union_kernels import UnionDrawing

COLOURS = ("#0072B2", "#D55E00")
"""Of side 1 and side 2: blue and vermilion, which colour-blind readers tell apart."""

MARKERS = ("o", "s")
NULL, OTHER = "0.8", "0.55"
LETTERS = ("A", "B")
SMALL = 8
"""Inputs drawn of a union in small, besides its best cases."""

PAGE = (10.0, 13.4)
"""Inches; at 160 dots per inch and shown 1,000 pixels wide, its letters are 9 to 13 pixels high."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tuning:
    """A unit's tuning curve, and the band that holds most units of the shuffled network.

    Attributes
    ----------
    angles
        Degrees counter-clockwise from pointing right.
    curve
        Excitation above grey, in standard deviations of the unit's responses.
    low, high
        Bounds of the middle 90% of the shuffled units, each turned so that it peaks where this
        unit does.
    shuffled
        How many they are.
    """

    angles: Values
    curve: Values
    low: Values
    high: Values
    shuffled: int


@dataclass(frozen=True, eq=False)
class Shown:
    """A stimulus: its ``image`` (row, column, channel), its id, and the unit's response as z."""

    image: NDArray[np.float32]
    name: str
    response: float


@dataclass(frozen=True)
class Strength:
    """An input of a unit: its rank, its positive weight times its spread, and its side if any."""

    rank: int
    feature: str
    value: float
    side: int | None


@dataclass(frozen=True, eq=False)
class MeasuredUnion:
    """A union in a network that was observed; pairs of values belong to A and B.

    Attributes
    ----------
    model, target, target_label
        Names, and what the target is called.
    cases, labels
        Ids of A and B, and what they are called.
    tuning, stimuli
        How they are tuned, and what they respond to most.
    family
        What the tuning curves were measured with, in words.
    crop
        Rows and columns of the stimuli drawn.
    responses, mirrored
        The target's responses, as z, to the stimuli that the mirror changes and to their images.
    liked
        For each of those stimuli 1 or 2 if it is among those that A or B responds to most, else 0.
    correlation
        Of ``responses`` with ``mirrored``.
    strengths, inputs
        The target's strongest inputs, and how many it has that respond.
    pairs, hits, null_mean, q
        Pairs that passed; pairs that fulfil the criteria; what permuted weights give; and the
        share of such findings that chance explains.
    """

    model: str
    target: str
    target_label: str
    cases: tuple[str, str]
    labels: tuple[str, str]
    tuning: tuple[Tuning, Tuning]
    family: str
    crop: int
    stimuli: tuple[tuple[Shown, ...], tuple[Shown, ...]]
    responses: Values
    mirrored: Values
    liked: NDArray[np.int_]
    correlation: float
    strengths: tuple[Strength, ...]
    inputs: int
    pairs: int
    hits: int
    null_mean: float
    q: float

    @property
    def in_words(self) -> str:
        """Four lines that say what it is."""
        one, other = (
            f"{name} ({label})" if label else name
            for name, label in zip(self.cases, self.labels, strict=True)
        )
        ranks = {item.feature: item.rank for item in self.strengths}
        places = " and ".join(str(ranks[name]) for name in self.cases)
        return (
            f"{self.target} unites\n  {one} and\n  {other}:\n"
            f"  inputs {places} of {self.inputs:,} by strength; its responses to stimuli and to "
            f"their mirror images: r = {self.correlation:.2f}; q = {self.q:.2g}."
        )


def draw_across(
    unions: Sequence[MeasuredUnion], kernels: UnionDrawing, controls: Sequence[str]
) -> Figure:
    """Draw a union at large, analogous ones of other models in small, and published kernels.

    Parameters
    ----------
    unions
        The one at large first.
    kernels
        A published union, without responses.
    controls
        Sentences for the caption: what was found in each model, and what its controls give.

    Raises
    ------
    QueryError
        There is no union, or the published one has no cases.
    """
    from matplotlib.figure import Figure

    if not unions:
        raise QueryError("There is no union to draw.")
    first, *rest = unions
    figure = Figure(figsize=(PAGE[0], PAGE[1] + 2.5 * (len(rest) - 1)), layout="constrained")
    parts: NDArray[Any] = figure.subfigures(
        len(unions) + 1, 1, squeeze=False, height_ratios=[6.1, *(2.9 for _ in rest), 2.7]
    )[:, 0]
    _draw_large(parts[0], first)
    for part, union in zip(parts[1:], rest, strict=False):
        _draw_small(part, union)
    parts[-1].suptitle(
        f"By kernels alone: {kernels.target} ({kernels.label}); mirrored kernels excite one unit",
        fontsize="medium",
        fontweight="bold",
    )
    draw_kernels(parts[-1], kernels, in_one_row=True)
    figure.supxlabel(
        "\n".join((*controls, kernels.caption)), fontsize="x-small", color="0.25", ha="left", x=0.01
    )
    return figure


def _draw_large(part: SubFigure, union: MeasuredUnion) -> None:
    part.suptitle(
        f"Two mirrored detectors excite one unit: U = {_called(union)}",
        fontsize="large",
        fontweight="bold",
    )
    rows: NDArray[Any] = part.subfigures(2, 1, squeeze=False, height_ratios=[3.1, 2.7])
    above, below = rows[:, 0]
    one, middle, other = _columns(above, 2.2, 5.6, 2.2)
    for side, place in ((0, one), (1, other)):
        _draw_stimuli(place, union, side)
    _draw_curves(middle, union)
    left, right = _columns(below, 3.6, 6.4)
    _draw_invariance(left.subplots(), union, size=1.0)
    _draw_strengths(right.subplots(), union, len(union.strengths), "small")


def _draw_small(part: SubFigure, union: MeasuredUnion) -> None:
    part.suptitle(
        f"The analogous union: U = {_called(union)}", fontsize="medium", fontweight="bold"
    )
    curves, invariance, strengths = _columns(part, 4.4, 2.3, 3.3)
    _draw_curves(curves, union)
    _draw_invariance(invariance.subplots(), union, size=0.5)
    _draw_strengths(strengths.subplots(), union, SMALL, "x-small")


def _columns(part: SubFigure, *widths: float) -> list[SubFigure]:
    columns: NDArray[Any] = part.subfigures(1, len(widths), squeeze=False, width_ratios=widths)
    return list(columns[0])


def _called(union: MeasuredUnion) -> str:
    return f"{union.target} ({union.target_label})" if union.target_label else union.target


def _draw_stimuli(part: SubFigure, union: MeasuredUnion, side: int) -> None:
    """Draw what a case responds to most, as much as its receptive field holds."""
    part.suptitle(
        f"{LETTERS[side]} responds most to\n(middle {union.crop} pixels)",
        fontsize="small",
        color=COLOURS[side],
    )
    grid: NDArray[Any] = part.subplots(2, 2, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, shown in zip(grid.flat, union.stimuli[side], strict=False):
        axes.imshow(shown.image.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"{_wrapped(shown.name)}\nz = {shown.response:.1f}", fontsize=6.5)


def _wrapped(name: str, width: int = 20) -> str:
    from textwrap import wrap

    return "\n".join(wrap(name, width))


def _draw_curves(part: SubFigure, union: MeasuredUnion) -> None:
    """Draw both tuning curves round the circle, each with its null, B with A's mirror image."""
    grid: NDArray[Any] = part.subplots(1, 2, squeeze=False, subplot_kw={"projection": "polar"})
    reach = 1.05 * max(float(max(t.curve.max(), t.high.max())) for t in union.tuning)
    one = union.tuning[0]
    for side, (axes, tuning) in enumerate(zip(grid.flat, union.tuning, strict=True)):
        around = _closed(np.deg2rad(tuning.angles))
        axes.fill_between(
            around,
            _closed(tuning.low),
            _closed(tuning.high),
            color=NULL,
            linewidth=0,
            label="90% of units with shuffled weights, turned alike",
        )
        axes.plot(around, _closed(tuning.curve), color=COLOURS[side], linewidth=2)
        if side == 1:
            axes.plot(
                np.pi - _closed(np.deg2rad(one.angles)),
                _closed(one.curve),
                color=COLOURS[0],
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                label="A's curve, mirrored",
            )
        _dress_polar(axes, reach)
        label = f"\n{union.labels[side]}" if union.labels[side] else ""
        axes.set_title(
            f"{LETTERS[side]} = {union.cases[side].partition('/')[2]}{label}",
            fontsize="small",
            color=COLOURS[side],
            fontweight="bold",
        )
    part.legend(
        *grid[0, 1].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        fontsize="x-small",
        frameon=False,
        handlelength=1.8,
        columnspacing=1.2,
    )
    part.suptitle(
        f"Responses to {union.family}\nradius: excitation above grey, in SD of the responses",
        fontsize="x-small",
    )


def _dress_polar(axes: PolarAxes, reach: float) -> None:
    axes.set_ylim(0, reach)
    axes.set_thetagrids(range(0, 360, 45), [f"{angle}°" for angle in range(0, 360, 45)])
    axes.tick_params(labelsize="x-small", pad=-2)
    step = max(1, round(reach / 3))
    axes.set_rgrids(np.arange(step, reach, step), angle=270, fontsize="xx-small", color="0.3")
    axes.plot([np.pi / 2, np.pi / 2], [0, reach], color="0.3", linewidth=0.9, linestyle=":")
    axes.plot([-np.pi / 2, -np.pi / 2], [0, reach], color="0.3", linewidth=0.9, linestyle=":")
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines["polar"].set_color("0.7")


def _closed(values: Values) -> Values:
    return np.append(values, values[0])


def _draw_invariance(axes: Axes, union: MeasuredUnion, *, size: float) -> None:
    """Draw the target's response to each stimulus against that to its mirror image."""
    low = float(min(union.responses.min(), union.mirrored.min())) - 0.2
    high = float(max(union.responses.max(), union.mirrored.max())) + 0.2
    axes.plot([low, high], [low, high], color="0.6", linewidth=0.8, linestyle=":")
    rest = union.liked == 0
    axes.scatter(
        union.responses[rest],
        union.mirrored[rest],
        s=8 * size,
        color=OTHER,
        alpha=0.45,
        linewidths=0,
    )
    for side in (0, 1):
        own = union.liked == side + 1
        axes.scatter(
            union.responses[own],
            union.mirrored[own],
            s=38 * size,
            color=COLOURS[side],
            marker=MARKERS[side],
            edgecolors="white",
            linewidths=0.6,
            label=f"the {own.sum()} that {LETTERS[side]} responds to most",
        )
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel("U's response to a stimulus (z)", fontsize="small")
    axes.set_ylabel("to its mirror image (z)", fontsize="small")
    axes.set_title(
        f"U responds alike to mirror images\nr = {union.correlation:.2f} over "
        f"{len(union.responses):,} stimuli",
        fontsize="small",
    )
    axes.tick_params(labelsize="x-small")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        fontsize="x-small",
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.22),
        handletextpad=0.2,
        borderaxespad=0,
        labelspacing=0.2,
    )


def _draw_strengths(axes: Axes, union: MeasuredUnion, most: int, size: str) -> None:
    """Draw the target's strongest inputs as bars; A, B and their fellows in their colours."""
    members = [item for item in union.strengths[most:] if item.feature in union.cases]
    items = sorted((*union.strengths[:most], *members), key=lambda item: item.rank)
    letters = dict(zip(union.cases, LETTERS, strict=True))
    colours = [OTHER if item.side is None else COLOURS[item.side - 1] for item in items]
    bars = axes.barh(np.arange(len(items)), [item.value for item in items], color=colours)
    for bar, item in zip(bars, items, strict=True):
        if item.feature in letters:
            axes.annotate(
                f" {letters[item.feature]}",
                (bar.get_width(), bar.get_y() + bar.get_height() / 2),
                va="center",
                fontweight="bold",
                fontsize=size,
                color=bar.get_facecolor(),
            )
        elif item.side is not None:
            bar.set_alpha(0.45)
    axes.set_yticks(
        np.arange(len(items)),
        [f"{item.feature.partition('/')[2]}  {item.rank}" for item in items],
        fontsize=size,
    )
    axes.invert_yaxis()
    axes.margins(x=0.08, y=0.02)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize="x-small")
    axes.set_xlabel(
        "positive weight × SD of the input (pale: further cases)", fontsize=size, loc="right"
    )
    axes.set_title(
        f"The strongest of U's {union.inputs:,} inputs, with ranks\n"
        f"mirrored pairs: {union.hits}; with weights permuted: {union.null_mean:.2f}; "
        f"q = {union.q:.1g}",
        fontsize=size,
        loc="right",
    )
