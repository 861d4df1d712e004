"""Neo4j servers without Docker: jars from Maven, run by the Java of this machine.

For tests and contributors; ``scripts/neo4j-server`` is its command. The servers listen on
127.0.0.1 alone and end with the process that started them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from filelock import FileLock

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent.parent / ".neo4j"
PASSWORD_VARIABLE = "CIRCUITKB_NEO4J_PASSWORD"
JAVA_RELEASES = (17, 21)
"""What Neo4j 5.26 runs on."""

JAVA_OPTIONS = (
    # What Neo4j's own start script passes: it reaches into the JDK for its memory-mapped files.
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
)
SETTINGS = {
    "dbms.usage_report.enabled": "false",
    # Cypher must not read the machine's files: a read transaction does not stop it.
    "dbms.security.allow_csv_import_from_file_urls": "false",
    # Else each database takes 512 MB of disk before it holds anything.
    "db.tx_log.preallocate": "false",
    # Without these, each stop takes 20 s: whoever stops a server has nothing to wait for.
    "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
    "internal.server.bolt.connection_shutdown_wait_time": "0s",
}
HOW_TO_GET = """\
  Debian, Ubuntu:  sudo apt-get install openjdk-17-jdk-headless maven   (Debian 13: openjdk-21-...)
  macOS:           brew install openjdk@21 maven && export JAVA_HOME="$(brew --prefix openjdk@21)"
  Windows:         choco install temurin21 maven"""


class ServerError(RuntimeError):
    """What a server needs is missing, or it did not start."""


def version() -> str:
    """Return the release of Neo4j that ``pom.xml`` names."""
    names = {"maven": "http://maven.apache.org/POM/4.0.0"}
    found = ElementTree.parse(HERE / "pom.xml").findtext(".//maven:neo4j.version", None, names)
    if not found:
        raise ServerError(f"{HERE / 'pom.xml'} has lost its property neo4j.version")
    return found


def java() -> Path:
    """Return the ``java`` of a JDK that Neo4j runs on: of JAVA_HOME, else the first on PATH.

    Raises
    ------
    ServerError
        None is there. Says what was found and how to get one.
    """
    seen: dict[str, str] = {}
    home = os.environ.get("JAVA_HOME")
    for place in (str(Path(home) / "bin") if home else None, None):
        found = shutil.which("java", path=place)
        if found is None or found in seen:
            continue
        release = java_release(found)
        if release not in JAVA_RELEASES:
            seen[found] = f"{found} is Java {release or 'of an unknown release'}"
        elif shutil.which("javac", path=str(Path(found).resolve().parent)) is None:
            seen[found] = f"{found} is of a JRE {release}, which lacks the compiler of a JDK"
        else:
            return Path(found)
    raise ServerError(
        f"Neo4j {version()} needs a JDK 17 or 21; {'; '.join(seen.values()) or 'no Java is here'}. "
        f"Install one, or let JAVA_HOME name it:\n{HOW_TO_GET}"
    )


def java_release(command: str) -> int | None:
    """Return the feature release (17, 21, ...) of a ``java`` command."""
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(match[1]) if match else None


def library_folder(kept: Path = KEPT) -> Path:
    """Return where the jars of Neo4j are kept, or will be."""
    return kept / f"lib-{version()}"


def libraries(kept: Path = KEPT) -> Path:
    """Return the folder with the jars of Neo4j; Maven gets them the first time (about 125 MB).

    It appears whole or not at all, and processes that ask at once wait for the one that fetches.

    Raises
    ------
    ServerError
        Maven is missing, or could not get them.
    """
    folder = library_folder(kept)
    if folder.is_dir():
        return folder
    kept.mkdir(parents=True, exist_ok=True)
    with FileLock(kept / "fetch.lock"):
        if not folder.is_dir():
            unfinished = kept / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            fetch(unfinished)
            unfinished.rename(folder)
    return folder


def fetch(folder: Path) -> None:
    """Let Maven copy the jars that ``pom.xml`` asks for into a folder."""
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError(f"Maven is needed once, to get Neo4j {version()}:\n{HOW_TO_GET}")
    command: list[str | Path] = [maven, "--batch-mode", "--quiet", "--file", HERE / "pom.xml"]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run(
        [*command, f"-DoutputDirectory={folder}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"Maven could not get Neo4j {version()}:\n{done.stdout[:2000]}")


@dataclass
class Servers:
    """Servers that run, all in one process; the end of a ``with`` block stops them.

    Attributes
    ----------
    addresses
        ``bolt://127.0.0.1:PORT`` of each, in the order of the directories.
    process
        The Java process. It ends when its standard input closes: with this process at the latest.
    output
        The last lines that it printed.
    """

    addresses: list[str]
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list, repr=False)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, patience: float = 60) -> None:
        """End the servers in order; those that take longer than ``patience`` seconds, at once."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the servers at once, as a crash does (SIGKILL)."""
        self.process.kill()
        self.process.wait()


def start(
    directories: Sequence[Path],
    *,
    ports: Sequence[int] | None = None,
    heap: str = "1g",
    page_cache: str = "64m",
    password: str | None = None,
    read_only: bool = False,
    settings: Mapping[str, str] | None = None,
    java_options: Sequence[str] = (),
    patience: float = 180,
) -> Servers:
    """Start a server on each directory, and return when all of them answer.

    Parameters
    ----------
    directories
        Where each keeps its data; made where missing.
    ports
        Bolt's port for each; without, or for 0, a free one.
    heap, page_cache
        Memory: of all servers together, and for the files of each. All transactions of a server
        together may take 70% of the heap (Neo4j's own limit), so that a query that asks for too
        much fails alone.
    password
        Of the user ``neo4j``, at least 8 characters. Without, nobody is asked for one.
    read_only
        Whether the databases refuse to be written; the directories must hold some.
    settings
        More lines for ``neo4j.conf``.
    java_options
        More options for Java.
    patience
        Seconds until a start counts as failed.

    Raises
    ------
    ServerError
        Java or Maven is missing, or a server did not start: with what it said.
    """
    lines = {
        **SETTINGS,
        "server.databases.default_to_read_only": str(read_only).lower(),
        "server.memory.pagecache.size": page_cache,
        **(settings or {}),
    }
    places = []
    for directory, port in zip(directories, ports or [0] * len(directories), strict=True):
        directory.mkdir(parents=True, exist_ok=True)
        places += [str(directory.resolve()), str(port)]
    environment = {key: text for key, text in os.environ.items() if key != PASSWORD_VARIABLE}
    if password is not None:
        environment[PASSWORD_VARIABLE] = password
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "neo4j.conf"
        path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), "utf-8")
        process = subprocess.Popen(
            [*java_command(heap, java_options), HERE / "Server.java", path, *places],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        servers = Servers([], process)
        up = threading.Event()
        threading.Thread(target=read, args=(servers, len(directories), up), daemon=True).start()
        in_time = up.wait(patience)
        if len(servers.addresses) < len(directories):
            servers.kill()
            why = "did not start" if in_time else f"did not start within {patience:g} s"
            said = "\n".join(servers.output[-30:]) or "It said nothing."
            raise ServerError(f"Neo4j {version()} {why}:\n{said}")
    return servers


def read(servers: Servers, expected: int, up: threading.Event) -> None:
    """Gather addresses, and whatever else the process says, until it ends."""
    for line in servers.process.stdout or ():
        if line.startswith('{"address"'):
            servers.addresses.append(json.loads(line)["address"])
            if len(servers.addresses) == expected:
                up.set()
        else:
            servers.output.append(line.rstrip())
            del servers.output[:-200]
    up.set()


def java_command(heap: str, options: Sequence[str] = ()) -> list[str]:
    """Return the beginning of a command that runs a class of Neo4j."""
    classes = str(libraries() / "*")
    return [str(java()), f"-Xmx{heap}", *JAVA_OPTIONS, *options, "-cp", classes]


def admin(directory: Path, arguments: Sequence[str], *, heap: str = "1g") -> int:
    """Run ``neo4j-admin`` (``database import``, ``database dump``, ...) on a server's directory.

    No server may run on it. Returns the exit code.
    """
    conf = directory / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "NEO4J_HOME": str(directory.resolve()),
        "NEO4J_CONF": str(conf.resolve()),
    }
    command = [*java_command(heap), "org.neo4j.cli.AdminTool", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode
