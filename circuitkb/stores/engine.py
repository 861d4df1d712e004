"""ArcadeDB, loaded without a sound: making, opening and asking its databases.

Nothing else in circuitkb imports the engine. The import takes a quarter of a second, so it waits
until the first database is opened.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitkb.schema.ddl import arcade_statements

_JAVA_ERROR = re.compile(r"((?:[a-z]\w*\.)+[A-Z][\w$]*): (.*)", re.DOTALL)
_PAGES = (".bucket", "idx", ".dict")


@dataclass(frozen=True)
class Fault:
    """What went wrong in the engine: ``kind`` is the innermost-named class, without its package.

    ``kinds`` holds every class of the chain of causes, outermost first, and ``text`` all messages.
    """

    kind: str
    message: str
    kinds: tuple[str, ...]
    text: str


def arcadedb() -> Any:
    """Import the engine's package with its console log off; the log file stays where it puts it."""
    os.environ.setdefault("ARCADEDB_LOG_CONSOLE", "0")
    logging.getLogger("arcadedb").addHandler(logging.NullHandler())
    import arcadedb

    return arcadedb


def engine_error() -> type[Exception]:
    """Return the one exception class that the engine's package raises."""
    kind: type[Exception] = arcadedb().ArcadeDBError
    return kind


def fault_of(error: Exception) -> Fault:
    """Read the Java exception that an error of the engine's package stands for."""
    chain = [(str(kind), str(text)) for kind, text in getattr(error, "java_chain", None) or ()]
    if not chain:
        found = _JAVA_ERROR.search(str(error))
        chain = [(found[1], found[2])] if found else [("", str(error))]
    kinds = tuple(kind.rpartition(".")[2] for kind, _ in chain)
    return Fault(kinds[0], chain[0][1], kinds, " ".join(text for _, text in chain))


def open_for_writing(directory: Path) -> Any:
    """Open the database in ``directory``, or make it, with the types that the schema declares."""
    package = arcadedb()
    exists = (directory / "schema.json").exists()
    database = (package.open_database if exists else package.create_database)(str(directory))
    for statement in arcade_statements():
        database.command("sql", statement).close()
    return database


def open_for_reading(graph: Path, view: Path, *, timeout: float | None) -> Any:
    """Open the database in ``graph`` read-only, through links in the empty directory ``view``.

    The engine takes its settings from a file beside the pages. Reading through a directory of
    one's own gives every reader its own time limit, closes the file system and the network
    whatever came with the store, and writes nothing into the store, which may lie on a medium
    that cannot be written.
    """
    for item in sorted(graph.iterdir()):
        if item.name.endswith(_PAGES):
            _link(item, view / item.name)
        elif item.suffix in (".json", ".bin"):
            shutil.copyfile(item, view / item.name)
    settings = {
        "command.timeout": 0 if timeout is None else max(1, round(timeout * 1000)),
        "opencypher.loadCsv.allowFileUrls": False,
        "opencypher.loadCsv.allowRemoteUrls": False,
    }
    (view / "configuration.json").write_text(json.dumps({"configuration": settings}))
    return arcadedb().open_database(str(view), read_only=True)


def _link(source: Path, link: Path) -> None:
    try:
        link.symlink_to(source)
    except OSError:  # Windows without the right to make symbolic links
        link.hardlink_to(source)
