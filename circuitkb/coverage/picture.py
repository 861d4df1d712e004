"""The curve of a network's coverage, and its layers, as a picture."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from circuitkb.coverage.coverage import Coverage
from circuitkb.coverage.curve import SHARES
from circuitkb.schema.errors import TrialError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {
    "chosen first": "#0550ae",
    "weight magnitude": "#bc4c00",
    "gradient x activation": "#1a7f37",
    "random": "#8c959f",
}


def check_file(file: Path, ending: str = ".png") -> None:
    """Refuse a file that cannot be written, before anything is measured.

    Raises
    ------
    TrialError
        It is there, its folder is not, or it has another ending.
    """
    if file.suffix.lower() != ending:
        raise TrialError(f"{file}: name it {ending}, as that is what is written.")
    if file.exists():
        raise TrialError(f"{file} is there already: give another name.")
    if not file.absolute().parent.is_dir():
        raise TrialError(f"There is no folder {file.absolute().parent} for {file.name}.")


def save(found: Coverage, file: Path) -> None:
    """Write the picture: whole, or not at all."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(png(found))
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def png(found: Coverage) -> bytes:
    """Return the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    _curves(left, found)
    _layers(right, found)
    figure.suptitle(
        f"{found.model}: {found.explained}\n{found.shown}", fontsize="medium", parse_math=False
    )
    file = io.BytesIO()
    unsigned = {"Software": None}  # the same bytes by any version that draws it
    figure.savefig(file, format="png", metadata=cast("dict[str, str]", unsigned))
    return file.getvalue()


def _curves(axes: Axes, found: Coverage) -> None:
    for name, curve in found.curves.items():
        label = f"{name} (CPR {curve['cpr']:.2f}, CMD {curve['cmd']:.2f})"
        heights = [point["faithfulness"] for point in curve["points"]]
        axes.plot(SHARES, heights, "o-", ms=3, color=_COLOURS.get(name), label=label)
    if found.chosen is not None:
        share = max(found.chosen["edges"] / found.edges, SHARES[0] / 100)
        axes.plot(
            [share], [found.chosen["faithfulness"]], "*", ms=13, color="#0550ae", label="alone"
        )
    axes.axhline(1, color="#57606a", lw=0.7, ls=":")
    axes.axhline(0, color="#57606a", lw=0.7, ls=":")
    axes.set_xscale("log")
    axes.set_xlabel("share of the edges that run, all others at their mean")
    axes.set_ylabel("faithfulness: share of the answer's lead")
    axes.legend(fontsize="x-small", frameon=False)


def _layers(axes: Axes, found: Coverage) -> None:
    places = range(len(found.layers))
    for name, label in (
        ("variance", "of variance"),
        ("weight", "of weight (l1)"),
        ("effect", "of first-order effect on the answer"),
    ):
        axes.plot(places, [max(0.0, row[name]) for row in found.layers], "o-", ms=3, label=label)
    axes.set_xlabel("layer, in order of computation")
    axes.set_ylabel("share explained")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="x-small", frameon=False)
