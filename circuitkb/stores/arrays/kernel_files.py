"""Kernels beside the graph: one file for a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.kernels import Connection
from circuitkb.stores.arrays.array_files import AGAIN, ArrayFile, content_name, save_arrays

_HEADER = "connections"
_PARTS = {"kernel": np.float32, "target_units": np.int32, "source_units": np.int32}


def _arrays(connections: Sequence[Connection]) -> dict[str, NDArray[Any]]:
    return {
        f"{index}.{part}": np.asarray(getattr(connection, part), dtype)
        for index, connection in enumerate(connections)
        for part, dtype in _PARTS.items()
    }


def _header(connections: Sequence[Connection]) -> str:
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
    return content_name(_header(connections), _arrays(connections).values())


def write(path: Path, connections: Sequence[Connection]) -> None:
    """Write kernels to a file, whole or not at all."""
    save_arrays(path, {_HEADER: _header(connections)}, _arrays(connections))


class KernelFile(Sequence[Connection]):
    """The kernels in one file, mapped into memory; arrays are read-only.

    Raises
    ------
    StoreError
        The file is missing or broken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = ArrayFile(path, _HEADER, remedy=f"{AGAIN['kernels']} the model again")
        self._made: dict[int, Connection] = {}  # searches go through them thousands of times

    def __reduce__(self) -> tuple[type[KernelFile], tuple[Path]]:
        return KernelFile, (self._path,)  # another process maps the file itself

    def __len__(self) -> int:
        return len(self._file.header)

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
        if index in self._made:
            return self._made[index]
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value  # JSON has no tuples
            for name, value in self._file.header[index].items()
        }
        fields |= {part: self._file.array(f"{index}.{part}") for part in _PARTS}
        return self._made.setdefault(index, Connection(**fields))
