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
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from circuitkb.stores.embedded.faults import Fault
from circuitkb.stores.embedded.memory import memory_bound

_JAVA_ERROR = re.compile(r"((?:[a-z]\w*\.)+[A-Z][\w$]*): (.*)", re.DOTALL)
_ARGUMENTS = "ARCADEDB_NATIVE_ISOLATE_ARGS"
_LOGGING = "-Djava.util.logging.config.file="
_PAGES_SHARE = 8  # part of that memory that pages of the database may take
_PAGES = (".bucket", "idx", ".dict")


@cache
def arcadedb() -> Any:
    """Import the engine's package, which then writes no log, unless ``ARCADEDB_LOG_DIR`` asks."""
    logging.getLogger("arcadedb").addHandler(logging.NullHandler())
    os.environ.setdefault("ARCADEDB_LOG_CONSOLE", "0")
    import arcadedb

    if "ARCADEDB_LOG_DIR" in os.environ:
        return arcadedb
    # With its log file, Java complains on the terminal where that file's disk is full. The
    # package takes the configuration from the environment, when it starts the engine.
    quiet = _own_directory() / "logging.properties"
    quiet.write_text("handlers=\n.level=OFF\n")
    before = os.environ.get(_ARGUMENTS)
    arguments = [before or "", *_memory(), f"{_LOGGING}{quiet.as_posix()}"]
    os.environ[_ARGUMENTS] = " ".join(arguments).strip()
    try:
        arcadedb.database_exists(str(quiet.parent))
    finally:
        if before is None:
            del os.environ[_ARGUMENTS]
        else:
            os.environ[_ARGUMENTS] = before
    return arcadedb


def _memory() -> list[str]:
    """Return the arguments that bound the engine's memory."""
    most = memory_bound()
    return [f"-Xmx{most}m", f"-Darcadedb.maxPageRAM={most // _PAGES_SHARE}"]


def _own_directory() -> Path:
    """Return a directory that lives as long as the process."""
    return Path(_own_temporary_directory().name)


@cache
def _own_temporary_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="circuitkb-", ignore_cleanup_errors=True)


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


@cache
def empty_graph() -> Path:
    """Return a closed database with the types of the schema and nothing in it, to copy or read."""
    directory = _own_directory() / "empty"
    _declare(arcadedb().create_database(str(directory))).close()
    return directory


def open_for_writing(graph: Path) -> Any:
    """Open the database in ``graph``, with all the types that the schema declares by now."""
    return _declare(arcadedb().open_database(str(graph)))


def open_to_log(graph: Path) -> Any:
    """Open the database in ``graph`` likewise; each transaction is on the disk before it counts.

    No index is written anew meanwhile: the files stay those that they are.
    """
    settings = {"txWalFlush": 2, "indexCompactionMinPagesSchedule": 0}
    (graph / "configuration.json").write_text(json.dumps({"configuration": settings}))
    if _is_declared(graph / "schema.json"):
        return arcadedb().open_database(str(graph))
    return open_for_writing(graph)


def _is_declared(schema: Path) -> bool:
    """Whether a schema, as the engine writes it, has all that is to be declared."""
    from circuitkb.schema.definition import NODES, RELATIONS  # what only reads can do without

    kinds = {node.label: node.properties for node in NODES}
    kinds |= {relation.name: relation.properties for relation in RELATIONS}
    try:
        types = json.loads(schema.read_bytes())["types"]
        return all(
            {p.name for p in properties} <= set(types[name]["properties"])
            and {p.name for p in properties if p.indexed}
            <= {p for index in types[name]["indexes"].values() for p in index["properties"]}
            for name, properties in kinds.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _declare(database: Any) -> Any:
    from circuitkb.schema.ddl import arcade_statements

    database.begin()  # else the engine writes its whole schema to the disk after each statement
    for statement in arcade_statements():
        database.command("sql", statement).close()
    database.commit()
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
    for make in (link.symlink_to, link.hardlink_to):
        with suppress(OSError):  # Windows: without the right to it, or onto another drive
            make(source)
            return
    shutil.copyfile(source, link)
