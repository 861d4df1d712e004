"""Rows as files, for another process: tables as Arrow, arrays as safetensors, nothing pickled.

::

    FOLDER/
    ├── progress                         share and words, of work that is under way
    ├── rows.json                        which tables there are
    ├── 0.arrow, 1.arrow, ...            a table each
    └── kernels/, responses/, pictures/  what lies beside the graph, as a store keeps it
"""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pyarrow as pa

from circuitkb.schema.progress import Progress
from circuitkb.schema.registry import PluginWarning
from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores.arrays.formats import load_beside, save_beside
from circuitkb.workers.tasks import Task

INDEX = "rows.json"
PROGRESS = "progress"
_SELDOM = 0.1  # seconds between two notes of progress


class HandedOver(NamedTuple):
    """What a worker did; its rows, if it gave any, lie in its folder."""

    has_rows: bool
    said: Any
    warned: list[str]


def run_into(task: Task, folder: Path) -> HandedOver:
    """Do a task in a worker."""
    folder.mkdir()
    tell = _noting(folder / PROGRESS)
    tell("starting", 0.0)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", PluginWarning)
        rows, said = task.work(task.given, tell)
    if rows is not None:
        save_rows(rows, folder)
    warned = [str(one.message) for one in heard if issubclass(one.category, PluginWarning)]
    return HandedOver(rows is not None, said, warned)


def _noting(path: Path) -> Progress:
    last = -_SELDOM

    def tell(doing: str, done: float) -> None:
        nonlocal last
        if monotonic() - last >= _SELDOM:
            last = monotonic()
            path.write_text(f"{done} {doing}", "utf-8")

    return tell


def pass_on(folder: Path, tell: Progress) -> None:
    """Tell how far the worker is that was given this folder."""
    with suppress(OSError, ValueError):  # not begun, or half a note
        done, _, doing = (folder / PROGRESS).read_text("utf-8").partition(" ")
        tell(doing, float(done))


def save_rows(rows: GraphRows, folder: Path) -> None:
    """Write rows into a folder of their own."""
    tables: list[tuple[dict[str, Any], pa.Table]]
    tables = [({"label": label}, table) for label, table in rows.nodes.items()]
    tables += [
        ({"relation": [item.name, item.source_label, item.target_label]}, item.table)
        for item in rows.relations
    ]
    for number, (_, table) in enumerate(tables):
        with (
            pa.OSFile(str(folder / f"{number}.arrow"), "wb") as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table)
    save_beside(folder, rows)
    (folder / INDEX).write_text(json.dumps([what for what, _ in tables]), "utf-8")


def rows_in(folder: Path) -> GraphRows:
    """Return the rows that were written into a folder, mapped into memory: it stays meanwhile."""
    nodes: dict[str, pa.Table] = {}
    relations = []
    for number, what in enumerate(json.loads((folder / INDEX).read_text("utf-8"))):
        with pa.memory_map(str(folder / f"{number}.arrow")) as file:
            table = pa.ipc.open_file(file).read_all()
        if "label" in what:
            nodes[what["label"]] = table
        else:
            name, source, target = what["relation"]
            relations.append(Relations(name, source, target, table))
    return replace(load_beside(folder.glob("*/*.safetensors")), nodes=nodes, relations=relations)
