"""Real Neo4j servers for the tests.

They are started once for each test process, from Maven's jars (``scripts/neo4j``), or they are
the ones that the variable ``CIRCUITKB_TEST_NEO4J`` names (``bolt://...,bolt://...``): three for
each test process, whose databases must be empty at first.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import neo4j
from neo4j.exceptions import DriverError, Neo4jError

NAMED = "CIRCUITKB_TEST_NEO4J"
COUNT = 3
"""So many databases can be in use in one test: the Community edition has one a server."""

BATCH = 10_000
"""Nodes deleted at once: what a small heap holds."""

MAY_BE_WIPED = "circuitkb_tests_may_wipe_this_database"
"""An index of this name says so; unlike a node, it is there also while a test's data are gone."""


@cache
def launcher() -> ModuleType:
    """The module ``scripts/neo4j/launcher.py``, which lies outside of every package."""
    path = Path(__file__).resolve().parents[2] / "scripts" / "neo4j" / "launcher.py"
    spec = importlib.util.spec_from_file_location("neo4j_launcher", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def addresses() -> tuple[str, ...]:
    """Return the addresses of the servers that tests share; the first call starts them."""
    found = shared()
    if isinstance(found, Exception):
        raise found
    return found


@cache
def shared() -> tuple[str, ...] | Exception:
    """Start the shared servers, or say why not: once, so that no test waits for it again."""
    try:
        named = os.environ.get(NAMED)
        return claim(share(named)) if named else start_shared()
    except (launcher().ServerError, DriverError, Neo4jError, ValueError) as problem:
        return problem


def start_shared() -> tuple[str, ...]:
    folder = tempfile.TemporaryDirectory(prefix="circuitkb-neo4j-", ignore_cleanup_errors=True)
    servers = private(*(Path(folder.name) / str(number) for number in range(COUNT)))
    atexit.register(folder.cleanup)
    atexit.register(servers.stop)
    return tuple(servers.addresses)


def share(named: str) -> tuple[str, ...]:
    """Return the named servers that this test process uses: no two processes use the same."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    found = tuple(address.strip() for address in named.split(",") if address.strip())
    ours = found[worker * COUNT : (worker + 1) * COUNT]
    if len(ours) < COUNT:
        processes = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
        raise ValueError(
            f"{NAMED} names {len(found)} servers; {COUNT} are needed for each of the {processes} "
            "test processes. Name more, separated by commas, or pass -n 0 to pytest."
        )
    return ours


def private(*directories: Path, **options: Any) -> Any:
    """Start servers for one test alone, to be ended by it.

    The options of ``launcher.start`` hold: ``password``, ``read_only``, ``ports``, ...
    Returns its ``Servers``: a context manager with ``addresses``, ``stop`` and ``kill``.
    """
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    return launcher().start(directories, **{"java_options": quick, **options})


def wipe(address: str) -> None:
    """Delete everything in a test server's database: nodes, constraints and indexes."""
    delete = "MATCH (node) WITH node LIMIT $limit DETACH DELETE node"
    with driver(address).session() as session:
        while session.run(delete, limit=BATCH).consume().counters.nodes_deleted == BATCH:
            pass
        session.execute_write(drop_schema)


def drop_schema(transaction: neo4j.ManagedTransaction) -> None:
    """Drop all but the indexes that every database is born with, and the tests' own."""
    for name in transaction.run("SHOW CONSTRAINTS YIELD name").value():
        transaction.run(f"DROP CONSTRAINT {quoted(name)} IF EXISTS").consume()
    indexes = transaction.run(
        "SHOW INDEXES YIELD name, type, owningConstraint "
        "WHERE type <> 'LOOKUP' AND owningConstraint IS NULL AND name <> $kept",
        kept=MAY_BE_WIPED,
    ).value()
    for name in indexes:
        transaction.run(f"DROP INDEX {quoted(name)} IF EXISTS").consume()


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def claim(named: tuple[str, ...]) -> tuple[str, ...]:
    """Take servers for the tests, which wipe them, unless one holds data that are not theirs."""
    for address in named:
        with driver(address).session() as session:
            ours = session.run(
                "SHOW INDEXES YIELD name WHERE name = $name", name=MAY_BE_WIPED
            ).value()
            if not ours and session.run("MATCH (node) RETURN 1 LIMIT 1").value():
                raise ValueError(
                    f"{NAMED} names {address}, which holds data. Tests wipe the databases that "
                    "they run on: name one that is empty."
                )
            session.run(
                f"CREATE INDEX {MAY_BE_WIPED} IF NOT EXISTS FOR (n:CircuitKBTests) ON (n.none)"
            ).consume()
    return named


@cache
def driver(address: str) -> neo4j.Driver:
    """A connection to a shared server, kept until the process ends."""
    password = os.environ.get(launcher().PASSWORD_VARIABLE)
    found = neo4j.GraphDatabase.driver(address, auth=("neo4j", password) if password else None)
    atexit.register(found.close)
    return found
