"""A counterexample, drawn: what every input gives its target there, and the image, if it is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.results.pictures.colours import EXCITES, INHIBITS
from circuitkb.schema.errors import ProofError
from circuitkb.stores.disk.whole_file import whole_file

SHOWN = 14
"""Inputs that are drawn at most; what the others give is one bar."""

KINDS = (".png", ".svg", ".pdf")


class Given(NamedTuple):
    """What one input gives the target: its name, its value there, and weight times value.

    ``named`` says whether the statement names it.
    """

    name: str
    value: float
    gives: float
    named: bool


def draw_counterexample(
    file: Path,
    title: str,
    given: Sequence[Given],
    bias: float,
    target: float,
    image: NDArray[np.float64] | None,
) -> None:
    """Draw a counterexample to a new file.

    Parameters
    ----------
    title
        What was refuted.
    given
        Of all inputs; the largest are drawn, those that the statement names first.
    image
        Values from 0 to 1, axes (row, column, colour).

    Raises
    ------
    ProofError
        The file is of no kind that can be drawn.
    StoreError
        It is there already.
    """
    if file.suffix.lower() not in KINDS:
        raise ProofError(f"{file} is no picture: name a file that ends in {', '.join(KINDS)}.")
    from matplotlib.figure import Figure

    panels = (image is not None) + bool(given)
    figure = Figure(figsize=(1 + 4.2 * panels, 4.6), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=8, wrap=True, parse_math=False)
    axes = iter(figure.subplots(1, panels, squeeze=False)[0])
    if image is not None:
        place = next(axes)
        place.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        place.set_title("the image", fontsize=7)
        place.set_xticks([])
        place.set_yticks([])
    if given:
        largest = sorted(given, key=lambda one: (not one.named, -abs(one.gives)))[:SHOWN]
        rest = sum(one.gives for one in given) - sum(one.gives for one in largest)
        bars = [(f"{one.name} = {one.value:.3g}", one.gives) for one in largest]
        bars += [(f"{len(given) - len(largest)} others", rest), ("bias", bias)]
        bars += [("target", target)]
        place = next(axes)
        values = [value for _, value in bars]
        colours = [EXCITES if value > 0 else INHIBITS for value in values]
        place.barh(range(len(bars)), values, color=colours)
        place.set_yticks(range(len(bars)), [name for name, _ in bars], fontsize=6, parse_math=False)
        place.invert_yaxis()
        place.axvline(0, color="black", linewidth=0.6)
        place.set_title("what each input gives the target there", fontsize=7)
        place.tick_params(axis="x", labelsize=6)
    with whole_file(file, overwrite=False) as made:
        figure.savefig(made, format=file.suffix[1:].lower())
