"""What Neo4j's own importer makes of the files, read back over Bolt and held against the source."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import neo4j
import pyarrow as pa
import pytest

from circuitkb.moving.files.neo4j_admin import write_import_files
from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.errors import StoreError
from circuitkb.schema.tables import GraphRows, node_table
from circuitkb.stores.server import ServerStore
from tests.moving.awkward import awkward, in_pieces, plain, told
from tests.stores import servers
from tests.stores.contents import content, content_of

LONG = '"é\n' * 1_500_000
"""More than the importer reads at once, unless it is told."""


def run_import(files: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what README.txt says."""
    monkeypatch.chdir(files)
    command = ["database", "import", "full", "@import.args", "neo4j"]
    assert servers.launcher().admin(home, command) == 0


def statements(files: Path) -> list[str]:
    """The statements of after-import.cypher, as cypher-shell takes them apart."""
    return (files / "after-import.cypher").read_text("utf-8").removesuffix(";\n").split(";\n")


def everything(session: neo4j.Session) -> dict[tuple[str, ...], list[str]]:
    """Return all rows of a database by kind, as :func:`plain` does."""
    found: dict[tuple[str, ...], list[str]] = {}
    for node in NODES:
        rows = session.run(f"MATCH (n:{node.label}) RETURN n")
        found[(node.label,)] = sorted(told(dict(row["n"])) for row in rows)
    for relation in RELATIONS:
        for source, target in relation.endpoints:
            rows = session.run(
                f"MATCH (a:{source})-[r:{relation.name}]->(b:{target}) "
                "RETURN a.id AS source, b.id AS target, properties(r) AS properties"
            )
            found[relation.name, source, target] = sorted(
                told({"source": r["source"], "target": r["target"], **r["properties"]})
                for r in rows
            )
    return found


@pytest.fixture
def imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[GraphRows, Path, Any]]:
    """Awkward rows, the files written of them, and a server that runs on what was imported."""
    rows, files, home = awkward(infinite=True), tmp_path / "files", tmp_path / "server"
    long = node_table("Claim", {"id": ["long"], "text": [LONG]})
    claims = pa.concat_tables([rows.nodes["Claim"], long])
    rows = replace(rows, nodes={**rows.nodes, "Claim": claims})
    files.mkdir()
    write_import_files(in_pieces(rows), files)
    run_import(files, home, monkeypatch)
    with servers.private(home) as running:
        yield rows, files, running.addresses[0]
    shutil.rmtree(home)


@pytest.mark.long
@pytest.mark.server
def test_every_value_comes_back_as_it_was_and_circuitkb_takes_the_database_for_its_own(
    imported: tuple[GraphRows, Path, str],
) -> None:
    rows, files, address = imported
    with pytest.raises(StoreError, match="holds other data"):  # a step of README.txt is missing
        ServerStore(address, create=False, arrays=files / "arrays")
    with neo4j.GraphDatabase.driver(address) as driver, driver.session() as session:
        for statement in statements(files):
            session.run(statement).consume()
        assert everything(session) == plain(rows)

    store = ServerStore(address, create=False, arrays=files / "arrays")
    assert content(store.export()) == content([rows])
    made = store.read("SHOW CONSTRAINTS YIELD labelsOrTypes RETURN labelsOrTypes", limit=None).rows
    assert {("Feature",), ("Model",)} <= {tuple(row[0]) for row in made}
    store.write(rows)
    assert content_of(store) == content([rows])
    store.close()
