"""What lies beside the graph of a knowledge base on a server: files in a directory of one's own.

::

    DIRECTORY/                  CIRCUITKB_ARRAYS, or a directory of this user
    └── <uuid>/                 one folder for each knowledge base
        ├── kernels/            safetensors, named by content
        ├── responses/          safetensors, named by content
        ├── pictures/           safetensors, named by content
        └── unfinished/         a folder for each work that goes on, or was interrupted

The graph says which file belongs to which model, so a group shares the arrays by sharing the
directory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from circuitkb.schema.errors import StoreError
from circuitkb.schema.progress import Progress
from circuitkb.stores.arrays.array_files import (
    AGAIN,
    ARRAY_KINDS,
    ArrayKind,
    finished_name,
    is_array_name,
)
from circuitkb.stores.arrays.formats import FORMATS
from circuitkb.stores.changes import Changes
from circuitkb.stores.disk.files import disk_errors
from circuitkb.stores.disk.own_files import Folder
from circuitkb.stores.findings import Finding
from circuitkb.stores.server.marker import ARRAYS

ARRAYS_VARIABLE = "CIRCUITKB_ARRAYS"

ABANDONED = 86_400.0
"""Seconds after which a file that no model refers to is taken for one of a write that failed."""

Files = dict[ArrayKind, dict[str, str]]
"""For each kind, the name of the file of each model, or of each batch of pictures."""


def arrays_directory(uuid: str, chosen: Path | None = None) -> Path:
    """Return where the arrays of a knowledge base lie: chosen, configured, or the user's own."""
    if chosen is None and os.environ.get(ARRAYS_VARIABLE):
        chosen = Path(os.environ[ARRAYS_VARIABLE]).expanduser()
    if chosen is None:
        from platformdirs import user_data_path

        chosen = user_data_path("circuitkb") / "servers"
    return chosen.absolute() / uuid


def files_of(transaction: Any) -> Files:
    """Return what the graph says about the files."""
    found: Files = {kind: {} for kind in ARRAY_KINDS}
    for row in transaction.run(f"MATCH (a:{ARRAYS}) RETURN a"):
        for kind in ARRAY_KINDS:
            if row["a"].get(kind):
                found[kind][row["a"]["model"]] = row["a"][kind]
    return found


def refer(transaction: Any, kind: ArrayKind, model: str, name: str) -> None:
    """Let the graph say that the arrays of a model, or a batch, are in the file of that name."""
    text = f"MERGE (a:{ARRAYS} {{model: $model}}) SET a += $named"
    transaction.run(text, model=model, named={kind: name}).consume()


def save(changes: Changes, directory: Path) -> None:
    """Write the files that a write brings; nothing refers to them yet."""
    if not changes.arrays:
        return
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for kind, _, name, value in changes.files():
            FORMATS[kind].save(directory / kind, name, value)


def clean(directory: Path, before: Files, now: Files) -> None:
    """Remove arrays that nothing refers to any more, and what writes that failed left long ago.

    Plain files with the names of arrays alone, and not through a link.
    """
    for kind in ARRAY_KINDS:
        kept = set(now[kind].values())
        with suppress(OSError), Folder(directory) as own, own.folder(kind) as folder:
            for name in folder.names():
                if name in kept or not (is_array_name(name) or finished_name(name)):
                    continue
                with suppress(OSError):  # somebody else may have removed it
                    age = time.time() - (directory / kind / name).lstat().st_mtime
                    if age > ABANDONED or name in before[kind].values():
                        folder.remove(name)


def check_arrays(directory: Path, files: Files, progress: Progress) -> Iterator[Finding]:
    """Compare every file of arrays that the graph names with its name."""
    yield Finding(
        "files of the graph",
        "",
        "not looked at: they are the server's own",
        "its own check: neo4j-admin database check",
    )
    for kind in ARRAY_KINDS:
        wrong = []
        for done, (model, name) in enumerate(sorted(files[kind].items())):
            progress(f"{kind} of {model}", done / len(files[kind]))
            if not FORMATS[kind].is_whole(directory / kind / name):
                there = (directory / kind / name).exists()
                found = "is not what its name says" if there else f"is not in {directory}"
                remedy = f"{ARRAYS_VARIABLE}, or {AGAIN[kind]} again"
                said = f"{found}; {kind} of {model}"
                wrong.append(Finding(f"{kind}/{name}", "", said, remedy, damage=True))
        yield from wrong
        if not wrong:
            yield Finding(kind, f"{len(files[kind]):,} files")


def path_of(directory: Path, files: Mapping[str, str], kind: ArrayKind, model: str) -> Path | None:
    """Return the file of a model's arrays, None if it has none.

    Raises
    ------
    StoreError
        The graph names one that is not in the directory.
    """
    if model not in files:
        return None
    path = directory / kind / files[model]
    if not path.exists():
        raise StoreError(
            f"The {kind} of {model} are not in {directory}: set {ARRAYS_VARIABLE} to the directory "
            f"that holds them, or {AGAIN[kind]} it again here."
        )
    return path
