"""A measure, as a value: what it asks of every unit, and how what it finds is told.

The rest is the same for all of them: the null of shuffled weights and the correction for many
units (:mod:`~circuitkb.observation.measures.against_nulls`), rows of the graph
(:mod:`~circuitkb.observation.measures.rows`), the section of a report, pictures. A new measure is
one module with one value; ``docs/extending.md`` has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema import node_types
from circuitkb.schema.measures import MeasuredProperties
from circuitkb.schema.responses import ResponseArray

Doubles = NDArray[np.float64]
Places = NDArray[np.intp]

PERMUTATIONS = 2_000
"""Draws from the null of permuted labels."""

PICTURE = 44
"""Pixels of the side of a small picture."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a measure finds in some units, before any null; arrays have the axis (unit,).

    Attributes
    ----------
    statistic
        What is tested: larger is more. NaN where it has no meaning; such a unit is not tested.
    properties
        Values of the measure's properties by name; stored where the unit passes.
    detail
        Further figures, stored with the evidence of each unit that is tested.
    labels
        The label of each unit, should it pass; none where the measure labels nothing.
    permuted
        Draws a null from these units alone, by permuting the parameters of the stimuli: takes a
        seed and a number of draws, and gives p and the mean of the statistic. None where shuffled
        weights are the only null.
    """

    statistic: Doubles
    properties: Mapping[str, Doubles] = field(default_factory=dict)
    detail: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: Sequence[str] = ()
    permuted: Callable[[int, int], tuple[Doubles, Doubles]] | None = None


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a measure is told of in a report.

    Attributes
    ----------
    title
        Heading of its section.
    passed
        What passes: ``units that prefer an orientation``.
    asked
        What a unit must do to pass, and against which nulls; ends without a full stop.
    more
        Sentence that says where to read on.
    permuted
        The null of permuted labels in two words: ``permuted orientations``.
    permutes
        How that null is made, for ``Evidence.null_method``.
    strength
        Key of ``Measured.detail`` whose median tells how strong the effect is.
    scale
        What values it has: ``from 0 to 1``.
    """

    title: str
    passed: str
    asked: str
    more: str = ""
    permuted: str = ""
    permutes: str = ""
    strength: str = ""
    scale: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure(MeasuredProperties):
    """What is asked of every observed unit; see :class:`MeasuredProperties` for its properties.

    Attributes
    ----------
    kind
        ``Evidence.kind`` and ``Evidence.method``.
    version
        Other versions are other evidence.
    counted
        What those that pass are called where they are counted: a column of ``circuitkb observe``,
        beside ``..._shuffled`` for a network with shuffled weights.
    copies
        Shuffled copies that are its null. 2: what it reads is shown to a second one, which adds to
        the null, and tests the first. 1: the copy that is kept is the null, and every second of its
        units tests the others. Then no network is shown anything for it: a model that was observed
        without it is measured from the responses that are kept.
    neutral_evidence
        Whether units that were tested and did not pass have evidence too, which is neutral; if
        not, what became of them is told by layer, in the summary of the observation.
    beside
        Name of another measure, before it in the registry, that a unit must pass too.
    reads
        Gives the places of the stimuli that it reads, ascending. Raises
        :class:`ObservationError` where the battery lacks what it needs.
    of
        Measures units: from their responses before the nonlinearity, axes (unit, stimulus), and
        the stimuli of its columns, which are all of the battery or what ``reads`` named.
    words
        For the report.
    permutations
        Draws from the null of permuted labels.
    picture
        Draws the properties of a unit, where it has them: SVG elements in a square of ``PICTURE``
        pixels, and what they show in words.
    """

    kind: str
    version: str
    counted: str
    reads: Callable[[Sequence[Stimulus]], Places]
    of: Callable[[ResponseArray, Sequence[Stimulus]], Measured]
    words: Words
    copies: Literal[1, 2] = 2
    neutral_evidence: bool = True
    beside: str = ""
    permutations: int = PERMUTATIONS
    picture: Callable[[Mapping[str, Any]], tuple[str, str]] | None = None


def measures() -> tuple[Measure, ...]:
    """Return all measures that can be used, ours first.

    Examples
    --------
    >>> measures()[0].counted
    'oriented'
    """
    return tuple(each for each in node_types.measures() if isinstance(each, Measure))
