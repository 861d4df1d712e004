"""Every measure there is, asked of what a network and its shuffled copies responded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import partial
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
    """Return the measures that a battery is enough for, and what a second copy is shown for them.

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
    found = tuple(measure for measure in measures if measure.name in read)
    second = [read[measure.name] for measure in found if measure.copies > 1]
    return found, np.unique(np.concatenate([*second, []])).astype(np.intp)


def missing(measures: Sequence[Measure], known: Container[str]) -> tuple[Measure, ...]:
    """Return what was not counted yet, and the measures that these stand beside.

    Parameters
    ----------
    measures
        All that can be used.
    known
        What was counted of a model.
    """
    new = [measure for measure in measures if measure.counted not in known]
    needed = {measure.beside for measure in new} | {measure.name for measure in new}
    return tuple(measure for measure in measures if measure.name in needed)


def measure_recording(
    recording: Recording, stimuli: Sequence[Stimulus], measures: Iterable[Measure], *, seed: int
) -> Measurements:
    """Measure a network; and its first shuffled copy by the same tests, against the second or half.

    Further copies of a layer are a null of both.

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
    before, copy, copy_after = map(
        np.asarray, (responses.before, responses.shuffled_before, responses.shuffled_after)
    )
    passed: dict[str, Flags] = {}

    def tested(measure: Measure) -> tuple[Measurement, int]:
        places = measure.reads(stimuli)
        read = [stimuli[place] for place in places]
        first = Shown(read, copy[:, places])
        there = responsive_units(responses.layers, first.before, copy_after[:, places])
        if measure.copies > 1:
            network, null, layers = Shown(stimuli, before), [Shown(stimuli, copy)], responses.layers
            columns = np.searchsorted(recording.second_stimuli, places)
            second = Shown(read, _columns(recording.second_before, columns))
            null.append(second)
        else:
            network, null = Shown(read, before[:, places]), [first]
            layers, (first, there), (second, _) = _halves(responses.layers, first, there)
        further = {
            name: [Shown(read, before[:, places]) for before in copies]
            for name, copies in recording.further.items()
        }
        ask = partial(measure_against_nulls, measure, further=further, seed=seed)
        found = ask(network, null, layers=responses.layers, responsive=responsive)
        if measure.beside:
            found = replace(found, beside=passed[measure.beside])
        passed[measure.name] = found.passed
        control = ask(first, [second], layers=layers, responsive=there)
        return found, int(control.passed.sum())

    results = _each(measures, tested)
    return Measurements(
        layers=responses.layers,
        responsive=responsive,
        spread=spread_of(responses.after),
        found={name: found for name, (found, _) in results.items()},
        control={name: control for name, (_, control) in results.items()},
    )


def _halves(
    layers: Layers, shown: Shown, responsive: Flags
) -> tuple[Layers, tuple[Shown, Flags], tuple[Shown, Flags]]:
    """Return layers of every second unit of a copy, these units, and the others: as many of each.

    Of a layer of an odd number the last unit is left out.
    """
    pairs = np.concatenate(
        [np.arange(at.start, at.stop - 1, 2) for at in rows_of_layers(layers).values()]
    )
    half = tuple((name, units // 2) for name, units in layers)
    first, second = (
        (Shown(shown.stimuli, shown.before[units]), responsive[units])
        for units in (pairs, pairs + 1)
    )
    return half, first, second


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
