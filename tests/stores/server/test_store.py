"""What a server's store is opened on: nothing, somebody else's data, a locked door, no server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import neo4j
import pytest
import trustme

from circuitkb.schema.definition import FORMAT_VERSION
from circuitkb.schema.errors import (
    StoreAccessError,
    StoreError,
    StoreNotFoundError,
    StoreUnreachableError,
    StoreVersionError,
)
from circuitkb.stores import open_store
from circuitkb.stores.server import ServerStore, connection, marker
from tests.stores import servers
from tests.stores.contents import content, content_of, network, nodes, values
from tests.stores.factories import DATABASES

PASSWORD = connection.PASSWORD_VARIABLE


@pytest.fixture
def address(tmp_path: Path) -> str:
    """An empty database."""
    return DATABASES.at(tmp_path / "one")


@pytest.fixture(autouse=True)
def arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRCUITKB_ARRAYS", str(tmp_path / "arrays"))
    return tmp_path / "arrays"


@contextmanager
def opened(address: str, **options: Any) -> Iterator[ServerStore]:
    store = open_store(address, **options)
    assert isinstance(store, ServerStore)
    with closing(store):
        yield store


def tell(address: str, cypher: str, **parameters: Any) -> list[Any]:
    """Run Cypher without circuitkb."""
    with servers.driver(address).session() as session:
        return [row.values() for row in session.run(cypher, parameters)]  # type: ignore[arg-type]


def everything(address: str) -> list[Any]:
    return tell(address, "MATCH (n) RETURN labels(n), properties(n) ORDER BY elementId(n)")


@pytest.mark.server
def test_an_empty_database_is_an_empty_knowledge_base(address: str) -> None:
    with opened(address) as store:
        assert content_of(store) == content([])
    assert everything(address) == [], "looking makes nothing"


@pytest.mark.server
def test_nothing_there_is_said_with_what_makes_one(address: str) -> None:
    with pytest.raises(StoreNotFoundError, match=rf"circuitkb load .* --kb {address}"):
        open_store(address, create=False)
    assert everything(address) == []


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.server
def test_somebody_elses_data_are_never_touched(address: str, create: bool) -> None:
    tell(address, "CREATE (:Person {name: 'Ada'})-[:KNOWS]->(:Feature {id: 'theirs'})")
    before = everything(address)
    with pytest.raises(StoreError, match=r"holds other data .* not touched") as caught:
        open_store(address, create=create)
    assert type(caught.value) is StoreError
    assert everything(address) == before


@pytest.mark.server
def test_data_that_came_after_looking_are_not_touched_either(address: str) -> None:
    with opened(address) as store:
        tell(address, "CREATE (:Person {name: 'Ada'})")
        before = everything(address)
        with pytest.raises(StoreError, match="holds other data"):
            store.write(network())
    assert everything(address) == before


@pytest.mark.server
def test_another_format_version_is_named_with_the_remedy(address: str) -> None:
    with opened(address) as store:
        store.write(network())
    tell(address, f"MATCH (m:{marker.MARKER}) SET m.version = 99, m.made_by = 'circuitkb 9.9'")
    before = everything(address)
    with pytest.raises(StoreVersionError, match=rf"99 .*9\.9.* reads version {FORMAT_VERSION}"):
        open_store(address)
    assert everything(address) == before


@pytest.mark.server
def test_constraints_and_indexes_are_made_once_and_old_ones_go(address: str) -> None:
    with opened(address) as store:
        store.ensure_schema()
        before = tell(address, "SHOW INDEXES YIELD name, type, labelsOrTypes, properties")
        store.ensure_schema()
        assert tell(address, "SHOW INDEXES YIELD name, type, labelsOrTypes, properties") == before
        old = "CREATE INDEX circuitkb_test_old IF NOT EXISTS FOR (n:Feature) ON (n.bias)"
        tell(address, old)
        tell(
            address,
            "MATCH (m:CircuitKB) SET m.statements = $s",
            s=f'["{old}", "{marker.statements()[0]}"]',
        )
    with opened(address):
        names = {row[0] for row in tell(address, "SHOW INDEXES YIELD name")}
    assert {statement.split()[2] for statement in marker.statements()} <= names
    assert "circuitkb_test_old" not in names


@pytest.mark.server
def test_the_database_may_be_named(address: str) -> None:
    with opened(f"{address}/neo4j") as store:
        store.write(network())
        assert store.address == f"{address}/neo4j"
    with opened(address) as store:
        assert content_of(store) == content([network()])
    with pytest.raises(StoreError, match="no database 'zoo'"):
        open_store(f"{address}/zoo")


@pytest.mark.server
def test_a_routing_address_works_too(address: str) -> None:
    with opened(address.replace("bolt://", "neo4j://")) as store:
        store.write(network())
        assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


def test_a_password_in_an_address_is_not_taken_and_not_shown() -> None:
    with pytest.raises(StoreError, match=PASSWORD) as caught:
        open_store("bolt://ada:s3cret@localhost:7687")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["bolt://", "bolt:///zoo", "bolt://h:port", "bolt://h/a/b", "bolt://h/x", "bolt://h?a=1"],
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(StoreError, match=r"bolt://|names no"):
        open_store(text)


def test_no_server_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreUnreachableError, match=rf"127\.0\.0\.1:{port} does not answer"):
        open_store(f"bolt://127.0.0.1:{port}")


def test_something_else_that_listens_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with other.accept()[0] as connected:
                connected.recv(100)
                connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        port = other.getsockname()[1]
        with pytest.raises(StoreUnreachableError, match="is it the Bolt port"):
            open_store(f"bolt://127.0.0.1:{port}")


@pytest.mark.server
def test_an_old_server_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        agent = "Neo4j/4.4.30"

    monkeypatch.setattr(neo4j.Driver, "get_server_info", lambda driver, **_: Old)
    with pytest.raises(StoreVersionError, match=r"is Neo4j/4.4.30; .* 5\.26 or later"):
        open_store(address)


@pytest.mark.server
def test_the_arrays_lie_where_the_variable_says(address: str, arrays: Path) -> None:
    with opened(address) as store:
        folder = store.workspace("net")
        (found,) = tell(address, f"MATCH (m:{marker.MARKER}) RETURN m.uuid")[0]
    assert folder == arrays / found / "unfinished" / "net"


@pytest.mark.long
@pytest.mark.server
def test_a_server_with_a_password_and_a_certificate_then_one_to_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server for all of it, since it takes seconds to start."""
    place, authority = tmp_path / "server", trustme.CA()
    certificates = place / "certificates" / "bolt"
    certificates.mkdir(parents=True)
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(certificates / "private.key")
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(certificates / "public.crt", append=number > 0)
    encrypted = {
        "server.bolt.tls_level": "OPTIONAL",
        "dbms.ssl.policy.bolt.enabled": "true",
        "dbms.ssl.policy.bolt.base_directory": str(certificates),
        "dbms.ssl.policy.bolt.client_auth": "NONE",
    }
    with servers.private(place, password="right-password", settings=encrypted) as running:
        address = running.addresses[0]
        monkeypatch.delenv(PASSWORD, raising=False)
        with pytest.raises(StoreAccessError, match=f"asks for a password: set {PASSWORD}"):
            open_store(address)
        monkeypatch.setenv(PASSWORD, "wrong-password")
        with pytest.raises(
            StoreAccessError, match=r"does not take this password .* 'neo4j'"
        ) as said:
            open_store(address)
        assert "wrong-password" not in str(said.value)
        monkeypatch.delenv(PASSWORD)
        asked = []
        with monkeypatch.context() as terminal:
            terminal.setattr("sys.stdin.isatty", lambda: True, raising=False)
            terminal.setattr(
                "getpass.getpass", lambda prompt: asked.append(prompt) or "right-password"
            )
            with opened(address) as store:
                store.write(network())
        assert len(asked) == 1
        assert "neo4j" in asked[0]
        monkeypatch.setenv(PASSWORD, "right-password")
        own = address.replace("bolt://", "bolt+ssc://")
        with opened(own) as store:
            assert content_of(store) == content([network()])
        checked = address.replace("bolt://", "bolt+s://")
        with pytest.raises(StoreUnreachableError, match=r"certificate|does not answer"):
            open_store(checked)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with opened(checked) as store:
            assert content_of(store) == content([network()])
        with pytest.raises(StoreAccessError, match="'ada'"):
            open_store(address.replace("bolt://", "bolt://ada@"))
    monkeypatch.delenv(PASSWORD)
    with servers.private(place, read_only=True) as running, opened(running.addresses[0]) as store:
        assert content_of(store) == content([network()])
        store.write(network())
        for rows in (nodes("Label", {"id": "l", "text": "l"}), network(8)):
            with pytest.raises(StoreAccessError, match="may only be read"):
                store.write(rows)
        assert content_of(store) == content([network()])
