"""The engine's write-ahead log, read by ourselves: which bytes of which pages transactions set.

The engine writes a transaction into a log before it touches a page, and each byte of a page that it
changes stands there: a page before it, with these bytes set, is the page after it. So the log tells
which blocks of which files are other ones, and a write that was killed on its way from the log to
the pages can be finished without the engine.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

_TRANSACTION = struct.Struct(">qqii")  # number, time, pieces, bytes of all pieces
_PIECE = struct.Struct(">iiiiii")  # file, page, first byte, last byte, version, bytes in use
_END = struct.Struct(">iq")
_HEADER = struct.Struct(">ii")  # of a page: version, bytes in use with this header
_MAGIC = 9371515385058702
_PAGE_FILE = re.compile(r"[\w~-]+\.(\d+)\.(\d+)\.v\d+\.(?:bucket|dict|\w*idx)")


@dataclass(frozen=True)
class PageFile:
    """A file of pages, by the number that the log knows it by."""

    path: Path
    page: int
    """Bytes of a page."""


@dataclass(frozen=True)
class PageChange:
    """What one transaction set in one page: ``pieces`` are places in it and the bytes there."""

    file: int
    page: int
    version: int
    used: int
    pieces: tuple[tuple[int, bytes], ...]

    def apply(self, content: bytes) -> bytes:
        """Return the page after the transaction, from the page before it or half changed by it.

        Raises
        ------
        ValueError
            It is of a version that this one does not follow.
        """
        version, _ = _HEADER.unpack_from(content)
        if version > self.version:
            return content
        if version < self.version - 1:
            raise ValueError(f"version {version} is not followed by {self.version}")
        page = bytearray(content)
        for place, piece in self.pieces:
            page[place : place + len(piece)] = piece
        _HEADER.pack_into(page, 0, self.version, self.used + _HEADER.size)
        return bytes(page)


def page_files(graph: Path) -> dict[int, PageFile]:
    """Return the files of pages of a database, by their numbers."""
    found = {}
    for path in graph.iterdir():
        name = _PAGE_FILE.fullmatch(path.name)
        if name:
            found[int(name[1])] = PageFile(path, int(name[2]))
    return found


def is_page_file(name: str) -> bool:
    """Return whether a file of a database holds pages.

    Examples
    --------
    >>> is_page_file("Layer_0.5.65536.v0.bucket"), is_page_file("schema.json")
    (True, False)
    """
    return _PAGE_FILE.fullmatch(name) is not None


def changes_in(logs: Iterable[bytes]) -> list[PageChange]:
    """Return what all whole transactions of some logs set, in the order in which they came."""
    found = [transaction for log in logs for transaction in _transactions(log)]
    return [change for _, changes in sorted(found, key=itemgetter(0)) for change in changes]


def _transactions(log: bytes) -> Iterator[tuple[int, list[PageChange]]]:
    """Give the number and the changes of each transaction, up to one that was not finished."""
    place = 0
    while place + _TRANSACTION.size + _END.size <= len(log):
        number, _, count, size = _TRANSACTION.unpack_from(log, place)
        place += _TRANSACTION.size
        end = place + size
        if size < 0 or end + _END.size > len(log) or _END.unpack_from(log, end) != (size, _MAGIC):
            return
        changes: list[PageChange] = []
        for _ in range(count):
            file, page, first, last, version, used = _PIECE.unpack_from(log, place)
            place += _PIECE.size
            piece = (first, log[place : place + last + 1 - first])
            place += last + 1 - first
            key = (file, page, version)
            before = changes[-1] if changes else None
            if before and (before.file, before.page, before.version) == key:
                changes[-1] = replace(before, pieces=(*before.pieces, piece))
            else:
                changes.append(PageChange(file, page, version, used, (piece,)))
        yield number, changes
        place = end + _END.size
