"""Which wavelength of gratings a unit prefers: a measure as another package would add it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitkb.observation.measures.measure import Measure, Measured, Places, Words
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray


def gratings(stimuli: Sequence[Stimulus]) -> Places:
    """Return the places of what the measure reads."""
    return np.array([i for i, item in enumerate(stimuli) if item.kind == "grating"], np.intp)


def wavelength_of(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> Measured:
    """Measure units: how much less they vary with other gratings than with the best ones."""
    places = gratings(stimuli)
    shown = np.array([stimuli[place].number("wavelength") for place in places])
    wavelengths = np.unique(shown)
    own = responses[:, places].astype(np.float64)
    swing = np.stack([own[:, shown == each].std(axis=1) for each in wavelengths], axis=1)
    preferred = wavelengths[swing.argmax(axis=1)]
    best = swing.max(axis=1)
    some = np.where(best > 0, best, np.nan)  # what no grating moves is not tested
    selectivity = 1 - swing.mean(axis=1) / some
    return Measured(
        statistic=selectivity,
        properties={"wavelength": preferred},
        detail={"wavelength": preferred, "selectivity": selectivity.round(4)},
        labels=[f"wavelength {each:g}" for each in preferred],
    )


WAVELENGTH = Measure(
    name="wavelength",
    kind="wavelength-tuning",
    version="1",
    counted="tuned",
    properties=(given("wavelength", "float", "pixels; only where it passed its null"),),
    reads=gratings,
    of=wavelength_of,
    words=Words(
        title="Wavelength",
        passed="units that prefer a wavelength",
        asked="A unit prefers a wavelength if it varies more with gratings of one than with the "
        "others, more than units of the same layer in shuffled copies do",
        strength="selectivity",
        scale="from 0 to 1",
    ),
    picture=lambda values: (
        f'<circle cx="22" cy="22" r="{min(20, values["wavelength"] / 2)}"/>',
        f"prefers {values['wavelength']:g} pixels",
    ),
)
