"""Pictures beside the graph: one file for a batch, which says its key itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.pictures import PICTURE_TYPES, Pictures
from circuitkb.stores.arrays.array_files import AGAIN, ArrayFile, content_name, save_arrays

_HEADER = "pictures"


def _header(pictures: Pictures) -> str:
    types = {}
    for name, array in pictures.arrays.items():
        if array.dtype.name not in PICTURE_TYPES or not array.dtype.isnative or not array.ndim:
            raise SchemaError(
                f"Pictures {pictures.key}: {name[:80]!r} is of {array.dtype.str} with {array.ndim} "
                f"axes; one axis or more and one of {', '.join(PICTURE_TYPES)} are needed."
            )
        types[name] = array.dtype.name
    header = {"key": pictures.key, "about": pictures.about, "arrays": types}
    try:
        return json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"Pictures.about cannot be written as JSON: {error}.") from error


def file_name(pictures: Pictures) -> str:
    """Return the name that a file of these pictures has: the same batch, the same name.

    Raises
    ------
    SchemaError
        What it is about is more than JSON can hold, or an array is of another type.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = (Pictures("net/a", {}, {"x": np.zeros(2, kind)}) for kind in ("u1", "f4"))
    >>> file_name(one) == file_name(other)
    False
    """
    names = sorted(pictures.arrays)
    return content_name(_header(pictures), (pictures.arrays[name] for name in names))


def write(path: Path, pictures: Pictures) -> None:
    """Write pictures to a file, whole or not at all."""
    save_arrays(path, {_HEADER: _header(pictures)}, pictures.arrays)


class _Arrays(Mapping[str, NDArray[Any]]):
    """Arrays of a file, each made when it is asked for."""

    def __init__(self, file: ArrayFile) -> None:
        self._file = file
        self._names: dict[str, str] = file.header["arrays"]

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        return self._file.array(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True, eq=False)
class _Mapped(Pictures):
    """Those of a file, which another process maps itself."""

    path: Path

    def __reduce__(self) -> tuple[Callable[[Path], Pictures], tuple[Path]]:
        return load, (self.path,)


def load(path: Path) -> Pictures:
    """Return the pictures in a file, mapped into memory; arrays are read-only.

    Raises
    ------
    StoreError
        The file is missing or broken.
    """
    file = ArrayFile(path, _HEADER, remedy=f"{AGAIN['pictures']} the model again")
    try:
        return _Mapped(file.header["key"], file.header["about"], _Arrays(file), path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # an IdError is a ValueError
        raise file.broken(error) from error
