"""Plain values that two processes send each other, one message after the other.

A message is a value of Python's own plain types. Reading one runs nothing that it holds.
"""

from __future__ import annotations

import marshal
from typing import Any, BinaryIO

_FORMAT = 2  # without references between equal values: half the time, and nothing here is shared
_LENGTH = 8


def packed(message: Any) -> bytes:
    """Return a message as it is sent.

    Raises
    ------
    ValueError
        It is nested too deeply.

    Examples
    --------
    >>> import io
    >>> receive(io.BytesIO(packed(("rows", [(1, None, "a")]))))
    ('rows', [(1, None, 'a')])
    """
    body = marshal.dumps(message, _FORMAT)
    return len(body).to_bytes(_LENGTH, "little") + body


def receive(stream: BinaryIO) -> Any:
    """Return the next message, or None where the other side has hung up."""
    body = receive_packed(stream)
    return None if body is None else marshal.loads(body)


def receive_packed(stream: BinaryIO) -> bytes | None:
    """Return the next message as it came, for :func:`unpacked`, or None at the end."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    length = int.from_bytes(head, "little")
    body = stream.read(length)
    return body if len(body) == length else None


def unpacked(body: bytes) -> Any:
    """Return what :func:`receive_packed` read."""
    return marshal.loads(body)
