"""The Neo4j servers that tests and contributors run: how they start, what they allow, how they end.

``scripts/neo4j-server`` and the module ``servers`` are both about ``scripts/neo4j/launcher.py``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import neo4j
import psutil
import pytest
from neo4j.exceptions import AuthError, ClientError

from tests.stores import servers
from tests.stores.processes import listen_to_interrupts

COMMAND = Path(__file__).resolve().parents[2] / "scripts" / "neo4j-server"
launcher = servers.launcher()


@pytest.fixture
def address() -> str:
    """A shared server whose database is empty."""
    found = servers.addresses()[0]
    servers.wipe(found)
    return found


def ask(address: str, query: str, auth: tuple[str, str] | None = None) -> list[list[object]]:
    with neo4j.GraphDatabase.driver(address, auth=auth, warn_notification_severity="OFF") as driver:
        return [list(record) for record in driver.execute_query(query).records]


def port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def wait_until(holds: Callable[[], bool], seconds: float = 90) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def ended(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == "zombie"


def fake(folder: Path, name: str, script: str) -> None:
    """Put a command on a search path that replaces a real one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    (folder / name).chmod(0o755)


# The shared servers.


@pytest.mark.server
def test_each_shared_server_has_a_database_of_its_own(address: str) -> None:
    other = servers.addresses()[1]
    servers.wipe(other)
    ask(address, "CREATE (:Feature {id: 'a:1'})")
    assert ask(address, "MATCH (f:Feature) RETURN f.id") == [["a:1"]]
    assert ask(other, "MATCH (n) RETURN n") == []


@pytest.mark.server
def test_a_wipe_leaves_nothing(address: str) -> None:
    before = ask(address, "SHOW INDEXES YIELD type, name")
    ask(address, "CREATE CONSTRAINT one FOR (n:Feature) REQUIRE n.id IS UNIQUE")
    ask(address, "CREATE CONSTRAINT `a ``strange`` name` FOR (n:Layer) REQUIRE n.id IS UNIQUE")
    ask(address, "CREATE INDEX FOR (n:Feature) ON (n.unit)")
    ask(address, "CREATE FULLTEXT INDEX words FOR (n:Label) ON EACH [n.text]")
    many = servers.BATCH + 1
    ask(address, f"UNWIND range(1, {many}) AS i CREATE (:Feature {{id: i}})-[:WEIGHT]->(:Layer)")
    assert ask(address, "MATCH (n) RETURN count(n)") == [[2 * many]]
    servers.wipe(address)
    assert ask(address, "MATCH (n) RETURN count(n)") == [[0]]
    assert ask(address, "SHOW CONSTRAINTS") == []
    assert ask(address, "SHOW INDEXES YIELD type, name") == before


@pytest.mark.server
def test_shared_servers_listen_on_loopback_alone(address: str) -> None:
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port(address)
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.server
def test_cypher_cannot_read_the_servers_files(address: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n", "utf-8")
    with pytest.raises(ClientError, match="allow_csv_import_from_file_urls' is false"):
        ask(address, f"LOAD CSV FROM '{secret.as_uri()}' AS line RETURN line")


# Servers that a contributor names.


@pytest.mark.server
def test_a_named_server_with_data_of_somebody_is_refused(address: str) -> None:
    ask(address, "CREATE (:Invoice)")
    with pytest.raises(ValueError, match=f"{address}, which holds data.*name one that is empty"):
        servers.claim((address,))
    assert ask(address, "MATCH (n) RETURN labels(n)") == [[["Invoice"]]]


@pytest.mark.server
def test_a_named_server_that_the_tests_took_once_is_theirs(address: str) -> None:
    servers.claim((address,))
    try:
        ask(address, "CREATE (:LeftByAKilledTest)")
        assert servers.claim((address,)) == (address,)
        servers.wipe(address)
        assert servers.claim((address,)) == (address,)
    finally:
        ask(address, f"DROP INDEX {servers.MAY_BE_WIPED}")


def test_two_test_processes_share_no_named_server(monkeypatch: pytest.MonkeyPatch) -> None:
    named = ", ".join(f"bolt://127.0.0.1:{1000 + number}" for number in range(6))
    parts = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        parts.append(servers.share(named))
    assert [part[0][-4:] for part in parts] == ["1000", "1003"]
    assert not set(parts[0]) & set(parts[1])
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw2")
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    with pytest.raises(ValueError, match=r"6 servers; 3 are needed for each of the 3 .* -n 0"):
        servers.share(named)


# Private servers.


@pytest.mark.long
@pytest.mark.server
def test_a_killed_server_starts_again_with_its_data_now_with_password_and_read_only(
    tmp_path: Path,
) -> None:
    before = servers.private(tmp_path)
    ask(before.addresses[0], "CREATE (:Feature {id: 'a:1'})")
    before.kill()
    options = {"password": "correct horse", "read_only": True}
    with servers.private(tmp_path, ports=[port(before.addresses[0])], **options) as again:
        assert again.addresses == before.addresses
        (address,) = again.addresses
        right = ("neo4j", "correct horse")
        assert ask(address, "MATCH (f:Feature) RETURN f.id", right) == [["a:1"]]
        for wrong in [None, ("neo4j", "battery staple"), ("neo4j", "neo4j")]:
            with pytest.raises(AuthError):
                ask(address, "RETURN 1", wrong)
        with pytest.raises(ClientError, match="read-only"):
            ask(address, "CREATE (:Feature)", right)


@pytest.mark.long
@pytest.mark.server
def test_a_server_listens_on_loopback_alone_and_dies_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import servers\n"
        f"found = servers.private(Path({str(tmp_path)!r}))\n"
        "print(found.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        listening = {
            connection.laddr.ip.removeprefix("::ffff:")
            for connection in psutil.Process(server).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
        assert not ended(server)
        parent.kill()
    assert wait_until(lambda: ended(server))


@pytest.mark.long
@pytest.mark.server
def test_a_port_that_is_taken_is_named(address: str, tmp_path: Path) -> None:
    taken = port(address)
    with pytest.raises(launcher.ServerError, match=rf"(?s)did not start:.*{taken}.*in use"):
        servers.private(tmp_path, ports=[taken])


# Java and Maven.


def test_without_java_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(launcher.ServerError) as problem:
        launcher.java()
    said = str(problem.value)
    assert "needs a JDK 17 or 21; no Java is here" in said
    assert "apt-get install openjdk-17-jdk-headless maven" in said
    assert "brew install" in said
    assert "choco install" in said


@pytest.mark.parametrize(
    ("release", "words"),
    [("11.0.2", "is Java 11"), ("1.8.0_392", "is Java 8"), ("17.0.15", "is of a JRE 17")],
)
def test_an_unfit_java_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: str, words: str
) -> None:
    fake(tmp_path / "bin", "java", f"""echo 'openjdk version "{release}" 2020-01-01' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(launcher.ServerError, match=f"{tmp_path / 'bin' / 'java'} {words}"):
        launcher.java()


def test_an_unfit_java_home_does_not_hide_a_fit_java(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, fit = tmp_path / "old", tmp_path / "fit"
    fake(old / "bin", "java", "echo 'version \"11.0.2\"' >&2")
    fake(fit, "java", "echo 'version \"21.0.1\"' >&2")
    fake(fit, "javac", "")
    monkeypatch.setenv("JAVA_HOME", str(old))
    monkeypatch.setenv("PATH", str(fit))
    assert launcher.java() == fit / "java"


def test_without_maven_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(launcher.ServerError, match=r"(?s)Maven is needed once.*apt-get install"):
        launcher.libraries(tmp_path / "kept")


def test_jars_are_there_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    copy = 'for last; do :; done; to="${last#-DoutputDirectory=}"; mkdir "$to"; '
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    fake(tmp_path, "mvn", copy + 'touch "$to/one.jar"; echo "no route to host"; exit 1')
    with pytest.raises(launcher.ServerError, match="no route to host"):
        launcher.libraries(kept)
    assert not launcher.library_folder(kept).exists()
    fake(tmp_path, "mvn", copy + 'touch "$to/two.jar"')
    assert [jar.name for jar in launcher.libraries(kept).iterdir()] == ["two.jar"]


def test_two_that_ask_for_the_jars_at_once_fetch_them_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    copy = 'for last; do :; done; to="${last#-DoutputDirectory=}"; mkdir "$to"; '
    fake(tmp_path, "mvn", f'{copy} echo run >> {tmp_path}/runs; sleep 0.5; touch "$to/one.jar"')
    found: list[list[str]] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                [jar.name for jar in launcher.libraries(tmp_path / "kept").iterdir()]
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["one.jar"]] * 3
    assert (tmp_path / "runs").read_text("utf-8") == "run\n"


# The command.


def test_the_command_says_in_a_few_lines_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, COMMAND, "fetch"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs a JDK 17 or 21" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.server
def test_the_command_wants_a_password_that_neo4j_takes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, COMMAND, "start", "--password-from-env", "--directory", tmp_path],
        env={**os.environ, launcher.PASSWORD_VARIABLE: "short"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "Set CIRCUITKB_NEO4J_PASSWORD to a password of at least 8 characters.\n"


@pytest.mark.long
@pytest.mark.server
def test_the_command_imports_files_serves_them_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    nodes, edges = tmp_path / "nodes.csv", tmp_path / "edges.csv"
    nodes.write_text("id:ID,unit:int,:LABEL\na:1,1,Feature\na:2,2,Feature\n", "utf-8")
    edges.write_text(":START_ID,:END_ID,sum:double,:TYPE\na:1,a:2,0.5,WEIGHT\n", "utf-8")
    directory = ["--directory", tmp_path / "served"]
    arguments = ["database", "import", "full", "neo4j"]
    arguments += [f"--nodes={nodes}", f"--relationships={edges}"]
    subprocess.run(
        [sys.executable, COMMAND, "admin", *directory, *arguments],
        cwd=tmp_path,  # the importer leaves a report there
        stdout=subprocess.DEVNULL,
        check=True,
    )
    serving = subprocess.Popen(
        [sys.executable, COMMAND, "start", *directory, "--port", "0", "--heap", "512m"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=listen_to_interrupts,
    )
    with serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        (address,) = [
            word for word in serving.stdout.readline().split() if word.startswith("bolt://")
        ]
        (server,) = psutil.Process(serving.pid).children()
        question = "MATCH (a)-[w:WEIGHT]->(b) RETURN a.id, w.sum, b.unit"
        assert ask(address, question) == [["a:1", 0.5, 2]]
        os.killpg(serving.pid, signal.SIGINT)
    assert serving.returncode == 0
    assert ended(server.pid)
