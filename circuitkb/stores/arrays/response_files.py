"""Responses beside the graph: one file for a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from circuitkb.schema.errors import SchemaError, StoreError
from circuitkb.schema.responses import ARRAYS, Responses
from circuitkb.stores.arrays.array_files import ArrayFile, content_name, save_arrays

_HEADER = "responses"


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


def save(directory: Path, name: str, responses: Responses) -> None:
    """Write responses to ``directory / name``, whole or not at all; a whole one there stays."""
    if not is_whole(directory / name):
        arrays = {name: getattr(responses, name) for name in ARRAYS}
        save_arrays(directory / name, {_HEADER: _header(responses)}, arrays)


def is_whole(path: Path) -> bool:
    """Return whether a file is there that holds the responses of which its name was made."""
    try:
        return path.exists() and file_name(load(path)) == path.name
    except (StoreError, SchemaError, TypeError, KeyError):
        return False


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
    file = ArrayFile(path, _HEADER, remedy="observe the model again")
    try:
        return _Mapped(
            path=path,
            battery=file.header["battery"],
            stimuli=tuple(file.header["stimuli"]),
            layers=tuple((name, units) for name, units in file.header["layers"]),
            settings=file.header["settings"],
            **{name: file.array(name) for name in ARRAYS},
        )
    except (KeyError, TypeError, ValueError) as error:  # a SchemaError is a ValueError
        raise file.broken(error) from error
