"""Checked records on the disk, between the look at all of them and the writing of any.

An import may have a million records: none is written before the last one was checked, and at no
time are all of them in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Self

from circuitkb.schema.records import KeptRecord

Key = tuple[int, int]
"""Which file of an import, from 0, and which line of it, from 1."""


class Spool:
    """Records in the order in which they came, in pieces of ``size``.

    Use it as a context manager: the file goes with it.

    Examples
    --------
    >>> with Spool(size=2) as spool:
    ...     for line in (1, 2, 3):
    ...         spool.add((0, line), KeptRecord.read(f'{{"id":"{line}"}}'))
    ...     spool.drop((0, 2))
    ...     [list(spool.piece(number)) for number in range(spool.pieces)]
    [[((0, 1), {'id': '1'})], [((0, 3), {'id': '3'})]]
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._file = TemporaryFile(prefix="circuitkb-annotations-")  # noqa: SIM115 closed in exit
        self._starts: list[int] = []
        self._count = 0
        self._dropped: set[Key] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count - len(self._dropped)

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return len(self._starts)

    def add(self, key: Key, record: KeptRecord) -> None:
        """Keep a record."""
        if self._count % self._size == 0:
            self._starts.append(self._file.tell())
        self._file.write(f"{key[0]}\t{key[1]}\t{record.written}\n".encode())
        self._count += 1

    def drop(self, key: Key) -> None:
        """Leave out a record that was added."""
        self._dropped.add(key)

    def piece(self, number: int) -> Iterator[tuple[Key, KeptRecord]]:
        """Give the records of a piece with their keys."""
        self._file.seek(self._starts[number])
        for _ in range(min(self._size, self._count - number * self._size)):
            file, line, text = self._file.readline().decode().rstrip("\n").split("\t", 2)
            key = int(file), int(line)
            if key not in self._dropped:
                yield key, KeptRecord.read(text)
