"""Every measure there is, asked of what a network and its shuffled copies responded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from circuitkb.observation.measures.against_nulls import (
    Flags,
    Layers,
    Measurement,
    Shown,
    measure_against_nulls,
)
from circuitkb.observation.measures.measure import Measure, Places
from circuitkb.observation.measures.responsiveness import is_responsive, spread_of
from circuitkb.observation.measures.rows import Measurements
from circuitkb.observation.recording import Recording
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.registry import PluginWarning
from circuitkb.schema.responses import KeptArray, ResponseArray, rows_of_layers

T = TypeVar("T")


def usable(
    measures: Iterable[Measure], stimuli: Sequence[Stimulus]
) -> tuple[tuple[Measure, ...], Places]:
    """Return the measures that a battery is enough for, and the places of what they read.

    Raises
    ------
    ObservationError
        It is enough for none; that of the first.

    Examples
    --------
    >>> from circuitkb.observation.measures.measure import measures
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> found, places = usable(measures(), battery().stimuli)
    >>> found[0].name, len(places) >= 481
    ('orientation', True)
    """
    measures = tuple(measures)
    read = _each(measures, lambda measure: measure.reads(stimuli))
    places = np.unique(np.concatenate([*read.values()])).astype(np.intp)
    return tuple(measure for measure in measures if measure.name in read), places


def measure_recording(
    recording: Recording, stimuli: Sequence[Stimulus], measures: Iterable[Measure], *, seed: int
) -> Measurements:
    """Measure a network; and its first shuffled copy, against the second, by the same tests.

    Parameters
    ----------
    recording
        What the network and its copies responded.
    stimuli
        Those of the battery, in the order of the columns.
    measures
        What :func:`usable` returned. One that fails is left out with a warning, so long as
        another works.
    seed
        Of the permutations of labels.
    """
    responses = recording.responses
    responsive = responsive_units(responses.layers, responses.before, responses.after)

    def tested(measure: Measure) -> tuple[Measurement, int]:
        places = measure.reads(stimuli)
        read = [stimuli[place] for place in places]
        columns = np.searchsorted(recording.second_stimuli, places)
        second = Shown(read, _columns(recording.second_before, columns))
        found = measure_against_nulls(
            measure,
            Shown(stimuli, np.asarray(responses.before)),
            [Shown(stimuli, np.asarray(responses.shuffled_before)), second],
            layers=responses.layers,
            responsive=responsive,
            seed=seed,
        )
        before, after = responses.shuffled_before[:, places], responses.shuffled_after[:, places]
        control = measure_against_nulls(
            measure,
            Shown(read, before),
            [second],
            layers=responses.layers,
            responsive=responsive_units(responses.layers, before, after),
            seed=seed,
        )
        return found, int(control.passed.sum())

    results = _each(measures, tested)
    return Measurements(
        layers=responses.layers,
        responsive=responsive,
        spread=spread_of(responses.after),
        found={name: found for name, (found, _) in results.items()},
        control={name: control for name, (_, control) in results.items()},
    )


def responsive_units(layers: Layers, before: KeptArray, after: KeptArray) -> Flags:
    """Return which units respond both before and after the nonlinearity, each in its layer."""
    responsive = np.zeros(len(before), bool)
    for units in rows_of_layers(layers).values():
        responsive[units] = is_responsive(before[units]) & is_responsive(after[units])
    return responsive


def _columns(array: ResponseArray, columns: Places) -> ResponseArray:
    """Return some columns; the array itself, without a copy, where they are all of them."""
    whole = np.array_equal(columns, np.arange(array.shape[1]))
    return array if whole else array[:, columns]


def _each(measures: Iterable[Measure], do: Callable[[Measure], T]) -> dict[str, T]:
    """Do something for each measure; one that fails leaves the rest alone, if there is a rest."""
    done: dict[str, T] = {}
    failed: list[tuple[str, Exception]] = []
    for measure in measures:
        try:
            done[measure.name] = do(measure)
        except Exception as error:  # whatever another package's code may raise
            failed.append((measure.name, error))
    if failed and not done:
        raise failed[0][1]
    for name, why in failed:
        said = str(why).strip().partition("\n")[0]
        warnings.warn(
            f"The measure {name!r} cannot be used here: {type(why).__name__}: {said}",
            PluginWarning,
            stacklevel=3,
        )
    return done
