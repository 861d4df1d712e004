"""Responses of two models in a form whose products are correlations, over shared stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import KeptArray, ResponseArray, Responses

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

FEWEST_SHARED = 100
"""Stimuli that two models must share."""

LEAST_PARTICIPATION = 20.0
"""Stimuli that a unit's variance must rest on: a handful makes any two units look alike."""


@dataclass(frozen=True, eq=False)
class UnitResponses:
    """Units that can be compared, and their responses.

    Attributes
    ----------
    rows
        Row of each unit in the responses of its model, ascending within a layer.
    layer, unit
        Number of its layer among ``layers``, and its own in the layer.
    layers
        Names of the layers that take part, in order of computation.
    values
        Axes (unit, stimulus); of mean 0 and length 1 along stimuli, so that the product of two
        rows is their correlation.
    """

    rows: Rows
    layer: Rows
    unit: Rows
    layers: tuple[str, ...]
    values: Floats

    @property
    def depth(self) -> NDArray[np.float64]:
        """Relative depth of each unit's layer, from 0 (first) to 1 (last)."""
        return self.layer / max(1, len(self.layers) - 1)

    def places(self, rows: Rows) -> Rows:
        """Return where units stand among those compared, by their rows; -1 where they do not."""
        size = 1 + max(self.rows.max(initial=-1), rows.max(initial=-1))
        place = np.full(size, -1, np.intp)
        place[self.rows] = np.arange(len(self.rows))
        found: Rows = place[rows]
        return found


def shared_stimuli(first: Responses, second: Responses) -> tuple[Rows, Rows]:
    """Return the columns in both models of the stimuli that they share, in the order of their ids.

    Raises
    ------
    ObservationError
        The models were shown different batteries, or share fewer than 100 stimuli.

    Examples
    --------
    >>> def shown(battery, *stimuli):
    ...     zeros = np.zeros((1, len(stimuli)), np.float32)
    ...     return Responses(battery, stimuli, (("a", 1),), zeros, zeros, zeros, zeros, {})
    >>> shared_stimuli(shown("b1", "s"), shown("b2", "s"))
    Traceback (most recent call last):
    circuitkb.schema.errors.ObservationError: The models were shown different batteries, 'b1' and
    'b2': observe the one with the older battery again.
    """
    if first.battery != second.battery:
        raise ObservationError(
            f"The models were shown different batteries, {first.battery!r} and "
            f"{second.battery!r}: observe the one with the older battery again."
        )
    columns = [{id_: i for i, id_ in enumerate(each.stimuli)} for each in (first, second)]
    shared = sorted(columns[0].keys() & columns[1].keys())
    if len(shared) < FEWEST_SHARED:
        raise ObservationError(
            f"The models share {len(shared)} stimuli, too few to compare their responses to "
            f"({FEWEST_SHARED} are needed): load one of them with larger images, and observe it."
        )
    one, other = (np.array([of[id_] for id_ in shared], np.intp) for of in columns)
    return one, other


def participation_ratio(values: Floats) -> NDArray[np.float64]:
    """Return how many stimuli the variance of each unit rests on.

    That of the squared deviations: (sum d^2)^2 / sum d^4. A unit that responds alike to k of many
    stimuli, and not to the others, has k; so has one that responds to all but k. It has no
    threshold for what a response is, and no unit of measurement.

    Parameters
    ----------
    values
        Axes (unit, stimulus); deviations from the mean, of length 1.

    Examples
    --------
    >>> responses = np.zeros((1, 10_000), np.float32)
    >>> responses[0, :3] = 5
    >>> deviations = responses - responses.mean()
    >>> participation_ratio(deviations / np.linalg.norm(deviations)).round(1).tolist()
    [3.0]
    """
    squares = np.square(values)
    fourth = np.einsum("us,us->u", squares, squares, dtype=np.float64)
    counts: NDArray[np.float64] = 1 / np.maximum(fourth, 1e-300)
    return counts


def unit_responses(
    array: KeptArray, responses: Responses, columns: Rows, layers: Sequence[str] | None = None
) -> UnitResponses:
    """Return the units whose responses can be compared.

    Parameters
    ----------
    array
        One of the arrays of ``responses``.
    responses
        Whose layers it has.
    columns
        Stimuli to compare, in order.
    layers
        Layers that take part, in order of computation; None for all.

    Raises
    ------
    ObservationError
        A layer that was not observed.
    """
    names = tuple(responses.rows if layers is None else layers)
    unknown = [name for name in names if name not in responses.rows]
    if unknown:
        raise ObservationError(
            f"Layer {unknown[0]!r} was not observed.{did_you_mean(unknown[0], responses.rows)}"
        )
    parts: list[tuple[Rows, Rows, Floats]] = [
        (np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, len(columns)), np.float32))
    ]
    for number, name in enumerate(names):
        of_layer: ResponseArray = array[responses.rows[name]][:, columns]
        unit = np.flatnonzero(is_responsive(of_layer))
        deviations = _deviations(of_layer[unit])
        enough = participation_ratio(deviations) >= LEAST_PARTICIPATION
        unit = unit[enough]
        parts.append((np.full(len(unit), number, np.intp), unit, deviations[enough]))
    layer, unit, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    starts = np.array([responses.rows[name].start for name in names], np.intp)
    return UnitResponses(starts[layer] + unit, layer, unit, names, values)


def _deviations(responses: ResponseArray) -> Floats:
    """Return deviations from each unit's mean, of length 1; every unit must vary."""
    values: Floats = responses.astype(np.float32)
    # First of a size near 1, so that no square leaves the range of single precision.
    values /= np.abs(values).max(axis=1, keepdims=True, initial=np.float32(1e-30))
    values -= values.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values
