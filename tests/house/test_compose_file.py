"""The Neo4j server that docker-compose.yml describes is closed to strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def server(compose: dict[str, Any]) -> dict[str, Any]:
    (only,) = compose["services"].values()
    return dict(only)


def setting(server: dict[str, Any], name: str) -> str:
    """A Neo4j setting: in the image's environment `.` is written `_`, and `_` is `__`."""
    return str(server["environment"]["NEO4J_" + name.replace("_", "__").replace(".", "_")])


def test_it_is_the_tested_release(server: dict[str, Any]) -> None:
    assert server["image"] == "neo4j:5.26-community"


def test_every_port_is_on_loopback(server: dict[str, Any]) -> None:
    assert server["ports"] == ["127.0.0.1:7474:7474", "127.0.0.1:7687:7687"]


def test_it_refuses_to_start_without_a_password(server: dict[str, Any]) -> None:
    assert server["environment"]["NEO4J_AUTH"].startswith("neo4j/${CIRCUITKB_NEO4J_PASSWORD:?")


def test_cypher_cannot_read_the_servers_files(server: dict[str, Any]) -> None:
    assert setting(server, "dbms.security.allow_csv_import_from_file_urls") == "false"


def test_memory_is_bounded(server: dict[str, Any]) -> None:
    for name in (
        "server.memory.heap.initial_size",
        "server.memory.heap.max_size",
        "server.memory.pagecache.size",
        "dbms.memory.transaction.total.max",
    ):
        assert setting(server, name)[-1] == "g"


def test_data_lies_in_named_volumes(compose: dict[str, Any], server: dict[str, Any]) -> None:
    mounts = dict(reversed(text.split(":")) for text in server["volumes"])
    assert set(mounts) == {"/data", "/logs"}
    assert set(mounts.values()) == set(compose["volumes"])


def test_it_says_when_it_is_ready(server: dict[str, Any]) -> None:
    kind, command = server["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert "localhost:7474" in command
    assert server["healthcheck"]["retries"] > 0
