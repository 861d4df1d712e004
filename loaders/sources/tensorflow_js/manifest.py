"""A ``model.json`` and its files of weights, read as arrays: whole and bounded.

The format is that of TensorFlow.js's converter: groups of files, whose bytes one after another hold
arrays in the order listed, quantised to 8 or 16 bits where the list says so.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, FiniteFloat, NonNegativeInt, ValidationError

from circuitkb.loaders.sources.onnx.bounds import MOST_WEIGHTS
from circuitkb.loaders.sources.onnx.names import quoted
from circuitkb.loaders.sources.onnx.reading import file_beside, read_bytes, reason
from circuitkb.schema.errors import CheckpointError

LARGEST_TOPOLOGY = 2**26
"""Bytes of a ``model.json``, which holds no weights."""

Weights = dict[str, NDArray[Any]]

_STORED = {"float32": "<f4", "int32": "<i4", "bool": "?"}
_QUANTISED = {"uint8": "u1", "uint16": "<u2", "float16": "<f2"}


class _Quantisation(BaseModel):
    dtype: Literal["uint8", "uint16", "float16"]
    min: FiniteFloat = 0.0
    scale: FiniteFloat = 1.0


class _Array(BaseModel):
    name: str
    shape: list[NonNegativeInt]
    dtype: Literal["float32", "int32", "bool"]
    quantization: _Quantisation | None = None

    @property
    def stored(self) -> np.dtype[Any]:
        """How each value stands in the file."""
        if self.quantization is None:
            return np.dtype(_STORED[self.dtype])
        return np.dtype(_QUANTISED[self.quantization.dtype])

    def of(self, content: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the values that bytes stand for."""
        found = content.view(self.stored).reshape(self.shape)
        if self.quantization is None:
            return found
        if found.dtype.kind == "f":
            return found.astype(np.float32)
        # What each number stands for: in double precision, rounded once, as TensorFlow.js does.
        numbers = np.arange(1 << 8 * found.itemsize, dtype=np.float64)
        levels = numbers * self.quantization.scale + self.quantization.min
        levels = levels if self.dtype == "float32" else np.rint(levels)
        values: NDArray[Any] = levels.astype(self.dtype)[found]
        return values


class _Group(BaseModel):
    paths: list[str]
    weights: list[_Array]


class _Model(BaseModel):
    modelTopology: dict[str, Any]
    weightsManifest: list[_Group]


@dataclass(frozen=True)
class TensorFlowJs:
    """What a ``model.json`` says, and the arrays that it names."""

    topology: dict[str, Any]
    weights: Weights


def read_tensorflow_js(file: Path) -> TensorFlowJs:
    """Read a ``model.json`` and its weights, from its own folder and nowhere else.

    Raises
    ------
    CheckpointError
        It is missing or no such file; its weights lie outside of its folder, are more or fewer
        than it says, of a type that it should not have, or more than can be loaded.
    """
    stated = _stated(file)
    arrays = [array for group in stated.weightsManifest for array in group.weights]
    total = sum(math.prod(array.shape) for array in arrays)
    if total > MOST_WEIGHTS:
        raise CheckpointError(
            f"{file.name} has {total:,} weights; a network of at most {MOST_WEIGHTS:,} can be "
            "loaded."
        )
    if len({array.name for array in arrays}) < len(arrays):
        raise CheckpointError(f"{file.name} names two of its weights alike.")
    weights: Weights = {}
    for group in stated.weightsManifest:
        weights |= _weights(group, file)
    return TensorFlowJs(stated.modelTopology, weights)


def _stated(file: Path) -> _Model:
    try:
        large = file.stat().st_size > LARGEST_TOPOLOGY
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror}.") from error
    if large:
        raise CheckpointError(f"{file.name} is too large for a network of TensorFlow.js.")
    try:
        found = json.loads(read_bytes(file, file.name, 0, None))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file.name} is not JSON ({reason(error)}).") from error
    if not isinstance(found, dict) or "weightsManifest" not in found:
        raise CheckpointError(
            f"{file.name} is no network of TensorFlow.js: it has no weightsManifest."
        )
    try:
        return _Model.model_validate(found, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CheckpointError(
            f"{file.name} is no network of TensorFlow.js: {place}: {first['msg']}."
        ) from error


def _weights(group: _Group, file: Path) -> Weights:
    wanted = sum(math.prod(array.shape) * array.stored.itemsize for array in group.weights)
    files = [(path, file_beside(file, path, "its weights")) for path in group.paths]
    there = sum(beside.stat().st_size for _, beside in files)
    if there != wanted:
        raise CheckpointError(
            f"{file.name}: its weights take {wanted:,} bytes, and "
            f"{', '.join(map(quoted, group.paths[:4]))} hold {there:,}."
        )
    content = b"".join(read_bytes(beside, path, 0, None) for path, beside in files)
    whole = np.frombuffer(content, np.uint8)
    weights, start = {}, 0
    for array in group.weights:
        end = start + math.prod(array.shape) * array.stored.itemsize
        # A copy, so that it begins where a value of its type may.
        weights[array.name] = array.of(whole[start:end].copy())
        start = end
    return weights
