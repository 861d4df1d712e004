"""Arrays beside the graph: safetensors files that are named by their content and never change.

So any number of generations may refer to one file, and readers may keep it mapped into memory:
nothing of it is read until touched.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from circuitkb.schema.errors import StoreError
from circuitkb.stores.disk.files import sync

if TYPE_CHECKING:
    from numpy.typing import NDArray

ArrayKind = Literal["kernels", "responses", "pictures"]
"""What lies beside the graph; also the name of the directory it lies in."""

ARRAY_KINDS: tuple[ArrayKind, ...] = ("kernels", "responses", "pictures")

AGAIN: dict[ArrayKind, str] = {
    "kernels": "load",
    "responses": "observe",
    "pictures": "observe or visualize",
}
"""What to do to a model to have them again."""

_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")
_UNFINISHED = re.compile(r"([0-9a-f]{32})\.[0-9a-f]{32}\.new")

_ROWS_AT_ONCE = 2_048

_DTYPES = {
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
}


def content_name(header: str, arrays: Iterable[NDArray[Any]]) -> str:
    """Return the name of a file that holds ``header`` and ``arrays``, in this order.

    Rows that do not lie one after the other in memory are copied some at a time.

    Examples
    --------
    >>> import numpy as np
    >>> content_name("[]", [])
    '4f53cda18c2baa0c0354bb5f9a3ecbe5.safetensors'
    >>> content_name("[]", [np.zeros(2)]) == content_name("[]", [np.zeros((2, 1))])
    False
    """
    import numpy as np

    digest = hashlib.sha256(header.encode())
    for array in arrays:
        digest.update(repr(array.shape).encode())
        for start in range(0, len(array) if math.prod(array.shape) else 0, _ROWS_AT_ONCE):
            rows = array[start : start + _ROWS_AT_ONCE]
            digest.update(np.ascontiguousarray(rows).data)
    return f"{digest.hexdigest()[:32]}.safetensors"


def is_array_name(name: str) -> bool:
    """Return whether a name is one that :func:`content_name` gives.

    Examples
    --------
    >>> is_array_name("4f53cda18c2baa0c0354bb5f9a3ecbe5.safetensors")
    True
    >>> is_array_name("../4f53cda18c2baa0c0354bb5f9a3ecbe5.safetensors")
    False
    """
    return _NAME.fullmatch(name) is not None


def finished_name(name: str) -> str | None:
    """Return which file was being written under a name that :func:`save_arrays` gives meanwhile.

    Examples
    --------
    >>> finished_name(f"{'0' * 32}.{'1' * 32}.new") == f"{'0' * 32}.safetensors"
    True
    """
    found = _UNFINISHED.fullmatch(name)
    return f"{found[1]}.safetensors" if found else None


def save_arrays(
    path: Path, metadata: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a file whole or not at all, and bring it to the disk; one that is there gives way."""
    import numpy as np
    from safetensors.numpy import save_file

    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(f".{uuid4().hex}.new")  # two processes may write the same
    in_rows = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(in_rows, unfinished, metadata=dict(metadata))
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync(path.parent)


class ArrayFile:
    """The arrays of one file, mapped into memory and read-only.

    Parameters
    ----------
    path
        The file.
    key
        Where in the file's metadata its header stands, as JSON.
    remedy
        What to do about a file that cannot be read, for the error.

    Raises
    ------
    StoreError
        The file is missing or broken.
    """

    def __init__(self, path: Path, key: str, *, remedy: str) -> None:
        import numpy as np
        from safetensors import SafetensorError, safe_open

        self._path = path
        self._remedy = remedy
        try:
            with safe_open(path, "np") as file:  # checks every offset against the file's length
                self.header: Any = json.loads(file.metadata()[key])
            with path.open("rb") as raw:
                length = int.from_bytes(raw.read(8), "little")
                self._places = json.loads(raw.read(length))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise self.broken(error) from error
        self._bytes = np.asarray(np.memmap(path, np.uint8, "r", offset=0))
        self._start = 8 + length

    def array(self, name: str) -> NDArray[Any]:
        """Return one array, which lies on the file; raises KeyError where there is none."""
        place = self._places[name]
        begin, end = (self._start + offset for offset in place["data_offsets"])
        array: NDArray[Any] = self._bytes[begin:end].view(_DTYPES[place["dtype"]])
        return array.reshape(place["shape"])

    def broken(self, error: Exception) -> StoreError:
        """Return the error that says what to do about this file."""
        return StoreError(f"{self._path} cannot be read ({error}): {self._remedy}.")
