"""Which labels mean which concept: declared in a file by a group, never guessed.

The file is a table with a header: ``concept`` and ``label``, and where wanted ``vocabulary`` (of
the label; empty for labels that name none), ``measure``, ``expected`` and ``tolerance``: what a
measurement should find where the label is right.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from circuitkb.annotations.comparing.alike import alike, reason
from circuitkb.loaders.annotation_formats.plain_files import check_plain
from circuitkb.loaders.annotation_formats.table import Row, RowError, open_table
from circuitkb.results.result import Result
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import label_id, label_text
from circuitkb.schema.tables import GraphRows, node_table, rows_of
from circuitkb.stores.base import Store

COLUMNS = ("concept", "label", "vocabulary", "measure", "expected", "tolerance")
NEEDED = ("concept", "label")
MEASURES = ("oriented", "orientation")

TOLERANCE = 15.0
"""Degrees that an orientation may be off where the file names no tolerance."""

COMPARED = 10_000
"""Labels compared with each other for suggestions, the most used first."""

_LISTED = 20  # mistakes that are listed one by one
_LONGEST = 200  # characters of a concept or of a vocabulary, as in the schema of records
_LONGEST_LABEL = 2000

_NO_MEASURE = ""  # a store keeps what a row leaves out, so that taking back needs a value

_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # direction of text

_LABELS = """\
MATCH (l:Label)
RETURN l.id AS id, l.text AS text, l.concept AS concept,
  COUNT { MATCH (l)<-[:USES]-(:Annotation {state: 'live'}) } AS annotations
ORDER BY id"""

_DECLARED = """\
MATCH (l:Label) WHERE l.concept IS NOT NULL
RETURN l.id AS id, l.concept AS concept, l.measure AS measure, l.expected AS expected,
  l.tolerance AS tolerance
ORDER BY id"""


@dataclass(frozen=True)
class Entry:
    """One line of a vocabulary; ``expected`` and ``tolerance`` go with ``measure``."""

    concept: str
    label: str
    vocabulary: str | None = None
    measure: str | None = None
    expected: str | None = None
    tolerance: float | None = None

    @property
    def id(self) -> str:
        """Id of the ``Label`` node.

        Examples
        --------
        >>> Entry("curve", "curves").id
        'free:curves'
        """
        return label_id({"text": self.label, "vocabulary": self.vocabulary})


@dataclass(frozen=True)
class Vocabulary:
    """What a file declares, in its order."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class VocabularyReport:
    """What a declaration did.

    Attributes
    ----------
    labels, concepts
        How many the file declares.
    changed
        Labels that were declared otherwise before, or not at all.
    undeclared
        Labels in use that still have no concept, the most used first.
    split
        Those of them whose text the file declares in another vocabulary, or in another case: they
        count as another concept than the declared one.
    """

    path: str
    labels: int
    concepts: int
    changed: int
    undeclared: tuple[str, ...]
    split: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """One line that says it.

        Examples
        --------
        >>> VocabularyReport("v.csv", 3, 2, 3, ("free:dog",)).message
        'v.csv declares 3 labels of 2 concepts, 3 of them anew; 1 label in use has no concept.'
        """
        left = len(self.undeclared)
        return (
            f"{self.path} declares {self.labels} labels of {self.concepts} concepts, "
            f"{self.changed} of them anew; {left} label{'s' * (left != 1)} in use "
            f"{'has' if left == 1 else 'have'} no concept."
        )

    def to_result(self) -> Result:
        """Return one row for each label in use that has no concept; those split off first."""
        split = set(self.split)
        rows = [(label, True) for label in self.split]
        rows += [(label, False) for label in self.undeclared if label not in split]
        return Result(("undeclared_label", "split"), tuple(rows), notes=(self.message, *self.notes))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures."""
        if not self.split:
            return ()
        return (
            f"{len(self.split)} labels in use read like declared ones, in another vocabulary or "
            f"case, and count as other concepts until declared too: {', '.join(self.split[:3])}"
            f"{', ...' if len(self.split) > 3 else ''}",
        )


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary file, all of it or nothing.

    Commas, semicolons or tabs may stand between the cells. White space around and repeated in a
    cell does not count, nor does how an accent is encoded.

    Raises
    ------
    AnnotationFileError
        It cannot be read, or has mistakes: each is listed with its line.
    """
    mistakes: list[tuple[int, str]] = []
    entries: dict[str, tuple[int, Entry]] = {}
    try:
        check_plain(path)
        table = open_table(path, COLUMNS)
        mistakes += [(1, problem) for problem in _head_problems(table.columns)]
        for line in () if mistakes else table.lines(_cells):
            if line.record is None:
                mistakes.append((line.number, line.problem or "it cannot be read"))
                continue
            entry = _entry(line.record)
            first = entries.setdefault(entry.id, (line.number, entry))
            if first[1] is not entry:
                mistakes.append((line.number, _again(entry, *first)))
    except OSError as error:
        raise AnnotationFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not mistakes and not entries:
        mistakes.append((1, "no label stands below it"))
    if mistakes:
        listed = "\n".join(f"  line {line}: {problem}" for line, problem in mistakes[:_LISTED])
        if len(mistakes) > _LISTED:
            listed += f"\n  and {len(mistakes) - _LISTED:,} more"
        raise AnnotationFileError(f"{path} is no vocabulary; nothing was declared:\n{listed}")
    return Vocabulary(tuple(entry for _, entry in entries.values()))


def _head_problems(head: Sequence[str]) -> Iterator[str]:
    for column in NEEDED:
        if column not in head:
            yield f"there is no column {column!r}; the columns are {', '.join(COLUMNS)}"
    for column in head:
        if column and column not in COLUMNS:
            yield f"unknown column {column!r}.{did_you_mean(column, COLUMNS)}"


def _cells(row: Row) -> dict[str, Any]:
    """Return the cells of a row as records of labels are kept, with all columns."""
    cells = {
        column: label_text(unicodedata.normalize("NFC", row.get(column, ""))) for column in COLUMNS
    }
    if problems := list(_problems(cells)):
        raise RowError("; ".join(problems))
    return cells


def _problems(cells: Mapping[str, str]) -> Iterator[str]:
    for column in NEEDED:
        if not cells[column]:
            yield f"{column} is empty"
    for column in COLUMNS:
        if len(cells[column]) > (_LONGEST_LABEL if column == "label" else _LONGEST):
            yield f"{column} is too long ({len(cells[column])} characters)"
        for character in sorted(set(filter(_hides, cells[column]))):
            yield f"{column} has a control character (U+{ord(character):04X})"
    measure, expected, tolerance = cells["measure"], cells["expected"], cells["tolerance"]
    if not measure:
        if expected or tolerance:
            yield "expected and tolerance need a measure"
        return
    if measure not in MEASURES:
        yield f"unknown measure {measure!r}: {' or '.join(MEASURES)}"
        return
    if measure == "oriented":
        if expected not in ("yes", "no"):
            yield f"expected is {expected!r}: the measure oriented needs yes or no"
        if tolerance:
            yield "the measure oriented has no tolerance"
        return
    degrees = _number(expected)
    if degrees is None or not 0 <= degrees <= 180:
        yield f"expected is {expected!r}: the measure orientation needs degrees from 0 to 180"
    if tolerance:
        off = _number(tolerance)
        if off is None:
            yield f"tolerance is {tolerance!r}: it is no number"
        elif not 0 < off <= 90:
            yield f"tolerance is {tolerance}: it must be over 0 and at most 90 degrees"


def _hides(character: str) -> bool:
    """Whether a character is a control or turns the direction of text; no label has one."""
    return unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in _TURNS


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _entry(cells: Mapping[str, str]) -> Entry:
    entry = Entry(
        cells["concept"], cells["label"], cells["vocabulary"] or None, cells["measure"] or None
    )
    if entry.measure == "orientation":
        # Written so that every store reads the same number from it.
        tolerance = float(cells["tolerance"]) if cells["tolerance"] else TOLERANCE
        return replace(entry, expected=f"{float(cells['expected']):g}", tolerance=tolerance)
    return replace(entry, expected=cells["expected"] or None)


def _again(entry: Entry, line: int, first: Entry) -> str:
    if entry.concept == first.concept:
        return f"{entry.label!r} stands on line {line} already"
    return f"{entry.label!r} means {first.concept!r} on line {line}: it can mean one concept only"


def vocabulary_rows(vocabulary: Vocabulary, measured: Collection[str] = ()) -> GraphRows:
    """Return the labels of a vocabulary as rows; those not there yet are made.

    Parameters
    ----------
    vocabulary
        What is declared. Labels that it does not name keep what an earlier one declared.
    measured
        Ids of labels that a measure was declared for; where it names none now, it is taken back.
    """
    records = [
        {
            "id": entry.id,
            "text": entry.label,
            "vocabulary": entry.vocabulary,
            "concept": entry.concept,
            "measure": entry.measure or (_NO_MEASURE if entry.id in measured else None),
            "expected": entry.expected,
            "tolerance": entry.tolerance,
        }
        for entry in sorted(vocabulary.entries, key=lambda entry: entry.id)
    ]
    return GraphRows(nodes={"Label": node_table("Label", rows_of(records))})


def declare(store: Store, path: Path) -> VocabularyReport:
    """Take a vocabulary file into a store; it holds for labels that are imported later too.

    Raises
    ------
    AnnotationFileError
        The file has mistakes; nothing was written.
    """
    vocabulary = read_vocabulary(path)
    before = {row[0]: _declared(*row[1:]) for row in store.read(_DECLARED, limit=None).rows}
    store.write(vocabulary_rows(vocabulary, {id for id, stated in before.items() if stated[1]}))
    rows = store.read(_LABELS, limit=None).rows
    texts = {entry.label.casefold() for entry in vocabulary.entries}
    left = sorted((row for row in rows if row[3] and not row[2]), key=lambda row: (-row[3], row[0]))
    return VocabularyReport(
        str(path),
        len(vocabulary.entries),
        len({entry.concept for entry in vocabulary.entries}),
        sum(
            before.get(entry.id)
            != _declared(entry.concept, entry.measure, entry.expected, entry.tolerance)
            for entry in vocabulary.entries
        ),
        tuple(row[0] for row in left),
        tuple(row[0] for row in left if row[1].casefold() in texts),
    )


def _declared(
    concept: str, measure: str | None, expected: str | None, tolerance: float | None
) -> tuple[str, str | None, str | None, float | None]:
    """Return what counts of a declaration; a store may hold an expectation that no longer does."""
    if not measure:
        return concept, None, None, None
    return concept, measure, expected, tolerance if measure == "orientation" else None


def suggestions(store: Store) -> Result:
    """Return labels in use that look alike, the most alike first, unless both are declared.

    They differ in case or hyphens, in a plural, or in a few letters. They are for people to
    declare in a vocabulary file, as one concept or as two; nothing applies them.
    """
    found = [row for row in store.read(_LABELS, limit=None).rows if row[3]]
    rows = sorted(sorted(found, key=lambda row: (-row[3], row[0]))[:COMPARED])
    pairs, count = alike(rows)
    notes = ["Nothing is applied: a vocabulary file declares which labels are one concept."]
    if len(found) > len(rows):
        notes.append(f"Of {len(found):,} labels in use the {len(rows):,} most used were compared.")
    return Result(
        ("label", "count", "other", "other_count", "why", "likeness"),
        tuple(
            (one[0], one[3], two[0], two[3], reason(one[1], two[1]), likeness)
            for one, two, likeness in ((rows[i], rows[j], score) for i, j, score in pairs)
        ),
        truncated=count > len(pairs),
        notes=tuple(notes),
    )
