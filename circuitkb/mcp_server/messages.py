"""The messages that go in and out: every request is answered, and no reply is too long."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, BinaryIO

from circuitkb.mcp_server.replies import MOST_CHARACTERS

MOST_BYTES = 12_000_000
"""Of one message that comes in."""

_LONGEST_ID = 200
_PARSE, _INVALID, _INTERNAL = -32700, -32600, -32603


class Wire:
    """Lines of JSON to and from an assistant, each a message.

    Parameters
    ----------
    source, target
        Where lines come from and go to.
    """

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source = source
        self._target = target
        self._lock = threading.Lock()

    def requests(self) -> Iterator[bytes]:
        """Give the lines that hold a message; the others are answered here."""
        while line := self._source.readline(MOST_BYTES + 1):
            if len(line) > MOST_BYTES:
                while line and not line.endswith(b"\n"):
                    line = self._source.readline(MOST_BYTES)
                self._refuse(None, _INVALID, f"A message has {MOST_BYTES:,} bytes at most.")
            elif line.strip():
                wrong = _wrong_with(line)
                if wrong is None:
                    yield line if line.endswith(b"\n") else line + b"\n"
                else:
                    self._refuse(*wrong)

    def reply(self, line: str) -> None:
        """Send a message, or one that says that it is too long."""
        if len(line) > MOST_CHARACTERS:
            line = json.dumps(
                _error(
                    _id_of(json.loads(line)),
                    _INTERNAL,
                    f"The reply would have {len(line):,} characters; {MOST_CHARACTERS:,} are the "
                    "most. Ask for less.",
                )
            )
        with self._lock:
            self._target.write(line.encode("utf-8", "replace") + b"\n")
            self._target.flush()

    def _refuse(self, id: str | int | None, code: int, message: str) -> None:
        self.reply(json.dumps(_error(id, code, message)))


def _wrong_with(line: bytes) -> tuple[str | int | None, int, str] | None:
    """Return what is wrong with a line, as the id, code and words of an error; None if nothing."""
    from mcp.types import jsonrpc_message_adapter

    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None, _PARSE, "This is no JSON."
    if not isinstance(message, dict):
        return None, _INVALID, "One message a line, and each is an object."
    id = _id_of(message)
    if "id" in message and id is None:
        return None, _INVALID, f"An id is a whole number or a text of {_LONGEST_ID} characters."
    try:
        jsonrpc_message_adapter.validate_json(line, by_name=False)
    except Exception:
        return id, _INVALID, "This is no message of JSON-RPC 2.0."
    return None


def _id_of(message: Any) -> str | int | None:
    """Return the id of a message, if it is one that may be repeated in the reply."""
    id = message.get("id") if isinstance(message, dict) else None
    if isinstance(id, str) and len(id) <= _LONGEST_ID:
        return id
    whole = isinstance(id, int) and not isinstance(id, bool) and abs(id) < 2**63
    return id if whole else None


def _error(id: str | int | None, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}


class _Incoming(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._lines = wire.requests()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        self._rest = self._rest or next(self._lines, b"")
        count = min(len(room), len(self._rest))
        room[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


class _Outgoing(io.BufferedIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._rest = b""

    def writable(self) -> bool:
        return True

    def write(self, text: Any) -> int:
        *lines, self._rest = (self._rest + bytes(text)).split(b"\n")
        for line in lines:
            self._wire.reply(line.decode("utf-8", "replace"))
        return len(text)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let the protocol's messages alone pass standard input and output, checked."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)  # what anything else prints goes where it does no harm
    wire = Wire(source, target)
    before = sys.stdin, sys.stdout
    # What the package mcp reads and writes where it finds no file descriptor behind them.
    sys.stdin = SimpleNamespace(buffer=io.BufferedReader(_Incoming(wire)))
    sys.stdout = SimpleNamespace(buffer=_Outgoing(wire))
    try:
        yield
    finally:
        sys.stdin, sys.stdout = before
