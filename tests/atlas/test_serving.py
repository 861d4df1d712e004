"""``circuitkb serve`` as a process: it says where it is, answers there alone, and ends with Ctrl-C.

Costs about three seconds of a processor.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.stores.made_once import published_copy


@pytest.fixture
def stored(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_copy(tmp_path_factory, tmp_path / "zoo.ckb")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "circuitkb", "serve", *arguments]


def test_it_serves_on_this_machine_until_interrupted(stored: Path) -> None:
    begun = command("--kb", str(stored), "--port", "0")
    with subprocess.Popen(begun, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            where = line.split()[1]
            assert where.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(where) as answer:
                assert b"circuitkb" in answer.read()
        finally:
            os.kill(process.pid, signal.SIGINT)
            rest = process.stderr.read()
        assert process.wait(timeout=30) in (0, 130)
    assert "Traceback" not in rest


def test_a_port_that_is_taken_is_a_line_with_the_remedy(stored: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command("--kb", str(stored), "--port", port),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "Try --port 0" in done.stderr
    assert done.stderr.count("\n") == 1
