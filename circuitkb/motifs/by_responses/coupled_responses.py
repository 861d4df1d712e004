"""Responses of all units to stimuli and to their images, so that any two units can be compared.

A transform that is its own inverse sorts the stimuli into couples: one, and its image. Half the
sum of a unit's two responses is its *even* part, half the difference its *odd* part, and then

- corr(A, B) = even A . even B + odd A . odd B,
- corr(A on the images, B) = even A . even B - odd A . odd B.

Two products of half the length give both, for whole layers at once, and the second is symmetric:
if A responds to the images as B does to the stimuli, so does B as A does. A transform that is not
its own inverse (a quarter turn) has no such couples; a motif that asks for one will need another
class beside this one, with both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.schema.errors import QueryError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.responses import KeptArray

Rows = NDArray[np.intp]
"""Rows of :class:`CoupledResponses`: units of the whole model, in the order of its layers."""

WEAKEST = 0.05
"""A unit responds if its spread exceeds this share of the root mean square spread of its layer.

Scale-free; on both EfficientNet-Lites it leaves within 2% as many units as a spread of .02 did.
"""

TOP = 10
"""Stimuli that a unit responds to most."""


def couples(permutation: NDArray[Any], stimuli: int, transform: str) -> tuple[Rows, Rows]:
    """Return the stimuli that a transform changes, each once, and their images.

    Parameters
    ----------
    permutation
        Index of each stimulus's image.
    stimuli
        Number of stimuli.
    transform
        Its name, for messages.

    Raises
    ------
    QueryError
        It is no permutation of the stimuli, not its own inverse, or changes none of them.

    Examples
    --------
    >>> couples(np.array([1, 0, 2, 4, 3]), 5, "mirror left-right")
    (array([0, 3]), array([1, 4]))
    """
    image = np.asarray(permutation)
    place = np.arange(stimuli)
    if image.shape != place.shape or not np.array_equal(np.sort(image), place):
        raise QueryError(
            f"{transform!r}: {image.size} images do not belong to these {stimuli} stimuli; observe "
            "the model again."
        )
    if not np.array_equal(image[image], place):
        raise QueryError(
            f"{transform!r} is not its own inverse; only such transforms can be searched for yet."
        )
    first = np.flatnonzero(place < image)
    if not len(first):
        raise QueryError(f"{transform!r} changes none of the battery's stimuli.")
    return first, image[first].astype(np.intp)


@dataclass(frozen=True, eq=False)
class CoupledResponses:
    """What all units of a model respond with to the couples of a transform.

    Memory: as much as the responses in single precision; the responses given are read again later.

    Attributes
    ----------
    layers
        Rows of each layer.
    shown, stimuli
        The responses to all stimuli, as given, axes (unit, stimulus), and the places of the first
        members of all couples, then of the second ones.
    even, odd
        Axes (unit, couple). Of the responses less their mean, scaled to a common length of 1; zeros
        for a unit of constant responses.
    spread
        For each unit: standard deviation of its responses to the stimuli of all couples.
    is_responsive
        For each unit: whether any stimulus of the battery moves it.
    measurable
        For each unit: whether it is responsive, and its spread is not a trace beside its layer's.
    """

    layers: Mapping[str, slice]
    shown: KeptArray
    stimuli: Rows
    even: Floats
    odd: Floats
    spread: Floats
    is_responsive: NDArray[np.bool_]
    measurable: NDArray[np.bool_]

    @classmethod
    def of(
        cls, responses: KeptArray, layers: Mapping[str, slice], first: Rows, second: Rows
    ) -> CoupledResponses:
        """Split responses with axes (unit, stimulus) into even and odd parts.

        Parameters
        ----------
        responses, layers
            As in :class:`~circuitkb.schema.responses.Responses`.
        first, second
            What :func:`couples` returned.

        Examples
        --------
        Unit 1 responds to the images as unit 0 to the stimuli:

        >>> responses = np.array([[3, 0, 1, 0], [0, 3, 0, 1]], np.float32)
        >>> found = CoupledResponses.of(
        ...     responses, {"a": slice(0, 2)}, np.array([0, 2]), np.array([1, 3]))
        >>> corr_image, corr = found.compare(np.array([0]), np.array([1]))
        >>> f"{corr_image[0, 0]:.2f}", f"{corr[0, 0]:.2f}"
        ('1.00', '-0.67')
        """
        units, size = len(responses), len(first)
        even, odd = np.empty((2, units, size), np.float32)
        spread, any_response, measurable = np.zeros(units, np.float32), *np.zeros((2, units), bool)
        for rows in layers.values():
            any_response[rows] = is_responsive(responses[rows])
            own = responses[rows].astype(np.float32)
            one, other = own[:, first], own[:, second]
            mean = 0.5 * (one.mean(axis=1) + other.mean(axis=1))
            even[rows] = 0.5 * (one + other) - mean[:, None]
            odd[rows] = 0.5 * (one - other)
            length = np.sqrt(_squares(even[rows]) + _squares(odd[rows]))
            # What rounding leaves of a constant is no response.
            some = any_response[rows] & (length > 1e-6 * np.abs(mean))
            scale = np.where(some, 1 / np.where(some, length, 1), 0)[:, None].astype(np.float32)
            even[rows] *= scale
            odd[rows] *= scale
            spread[rows] = np.where(some, length, 0) / np.sqrt(size)
            whole = np.sqrt(np.mean(spread[rows].astype(np.float64) ** 2)) if len(own) else 0.0
            measurable[rows] = some & (spread[rows] > WEAKEST * whole)
        stimuli = np.concatenate([first, second])
        return cls(dict(layers), responses, stimuli, even, odd, spread, any_response, measurable)

    def measurable_rows(self, layer: str) -> Rows:
        """Return the rows of a layer's units that respond."""
        rows = self.layers[layer]
        found: Rows = rows.start + np.flatnonzero(self.measurable[rows])
        return found

    def layer_of(self, rows: Rows) -> Rows:
        """Return for each row the place of its layer among ``layers``."""
        stops = np.array([own.stop for own in self.layers.values()])
        found: Rows = np.searchsorted(stops, rows, side="right")
        return found

    def unit_of(self, row: int) -> tuple[str, int]:
        """Return the layer and the number of one unit."""
        layer, own = list(self.layers.items())[int(self.layer_of(np.array(row)))]
        return layer, row - own.start

    @property
    def invariance(self) -> Floats:
        """For each unit: correlation of its responses to the images and to the stimuli."""
        return _squares(self.even) - _squares(self.odd)

    def compare(self, one: Rows, other: Rows) -> tuple[Floats, Floats]:
        """Return the correlations of all pairs: one on the images with the other, and as they are.

        Axes (one, other). Both are symmetric in the pair.
        """
        even, odd = self.even[one], self.odd[one]
        if np.array_equal(one, other):
            # A matrix times its own transpose takes half the work.
            shared, opposed = even @ even.T, odd @ odd.T
        else:
            shared, opposed = even @ self.even[other].T, odd @ self.odd[other].T
        corr = shared + opposed
        shared -= opposed
        return shared, corr

    def response_to(self, targets: Rows, sources: Rows) -> Floats:
        """Return how the targets respond, on average, to the stimuli that sources respond to most.

        In standard deviations from the target's mean, over the stimuli of all couples. Axes
        (target, source). Where several stimuli tie for the last place (a saturated unit responds
        alike to many), they share it.
        """
        chosen = top_stimuli(self.shown[sources][:, self.stimuli].astype(np.float32))
        even, odd = self.even[targets], self.odd[targets]
        values = np.concatenate([even + odd, even - odd], axis=1)
        found: Floats = values @ (np.sqrt(np.float32(even.shape[1])) * chosen).T
        return found

    def side_score(self, units: Rows, sides: Floats) -> Floats:
        """Return for each unit whether it responds more to the first (< 0) or second members.

        ``sides`` weighs the couples, as :func:`side_weights` makes it.
        """
        found: Floats = -self.odd[units] @ sides
        return found


def side_weights(
    sides: NDArray[Any] | None, first: Rows, second: Rows, stimuli: Sequence[str]
) -> Floats:
    """Return what each couple says of the sides of a unit that responds to its first member.

    ``sides`` has a number for each stimulus, below 0 for side 1. Without it the first member of
    each couple, the one that stands first in the battery, is of side 1.

    Raises
    ------
    QueryError
        Not one number for each stimulus.
    """
    if sides is None:
        return np.ones(len(first), np.float32)
    given = np.asarray(sides, np.float32)
    if given.shape != (len(stimuli),):
        raise QueryError(f"{given.size} sides are given for {len(stimuli)} stimuli.")
    found: Floats = 0.5 * (given[second] - given[first])
    return found


def top_stimuli(responses: Floats) -> Floats:
    """Return the shares of the stimuli that each unit responds to most, which add up to 1.

    Axes (unit, stimulus), as those of ``responses``. The first ten have equal shares; those that
    tie for the last places divide them.

    Examples
    --------
    >>> responses = np.array([[5, 4, 4, *[9] * 9, 0]], np.float32)
    >>> top_stimuli(responses).round(2).tolist()[0][:4]
    [0.1..., 0.0, 0.0, 0.1...]
    >>> top_stimuli(np.array([[4, 4, *[9] * 9, 0]], np.float32)).round(2).tolist()[0][:3]
    [0.05..., 0.05..., 0.1...]
    """
    count = min(TOP, responses.shape[1])
    last = np.partition(responses, responses.shape[1] - count, axis=1)[
        :, [responses.shape[1] - count]
    ]
    above, ties = responses > last, responses == last
    open_places = count - above.sum(axis=1, keepdims=True)
    shares = above + ties * (open_places / ties.sum(axis=1, keepdims=True))
    found: Floats = (shares / count).astype(np.float32)
    return found


def _squares(values: Floats) -> Floats:
    found: Floats = np.einsum("ij,ij->i", values, values)
    return found
