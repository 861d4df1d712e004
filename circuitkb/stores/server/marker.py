"""The marker: the one node that says that a database is a knowledge base of ours.

A database without it that holds anything is somebody else's, and is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from circuitkb.schema.ddl import cypher_statements
from circuitkb.schema.definition import FORMAT_VERSION
from circuitkb.schema.errors import StoreBusyError, StoreError, StoreVersionError
from circuitkb.schema.provenance import tool
from circuitkb.stores.server.address import ServerAddress

if TYPE_CHECKING:
    from neo4j import ManagedTransaction, Session, Transaction

MARKER = "CircuitKB"
ARRAYS = "CircuitKBArrays"
WRITE = "CircuitKBWrite"
UNFINISHED = "CircuitKBUnfinished"
"""Labels of the nodes that the store keeps beside the knowledge base."""

FORMAT_NAME = "circuitkb"

_OWN = (
    f"CREATE CONSTRAINT circuitkb_marker IF NOT EXISTS FOR (n:{MARKER}) REQUIRE n.id IS UNIQUE",
    f"CREATE CONSTRAINT circuitkb_arrays IF NOT EXISTS FOR (n:{ARRAYS}) REQUIRE n.model IS UNIQUE",
    f"CREATE CONSTRAINT circuitkb_write IF NOT EXISTS FOR (n:{WRITE}) REQUIRE n.id IS UNIQUE",
    f"CREATE CONSTRAINT circuitkb_unfinished IF NOT EXISTS "
    f"FOR (n:{UNFINISHED}) REQUIRE n.circuitkb_key IS UNIQUE",
)
_INDEXING = 600


@dataclass(frozen=True)
class Marker:
    """What a knowledge base on a server says of itself.

    Attributes
    ----------
    uuid
        Tells it from every other one; names the directory of its arrays.
    writes
        How many writes it has taken: whoever sees the same number twice has seen one state.
    statements
        The constraints and indexes that were made for it.
    """

    uuid: str
    writes: int
    statements: tuple[str, ...]


def statements() -> tuple[str, ...]:
    """Return the statements that make the constraints and indexes, our own among them."""
    return (*_OWN, *cypher_statements())


def marker_properties(uuid: str | None = None) -> dict[str, Any]:
    """Return the properties of the marker of a new knowledge base."""
    return {
        "id": FORMAT_NAME,
        "uuid": uuid or str(uuid4()),
        "version": FORMAT_VERSION,
        "made_by": tool(),
        "writes": 0,
        "statements": json.dumps([]),
    }


def read_marker(transaction: ManagedTransaction | Transaction | Session) -> dict[str, Any] | None:
    """Return the properties of the marker, or None where there is none."""
    row = transaction.run(f"MATCH (m:{MARKER} {{id: $id}}) RETURN m", id=FORMAT_NAME).single()
    return None if row is None else dict(row["m"])


def check(found: dict[str, Any], address: ServerAddress) -> Marker:
    """Return what a marker says, if this version can work with it.

    Raises
    ------
    StoreVersionError
        It has another format version.
    """
    if found.get("version") != FORMAT_VERSION:
        raise StoreVersionError(
            f"{address.text} has format version {found.get('version')} (written by "
            f"{found.get('made_by')}); {tool()} reads version {FORMAT_VERSION}.\n"
            f"Use the circuitkb that wrote it, or load its sources again into an empty database."
        )
    return Marker(found["uuid"], found["writes"], tuple(json.loads(found["statements"])))


def labels(transaction: ManagedTransaction) -> frozenset[str]:
    """Return the labels of the nodes, but not of those that the store keeps for itself."""
    found = transaction.run("CALL db.labels() YIELD label RETURN label").value()
    return frozenset(found) - {MARKER, ARRAYS, WRITE, UNFINISHED}


def look(session: Session, address: ServerAddress) -> Marker | None:
    """Return the marker; None in an empty database.

    Raises
    ------
    StoreVersionError
        It has another format version.
    StoreError
        The database holds something else.
    """
    found = session.execute_read(read_marker)
    if found is not None:
        return check(found, address)
    if session.run("MATCH (n) RETURN 1 LIMIT 1").single() is not None:
        raise StoreError(
            f"{address.text} holds other data and is no knowledge base; it was not touched. Name "
            f"an empty database, as in {address.url}/NAME."
        )
    return None


def ensure(session: Session, address: ServerAddress) -> Marker:
    """Make the marker, the constraints and the indexes, as far as they are not there.

    Those that an older version made and this one does not use are removed.
    """
    there = look(session, address)
    wanted = statements()
    if there is not None and there.statements == wanted:
        return there
    _declare(session, wanted[: len(_OWN)])  # first: two that begin at once make one marker
    known = check(session.execute_write(_make), address)
    for statement in known.statements:
        if statement not in wanted:
            kind, name = statement.split()[1:3]
            session.run(f"DROP {kind} {name} IF EXISTS").consume()
    if _declare(session, wanted):
        session.run("CALL db.awaitIndexes($seconds)", seconds=_INDEXING).consume()
    session.execute_write(_note, list(wanted))
    return Marker(known.uuid, known.writes, wanted)


def _declare(session: Session, wanted: Sequence[str]) -> bool:
    """Make the constraints and indexes that are not there; return whether there were any."""
    there = set(session.run("SHOW INDEXES YIELD name RETURN name").value())
    missing = [statement for statement in wanted if statement.split()[2] not in there]
    for statement in missing:
        session.run(statement).consume()
    return bool(missing)


def _make(transaction: ManagedTransaction) -> dict[str, Any]:
    text = f"MERGE (m:{MARKER} {{id: $id}}) ON CREATE SET m = $properties RETURN m"
    row = transaction.run(text, id=FORMAT_NAME, properties=marker_properties()).single(strict=True)
    return dict(row["m"])


def _note(transaction: ManagedTransaction, made: list[str]) -> None:
    text = f"MATCH (m:{MARKER} {{id: $id}}) SET m.statements = $made"
    transaction.run(text, id=FORMAT_NAME, made=json.dumps(made)).consume()


def take_turn(transaction: ManagedTransaction, address: ServerAddress) -> Marker:
    """Wait until no other write is being finished; none is until this transaction ends.

    The lock on the marker is what makes writes take place one after the other: what is read in the
    transaction from now on is what the last one left.
    """
    text = f"MATCH (m:{MARKER} {{id: $id}}) SET m.writes = m.writes + 1 RETURN m"
    row = transaction.run(text, id=FORMAT_NAME).single()
    if row is None:
        raise StoreBusyError(f"The knowledge base at {address.text} was removed meanwhile.")
    found = dict(row["m"])
    return check(found | {"writes": found["writes"] - 1}, address)
