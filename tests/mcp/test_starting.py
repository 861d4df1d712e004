"""How the server for assistants starts, and what keeps it from starting."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import circuitkb as ckb


def test_nothing_but_the_protocol_is_on_standard_output(store: Path) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    done = subprocess.run(
        [sys.executable, "-m", "circuitkb", "mcp", "--kb", str(store)],
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert [json.loads(line)["jsonrpc"] for line in lines] == ["2.0"]
    assert done.returncode == 0


def test_a_store_that_is_not_there_is_refused_before_the_protocol_begins(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "circuitkb", "mcp", "--kb", str(tmp_path / "no.ckb")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no knowledge base at" in done.stderr
    assert not (tmp_path / "no.ckb").exists()


def test_the_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from circuitkb.mcp_server.serving import serve

    for name in [n for n in sys.modules if n == "mcp" or n.startswith("mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "circuitkb.mcp_server.server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ckb.errors.MissingExtraError, match=r"pip install 'circuitkb\[mcp\]'"):
        serve(None)
