"""The offline path onto a Neo4j server: the files that circuitkb writes, and the AdminTool.

Part of ``scaling.py``. The AdminTool's own time is that of ``neo4j-admin database import full`` on
the files; the path's is that and the writing of the files, from rows and from an embedded store.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path

from peers.graph_store import GraphStore
from peers.neo4j_server import launcher
from scaling_step import Making
from synthetic import Shape

import circuitkb as ckb
from circuitkb.moving.files.neo4j_admin import write_import_files

Figures = dict[str, float | None]

RATIO = "offline path: share of the AdminTool's speed"


def measure_offline(shape: Shape, folder: Path, heap: str) -> Figures:
    """Write the files, import them, and count what arrived.

    Raises
    ------
    SystemExit
        The AdminTool fails, or other weights arrived than were written.
    """
    files, server = folder / "files", folder / "server"
    files.mkdir(parents=True)
    # Timed in one pass: the difference of two would be mostly what else the machine does.
    made = Making(shape)
    writing = seconds(lambda: write_import_files(made, files)) - made.seconds
    importing = seconds(lambda: import_files(files, server, heap))
    with launcher().start([server], heap=heap) as servers:
        store = GraphStore(servers.addresses[0]).store
        ((arrived,),) = store.read("MATCH (:Feature)-[w:WEIGHT]->(:Feature) RETURN count(w)").rows
        store.close()
    if arrived != shape.edges:
        raise SystemExit(f"{arrived} weights arrived, of {shape.edges}.")
    return {
        "offline: files from rows, s": writing,
        "offline: AdminTool, s": importing,
        "offline: AdminTool, weights/s": shape.edges / importing,
        "offline: files and AdminTool, weights/s": shape.edges / (writing + importing),
        "offline: files, MB": sum(p.stat().st_size for p in files.rglob("*.csv")) / 1e6,
        RATIO: importing / (writing + importing),
    }


def measure_export(store: Path, folder: Path) -> Figures:
    """Export an embedded store, as ``circuitkb export`` does."""
    with ckb.open(store) as kb:
        return {
            f"export {name} from the embedded store, s": seconds(
                partial(kb.export, name, folder / name)
            )
            for name in ("neo4j-admin", "parquet")
        }


def import_files(files: Path, server: Path, heap: str) -> None:
    """Run the command that README.txt in the files names."""
    arguments = ["database", "import", "full", "@import.args", "neo4j"]
    with chdir(files), said_aside():
        failed = launcher().admin(server, arguments, heap=heap)
    if failed:
        raise SystemExit(f"The AdminTool ended with {failed}.")


@contextmanager
def said_aside() -> Iterator[None]:
    """Let what other programs print go to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
