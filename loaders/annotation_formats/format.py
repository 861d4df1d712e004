"""What a format of annotations is: how a file in it begins, and what reads one."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from circuitkb.loaders.annotation_formats.lines import Defaults, Line

DELIMITERS = (",", ";", "\t")
"""What may stand between two cells of a table."""

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip file begins, and one that holds nothing."""


@dataclass(frozen=True)
class FileHead:
    """The start of a file, as every format is asked about it.

    Attributes
    ----------
    path
        The file.
    start
        Its first 64 KiB.
    """

    path: Path
    start: bytes

    @cached_property
    def text(self) -> str:
        """The start as text, without the white space before it."""
        return self.start.removeprefix(codecs.BOM_UTF8).decode(errors="replace").lstrip()

    @property
    def is_zip(self) -> bool:
        """Whether it is a zip file."""
        return self.start.startswith(ZIP)

    @property
    def is_object(self) -> bool:
        """Whether it begins as a JSON object."""
        return self.text.startswith("{")

    @property
    def is_list(self) -> bool:
        """Whether it begins as a JSON list."""
        return self.text.startswith("[")

    def names(self, *keys: str) -> bool:
        """Return whether all of these stand in the text, each in quotes."""
        return all(f'"{key}"' in self.text for key in keys)

    def has(self, *keys: str) -> bool:
        """Return whether it is a JSON object with all of these keys.

        Where its first line is no whole object, they are looked for in the text.
        """
        if not self.is_object:
            return False
        return self.names(*keys) if self._keys is None else self._keys.issuperset(keys)

    @cached_property
    def _keys(self) -> frozenset[str] | None:
        try:
            first = json.loads(self.text.partition("\n")[0])
        except (ValueError, RecursionError):
            return None
        return frozenset(first) if isinstance(first, dict) else frozenset()

    @cached_property
    def headers(self) -> tuple[frozenset[str], ...]:
        """The columns that the first line names, in small letters, by each known delimiter."""
        if self.is_object or self.is_list:
            return ()
        found = []
        for delimiter in DELIMITERS:
            try:
                first = [self.text.partition("\n")[0]]
                cells = next(csv.reader(first, delimiter=delimiter, strict=True), [])
            except (csv.Error, ValueError):
                continue
            found.append(frozenset(cell.strip().casefold() for cell in cells if cell.strip()))
        return tuple(found)


@dataclass(frozen=True)
class AnnotationFormat:
    """A format of annotations; ``docs/extending.md`` adds one.

    Attributes
    ----------
    name
        What ``--format`` calls it.
    description
        A line about it.
    recognise
        Tells from how a file begins whether it is in this format.
    read
        Gives the lines of a file; an :class:`AnnotationFileError` refuses it as a whole, and
        comes with the call.
    suffixes
        Endings of names that stand for it where the content says nothing. Such a format is asked
        after those that know their files by their content.
    """

    name: str
    description: str
    recognise: Callable[[FileHead], bool]
    read: Callable[[Path, Defaults], Iterator[Line]]
    suffixes: tuple[str, ...] = ()
