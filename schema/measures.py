"""Measures of features, as far as the graph has to know them: the properties that they give.

A measure of ours or of another package is a value of the entry points ``circuitkb.measures``. What
it asks, and how it is tested, is :class:`circuitkb.observation.measures.measure.Measure`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.properties import Property
from circuitkb.schema.registry import PluginWarning, Registry

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class MeasuredProperties:
    """What a measure adds to the properties of features.

    Attributes
    ----------
    name
        Name of the measure.
    properties
        Optional properties of ``Feature``, of names that nothing else has.

    Raises
    ------
    SchemaError
        A name that is no plain word, or a property that every feature would need.

    Examples
    --------
    >>> from circuitkb.schema.properties import given
    >>> MeasuredProperties(name="gloss", properties=(given("Gloss", "float", "how it shines"),))
    Traceback (most recent call last):
    circuitkb.schema.errors.SchemaError: 'Gloss' is no name for a property: lower-case letters,
    digits and underscores, as in my_measure.
    """

    name: str
    properties: tuple[Property, ...] = ()

    def __post_init__(self) -> None:
        for item in self.properties:
            if not _NAME.fullmatch(item.name):
                raise SchemaError(
                    f"{item.name!r} is no name for a property: lower-case letters, digits and "
                    "underscores, as in my_measure."
                )
            if item.required:
                raise SchemaError(f"{item.name!r} cannot be required: not every feature has it.")


MEASURES: Registry[MeasuredProperties] = Registry(
    "circuitkb.measures",
    "measure",
    MeasuredProperties,
    {
        "orientation": "circuitkb.observation.measures.orientation:ORIENTATION",
        "curve-direction": "circuitkb.observation.measures.curve_direction:CURVE_DIRECTION",
        "curve-radius": "circuitkb.observation.measures.curve_radius:CURVE_RADIUS",
        "corner": "circuitkb.observation.measures.corner:CORNER",
        "colour": "circuitkb.observation.measures.colour:COLOUR",
    },
)


def without_clashes(
    measures: Iterable[MeasuredProperties], taken: Iterable[str]
) -> tuple[MeasuredProperties, ...]:
    """Return the measures whose properties nothing else has; a warning names the others.

    Parameters
    ----------
    measures
        Any number.
    taken
        Names of the properties that features have without any measure.
    """
    owners = dict.fromkeys(taken, "every feature")
    kept = []
    for measure in measures:
        clash = next((p.name for p in measure.properties if p.name in owners), None)
        if clash is not None:
            warnings.warn(
                f"The measure {measure.name!r} cannot be used: its property {clash!r} is that of "
                f"{owners[clash]}.",
                PluginWarning,
                stacklevel=2,
            )
            continue
        owners |= {p.name: f"the measure {measure.name!r}" for p in measure.properties}
        kept.append(measure)
    return tuple(kept)
