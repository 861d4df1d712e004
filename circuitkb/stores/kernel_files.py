"""Kernels beside the graph: one safetensors file for a model, named by its content.

A file is never changed, so any number of generations may refer to it and readers may keep it
mapped. Reading gives arrays that lie on the file: nothing of it is in memory until touched.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import SchemaError, StoreError
from circuitkb.schema.kernels import Connection

_PARTS = ("kernel", "target_units", "source_units")
_DTYPES: dict[str, Any] = {"F32": np.float32, "I32": np.int32}


def _arrays(connection: Connection) -> dict[str, NDArray[Any]]:
    return {
        "kernel": np.ascontiguousarray(connection.kernel, np.float32),
        "target_units": np.ascontiguousarray(connection.target_units, np.int32),
        "source_units": np.ascontiguousarray(connection.source_units, np.int32),
    }


def _headers(connections: Sequence[Connection]) -> str:
    return json.dumps([connection.header() for connection in connections], sort_keys=True)


def file_name(connections: Sequence[Connection]) -> str:
    """Return the name that a file of these kernels has: the same kernels, the same name.

    Raises
    ------
    SchemaError
        Two connections share a key.

    Examples
    --------
    >>> file_name([])
    '4f53cda18c2baa0c0354bb5f9a3ecbe5.safetensors'
    """
    keys = [connection.key for connection in connections]
    for key in keys:
        if keys.count(key) > 1:
            raise SchemaError(f"Two connections of one model have the key {key!r}.")
    digest = hashlib.sha256(_headers(connections).encode())
    for connection in connections:
        for array in _arrays(connection).values():
            digest.update(repr(array.shape).encode())
            digest.update(array.data if array.size else b"")
    return f"{digest.hexdigest()[:32]}.safetensors"


def save(directory: Path, name: str, connections: Sequence[Connection]) -> None:
    """Write kernels to ``directory / name``, whole or not at all; a file that is there stays."""
    from safetensors.numpy import save_file

    path = directory / name
    if path.exists():
        return
    directory.mkdir(exist_ok=True)
    tensors = {
        f"{index}.{part}": array
        for index, connection in enumerate(connections)
        for part, array in _arrays(connection).items()
    }
    unfinished = path.with_suffix(".new")
    save_file(tensors, unfinished, metadata={"connections": _headers(connections)})
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


class KernelFile(Sequence[Connection]):
    """The kernels in one file, mapped into memory; arrays are read-only.

    Raises
    ------
    StoreError
        The file is missing or broken.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:  # checks every offset against the file's length
                self._headers = json.loads(file.metadata()["connections"])
            with path.open("rb") as raw:
                length = int.from_bytes(raw.read(8), "little")
                self._places = json.loads(raw.read(length))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"The kernels in {path} cannot be read ({error}): load the model again."
            ) from error
        self._bytes = np.asarray(np.memmap(path, np.uint8, "r", offset=0))
        self._start = 8 + length

    def __len__(self) -> int:
        return len(self._headers)

    @overload
    def __getitem__(self, index: int) -> Connection: ...

    @overload
    def __getitem__(self, index: slice) -> list[Connection]: ...

    def __getitem__(self, index: int | slice) -> Connection | list[Connection]:
        if isinstance(index, slice):
            return [self._connection(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._connection(index % len(self))

    def _connection(self, index: int) -> Connection:
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value  # JSON has no tuples
            for name, value in self._headers[index].items()
        }
        fields |= {part: self._array(f"{index}.{part}") for part in _PARTS}
        return Connection(**fields)

    def _array(self, name: str) -> NDArray[Any]:
        place = self._places[name]
        begin, end = (self._start + offset for offset in place["data_offsets"])
        array: NDArray[Any] = self._bytes[begin:end].view(_DTYPES[place["dtype"]])
        return array.reshape(place["shape"])
