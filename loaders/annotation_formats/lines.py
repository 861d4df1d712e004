"""What every format of annotations is read into: records with the place where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from circuitkb.schema.records import Record

AuthorType = Literal["human", "group", "model", "tool"]


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a file, or why there is none.

    Attributes
    ----------
    number
        Line of the file that it begins on, from 1; the entry's number, from 1, in formats
        that are one JSON document.
    record
        What stands there, not checked against the schema yet; None where it cannot be read.
    problem
        Why it cannot be read.
    plain
        Whether it is known that no text in it has anything but printable ASCII.
    """

    number: int
    record: Record | None
    problem: str | None = None
    plain: bool = False


@dataclass(frozen=True)
class Defaults:
    """What a user says of a file whose format leaves it out.

    Attributes
    ----------
    author, author_type
        Id of who says it, and what that is.
    model, layer
        What the units belong to.
    vocabulary
        List that the labels come from.
    license
        SPDX expression.
    created
        Date, ISO 8601.
    source
        Where it stands: a URI.
    unit_base
        Number of the first unit of a layer in this file, 0 or 1.
    """

    author: str | None = None
    author_type: AuthorType | None = None
    model: str | None = None
    layer: str | None = None
    vocabulary: str | None = None
    license: str | None = None
    created: str | None = None
    source: str | None = None
    unit_base: Literal[0, 1] | None = None


@dataclass(frozen=True)
class OpenedFile:
    """A file of annotations that was recognised.

    Attributes
    ----------
    format
        Name of its format.
    lines
        Its records, read while they are asked for.
    """

    format: str
    lines: Iterator[Line]
