"""Units that no edge leads to, and layers that miss some of theirs: which, how many, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.loaders.composition.composed import Composition

SHOWN = 6
"""Layers that a load names one by one."""

NO_WEIGHTS = "every weight into them is zero"


@dataclass(frozen=True)
class MissingInputs:
    """What one layer misses.

    Attributes
    ----------
    layer
        Its name.
    units, of
        Units without any input, and all units of the layer. 0 where each has some inputs and
        others were not composed.
    why
        The reasons, one phrase each.
    """

    layer: str
    units: int
    of: int
    why: tuple[str, ...]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """Read it back from the record of a load."""
        return cls(record["layer"], record["units"], record["of"], tuple(record["why"]))

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def missing_inputs(composition: Composition, features: pa.Table) -> tuple[MissingInputs, ...]:
    """Return the layers that miss inputs, in order of computation.

    ``features`` is the table of features: ``inputs`` counts the edges into each, null where they
    are not known.
    """
    none = pc.equal(pc.fill_null(features["inputs"], 0), 0)
    counts = features.filter(none).group_by("layer").aggregate([([], "count_all")])
    without = dict(zip(counts["layer"].to_pylist(), counts["count_all"].to_pylist(), strict=True))
    found = []
    for layer in composition.layers:
        units, why = without.get(layer.name, 0), composition.missing.get(layer.name, ())
        if layer.kind != "input" and (units or why):
            if layer.bias is not None:
                why = (NO_WEIGHTS,)
            found.append(MissingInputs(layer.name, units, layer.channels, tuple(why)))
    return tuple(found)


def in_words(missing: Sequence[MissingInputs], model: str, features: int) -> tuple[str, ...]:
    """Return sentences that end a load: how many units have no inputs, in which layers, why.

    Examples
    --------
    >>> for line in in_words([MissingInputs("gate", 8, 8, ("gate (softmax)",))], "net", 40):
    ...     print(line)
    8 of 40 units have no inputs, in 1 layer:
    gate: none of its 8 units has inputs: gate (softmax)
    """
    empty = [one for one in missing if one.units]
    partly = [one for one in missing if not one.units]
    lines = []
    if empty:
        units = sum(one.units for one in empty)
        lines.append(f"{units:,} of {features:,} units have no inputs, in {_layers(empty)}:")
        lines += [_line(one) for one in empty[:SHOWN]]
    if partly:
        lines.append(f"some paths into {_layers(partly)} were not composed:")
        lines += [f"{one.layer}: {'; '.join(one.why)}" for one in partly[:SHOWN]]
    if len(empty) > SHOWN or len(partly) > SHOWN:
        lines.append(f"circuitkb show {model} lists all that was not composed.")
    return tuple(lines)


def _line(one: MissingInputs) -> str:
    which = (
        f"none of its {one.of:,} units has inputs"
        if one.units == one.of
        else f"{one.units:,} of {one.of:,} units have none"
    )
    return f"{one.layer}: {which}: {'; '.join(one.why) or 'not known'}"


def _layers(layers: Sequence[MissingInputs]) -> str:
    return f"{len(layers):,} layer{'s' * (len(layers) > 1)}"
