"""The images that coverage is measured on: a folder's pictures, or stimuli of the battery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from circuitkb.loaders.activations.editing.runs import Indices
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View
from circuitkb.observation.stimuli.battery import battery
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.responses import Responses
from circuitkb.trials.pictures import Pictures

MOST = 200
"""Images that are shown, if nobody says otherwise."""

FEWEST = 4
"""Two to learn means from, and two to measure on."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Images of a network's own size.

    Attributes
    ----------
    words
        What they are.
    count
        How many.
    notes
        What a reader must know of them.
    give
        Some of them by number, as the network reads them.
    """

    words: str
    count: int
    notes: tuple[str, ...]
    give: Callable[[Indices], Floats]


def images(
    folder: Path | None,
    network: Network,
    view: View,
    responses: Responses | None,
    *,
    most: int,
    seed: int,
) -> Shown:
    """Return images for a network.

    Parameters
    ----------
    folder
        Of pictures; None for the battery.
    responses
        Of the model, if it was observed: they say what it reads for black and white.
    most
        How many at most; of more pictures those with the first hashes, of stimuli a random choice.

    Raises
    ------
    TrialError
        There are fewer than :data:`FEWEST`.
    """
    if most < FEWEST:
        raise TrialError(f"Coverage needs {FEWEST} images at least: {most} were asked for.")
    pixels = network.pixels
    if responses is not None:
        settings = responses.settings
        pixels = replace(
            pixels,
            black=tuple(settings["black"]),
            white=tuple(settings["white"]),
            order=tuple(settings.get("order", ())),
        )
    channels = network.example.shape[1]
    rows, columns, centre = view.rows, view.columns, view.centre
    if folder is not None:
        found = Pictures.of_folder(folder)
        if len(found) < FEWEST:
            raise TrialError(f"{folder} has {len(found)} pictures: {FEWEST} are needed at least.")
        notes = found.notes
        found = replace(found, files=found.files[:most], left_out=())
        seen = found.seen_in([view], channels)
        return Shown(
            found.name,
            len(seen),
            notes,
            lambda which: pixels.apply(
                seen.images(which, rows=rows, columns=columns, centre=centre)
            ),
        )
    stimuli = battery(channels=channels, extent=min(view.rows, view.columns))
    count = min(most, len(stimuli))
    drawn = np.random.default_rng(seed).permutation(len(stimuli))[:count]
    note = (
        "shown were synthetic stimuli of the battery, no pictures: what a network does with them "
        "says little of what it does with photographs (--images, or images=, takes a folder)"
    )
    return Shown(
        f"{stimuli.name}: {count} of its {len(stimuli):,} stimuli, drawn by seed {seed}",
        count,
        (note,),
        lambda which: pixels.apply(
            stimuli.images(drawn[which], rows=rows, columns=columns, centre=centre)
        ),
    )
