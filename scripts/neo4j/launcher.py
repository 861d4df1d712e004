"""Neo4j servers without Docker: jars from Maven, run by the Java found on this machine.

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
    # What Neo4j's own start script passes: its memory-mapped files reach into the JDK.
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-XX:-OmitStackTraceInFastThrow",
)
SETTINGS = {
    "dbms.usage_report.enabled": "false",
    # Cypher must not read the machine's files: a read transaction does not stop it.
    "dbms.security.allow_csv_import_from_file_urls": "false",
    "db.tx_log.preallocate": "false",
    # At the end there is nobody to wait for: seconds less for each stop.
    "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
    "internal.server.bolt.connection_shutdown_wait_time": "0s",
}
HOW_TO_GET = """\
  Debian, Ubuntu:  sudo apt-get install openjdk-17-jdk-headless maven
  macOS:           brew install openjdk@21 maven
  Windows:         winget install EclipseAdoptium.Temurin.21.JDK, and Maven from maven.apache.org"""


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
    seen = []
    home = os.environ.get("JAVA_HOME")
    for place in (str(Path(home) / "bin") if home else None, None):
        found = shutil.which("java", path=place)
        if found is None or found in seen:
            continue
        release = java_release(Path(found))
        if release not in JAVA_RELEASES:
            seen.append(f"{found} is Java {release or 'of an unknown version'}")
        elif shutil.which("javac", path=str(Path(found).resolve().parent)) is None:
            seen.append(f"{found} is a Java {release} without its compiler, a JRE")
        else:
            return Path(found)
    raise ServerError(
        f"Neo4j {version()} needs a JDK 17 or 21; {'; '.join(seen) or 'no Java was found'}. "
        f"Install one, or let JAVA_HOME name it:\n{HOW_TO_GET}"
    )


def java_release(command: Path) -> int | None:
    """Return the feature release (17, 21, ...) of a ``java`` command."""
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(match[1]) if match else None


def libraries(kept: Path = KEPT) -> Path:
    """Return the folder with Neo4j's jars; Maven gets them the first time (about 125 MB).

    It appears whole or not at all, and processes that ask at once wait for the one that fetches.

    Raises
    ------
    ServerError
        Maven is missing, or could not get them.
    """
    folder = kept / f"lib-{version()}"
    if folder.is_dir():
        return folder
    kept.mkdir(exist_ok=True)
    with FileLock(kept / "fetch.lock"):
        if not folder.is_dir():
            fetch(folder)
    return folder


def fetch(folder: Path) -> None:
    """Let Maven copy the jars that ``pom.xml`` asks for into a new folder."""
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError(f"Maven is needed once, to get Neo4j {version()}:\n{HOW_TO_GET}")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as temporary:
        copied = Path(temporary) / "lib"
        done = subprocess.run(
            [maven, "--batch-mode", "--quiet", "--file", HERE / "pom.xml",
             "dependency:copy-dependencies", "-DincludeScope=runtime",
             f"-DoutputDirectory={copied}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0 or not any(copied.glob(f"neo4j-{version()}.jar")):
            raise ServerError(f"Maven could not get Neo4j {version()}:\n{done.stdout[-2000:]}")
        copied.rename(folder)


@dataclass
class Servers:
    """Running servers, all in one process: leave the ``with`` block, or call ``stop``, to end them.

    Attributes
    ----------
    addresses
        ``bolt://127.0.0.1:PORT`` of each, in the order of the directories.
    process
        The Java process. They end when its standard input closes: with this process at the latest.
    """

    addresses: list[str]
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list, repr=False)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, patience: float = 60) -> None:
        """End the servers in order; after ``patience`` seconds without."""
        try:
            if self.process.stdin is not None:
                self.process.stdin.close()
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
    patience: float = 120,
) -> Servers:
    """Start a server for each directory, and return when all of them answer.

    Parameters
    ----------
    directories
        Where each keeps its data; made where missing.
    ports
        Bolt's port for each; without, or for 0, a free one.
    heap, page_cache
        Memory: of all servers together, and for the files of each.
    password
        Of the user ``neo4j``. Without, no server asks who is there.
    read_only
        Whether databases refuse to be written.
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
    conf = {
        **SETTINGS,
        "dbms.security.auth_enabled": str(password is not None).lower(),
        "server.databases.default_to_read_only": str(read_only).lower(),
        "server.memory.pagecache.size": page_cache,
        **(settings or {}),
    }
    places = []
    for directory, port in zip(directories, ports or [0] * len(directories), strict=True):
        directory.mkdir(parents=True, exist_ok=True)
        places += [str(directory.resolve()), str(port)]
    environment = {**os.environ, PASSWORD_VARIABLE: password or ""}
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "neo4j.conf"
        path.write_text("".join(f"{name}={value}\n" for name, value in conf.items()), "utf-8")
        process = subprocess.Popen(
            [java(), f"-Xmx{heap}", *JAVA_OPTIONS, *java_options, "-cp", libraries() / "*",
             HERE / "Server.java", path, *places],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        servers = Servers([], process)
        up = threading.Event()
        threading.Thread(target=read, args=(servers, len(directories), up), daemon=True).start()
        if not up.wait(patience) or len(servers.addresses) < len(directories):
            servers.kill()
            said = "\n".join(servers.output[-30:]) or "It said nothing."
            raise ServerError(f"Neo4j {version()} did not start within {patience:g} s:\n{said}")
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


def admin(directory: Path, arguments: Sequence[str], *, heap: str = "1g") -> int:
    """Run Neo4j's own ``neo4j-admin`` (``database import``, ``dump``, ...) on a directory.

    Returns its exit code. The servers of the directory must not run.
    """
    (directory / "conf").mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "NEO4J_HOME": str(directory.resolve()),
        "NEO4J_CONF": str((directory / "conf").resolve()),
    }
    return subprocess.run(
        [java(), f"-Xmx{heap}", *JAVA_OPTIONS, "-cp", libraries() / "*",
         "org.neo4j.cli.AdminTool", *arguments],
        env=environment, check=False,
    ).returncode  # fmt: skip
