"""Responses beside the graph: one file for a model.

Of the responses after a nonlinearity only those stand in it that do not follow from those before
(:mod:`~circuitkb.stores.arrays.following`); files of older versions hold all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.layered_array import LayeredArray, Part
from circuitkb.schema.responses import ARRAYS, KeptArray, Responses, rows_of_layers
from circuitkb.stores.arrays.array_files import AGAIN, ArrayFile, content_name, save_arrays
from circuitkb.stores.arrays.following import Bounded, bounds_of, checked

_HEADER = "responses"

_FOLLOWS = {"after": "before", "shuffled_after": "shuffled_before"}

_BOUNDS = "bounds"
"""In the header: for each array, the bounds of each layer whose rows are not in the file."""


def _header(responses: Responses) -> str:
    header = responses.header() | {"type": responses.before.dtype.name}
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"Responses.settings cannot be written as JSON: {error}.") from error
    return text


def file_name(responses: Responses) -> str:
    """Return the name that a file of these responses has: the same responses, the same name.

    Raises
    ------
    SchemaError
        The settings hold what JSON cannot.
    """
    return content_name(_header(responses), (getattr(responses, name) for name in ARRAYS))


def write(path: Path, responses: Responses) -> None:
    """Write responses to a file, whole or not at all.

    Memory: where a part of the layers follows, a copy of the rest.
    """
    arrays: dict[str, Any] = {name: getattr(responses, name) for name in ARRAYS}
    header = json.loads(_header(responses))
    for one, other in _FOLLOWS.items():
        found = {
            layer: bounds_of(arrays[one][rows], arrays[other][rows])
            for layer, rows in responses.rows.items()
        }
        if bounds := {layer: both for layer, both in found.items() if both is not None}:
            header.setdefault(_BOUNDS, {})[one] = bounds
            arrays[one] = _without(arrays[one], [responses.rows[layer] for layer in bounds])
    save_arrays(path, {_HEADER: json.dumps(header, sort_keys=True)}, arrays)


def _without(array: KeptArray, left_out: list[slice]) -> NDArray[Any]:
    stays = np.ones(len(array), bool)
    for rows in left_out:
        stays[rows] = False
    return array[stays]


@dataclass(frozen=True, eq=False)
class _Mapped(Responses):
    """Those of a file, which another process maps itself."""

    path: Path

    def __reduce__(self) -> tuple[Callable[[Path], Responses], tuple[Path]]:
        return load, (self.path,)


def load(path: Path) -> Responses:
    """Return the responses in a file, mapped into memory; arrays are read-only.

    Raises
    ------
    StoreError
        The file is missing or broken.
    """
    file = ArrayFile(path, _HEADER, remedy=f"{AGAIN['responses']} the model again")
    try:
        layers = tuple((name, units) for name, units in file.header["layers"])
        arrays: dict[str, Any] = {name: file.array(name) for name in ARRAYS}
        for name, bounds in file.header.get(_BOUNDS, {}).items():
            arrays[name] = _whole(arrays[name], arrays[_FOLLOWS[name]], layers, bounds)
        return _Mapped(
            path=path,
            battery=file.header["battery"],
            stimuli=tuple(file.header["stimuli"]),
            layers=layers,
            settings=file.header["settings"],
            **arrays,
        )
    except (KeyError, TypeError, ValueError) as error:  # a SchemaError is a ValueError
        raise file.broken(error) from error


def _whole(
    own: NDArray[Any],
    other: NDArray[Any],
    layers: tuple[tuple[str, int], ...],
    bounds: dict[str, list[Any]],
) -> LayeredArray:
    """Return an array with its own rows, and those that follow from the other array."""
    parts: list[Part] = []
    start = 0
    for name, rows in rows_of_layers(layers).items():
        if name in bounds:
            parts.append(Bounded(other[rows], checked(bounds[name])))
        else:
            stop = start + rows.stop - rows.start
            parts.append(own[start:stop])
            start = stop
    return LayeredArray(tuple(parts))
