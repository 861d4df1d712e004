"""Our own format: JSON Lines, one record a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.strict_json import JsonError, read_json, reason_of

MOST_LINE = 2**20
"""Length of the longest line that is read, in bytes (1 MiB)."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CHUNK = 2**16
_ESCAPED = re.compile(rb"[\\\x7f]")


def read_json_lines(path: Path) -> Iterator[Line]:
    """Give the JSON object on each line of a file, or why there is none.

    The file is read line by line. Blank lines are left out and counted. A byte order mark may
    stand at its start.

    Parameters
    ----------
    path
        The file, in UTF-8.
    """
    with path.open("rb") as stream:
        number = 0
        while data := stream.readline(MOST_LINE + 2):
            number += 1
            if number == 1:
                data = data.removeprefix(_BYTE_ORDER_MARK)
            if len(data.rstrip(b"\r\n")) > MOST_LINE:
                skip_line(stream, data)
                yield Line(number, None, "it is longer than 1 MiB")
            elif data.strip():
                yield _line(number, data)


def skip_line(stream: BufferedReader, data: bytes) -> None:
    """Move a stream behind the end of a line of which ``data`` was read."""
    while data and not data.endswith(b"\n"):
        data = stream.readline(_CHUNK)


def _line(number: int, data: bytes) -> Line:
    try:
        value = read_json(data.decode().strip())
    except (UnicodeDecodeError, JsonError) as error:
        return Line(number, None, reason_of(error))
    if not isinstance(value, dict):
        return Line(number, None, "a record is a JSON object, and this is none")
    plain = data.isascii() and not _ESCAPED.search(data)  # JSON has no other control characters
    return Line(number, value, plain=plain)


def _recognise(head: FileHead) -> bool:
    return any(head.has(key) for key in ("schema", "kind", "target"))


def _read(path: Path, defaults: Defaults) -> Iterator[Line]:
    del defaults  # every record says all of it
    return read_json_lines(path)


FORMAT = AnnotationFormat(
    "jsonl", "our own: JSON Lines, one record a line", _recognise, _read, (".jsonl",)
)
