"""What lies beside the graph, kind by kind: how each becomes a file, and rows that hold all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitkb.schema.errors import SchemaError, StoreError
from circuitkb.schema.responses import ARRAYS
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays import kernel_files, picture_files, response_files
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind


@dataclass(frozen=True)
class ArrayFormat:
    """How the values of one kind are kept.

    Attributes
    ----------
    file_name
        Gives the name of the file: the same value, the same name.
    write
        Writes a file, whole or not at all.
    load
        Maps a file into memory; raises :class:`StoreError` where it is missing or broken.
    arrays
        What of a value takes the room.
    """

    file_name: Callable[[Any], str]
    write: Callable[[Path, Any], None]
    load: Callable[[Path], Any]
    arrays: Callable[[Any], Iterable[Any]]

    def is_whole(self, path: Path) -> bool:
        """Return whether a file is there that holds that of which its name was made."""
        try:
            return path.exists() and self.file_name(self.load(path)) == path.name
        except (StoreError, SchemaError, TypeError, KeyError):
            return False

    def save(self, directory: Path, name: str, value: Any) -> None:
        """Write a value to ``directory / name``, whole or not at all; a whole one there stays."""
        if not self.is_whole(directory / name):
            self.write(directory / name, value)


FORMATS: dict[ArrayKind, ArrayFormat] = {
    "kernels": ArrayFormat(
        kernel_files.file_name,
        kernel_files.write,
        kernel_files.KernelFile,
        lambda connections: [connection.kernel for connection in connections],
    ),
    "responses": ArrayFormat(
        response_files.file_name,
        response_files.write,
        response_files.load,
        lambda responses: [getattr(responses, name) for name in ARRAYS],
    ),
    "pictures": ArrayFormat(
        picture_files.file_name,
        picture_files.write,
        picture_files.load,
        lambda pictures: pictures.arrays.values(),
    ),
}


def beside(rows: GraphRows) -> Iterator[tuple[ArrayKind, str, Any]]:
    """Give what of rows lies beside the graph: its kind, its key, itself."""
    for kind in ARRAY_KINDS:
        for key, value in getattr(rows, kind).items():
            yield kind, key, value


def of_kind(kind: ArrayKind, key: str, value: Any) -> GraphRows:
    """Return rows of one value beside the graph alone."""
    only: dict[str, Any] = {kind: {key: value}}
    return GraphRows(**only)


def save_beside(folder: Path, rows: GraphRows) -> None:
    """Write what lies beside the graph into ``KIND/KEY.safetensors``; pictures by their content.

    Their keys are no names of files, and stand in the files.
    """
    for kind, key, value in beside(rows):
        form = FORMATS[kind]
        name = form.file_name(value) if kind == "pictures" else f"{key}.safetensors"
        form.save(folder / kind, name, value)


def load_beside(paths: Iterable[Path]) -> GraphRows:
    """Return what :func:`save_beside` wrote into files, mapped into memory."""
    found: dict[str, Any] = {kind: {} for kind in ARRAY_KINDS}
    for path in sorted(paths):
        for kind in (kind for kind in ARRAY_KINDS if kind == path.parent.name):
            value = FORMATS[kind].load(path)
            found[kind][value.key if kind == "pictures" else path.stem] = value
    return GraphRows(**found)
