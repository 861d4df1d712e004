"""Which labels mean which concept: declared in a file by a group, never guessed.

The file is CSV with a head line: ``concept`` and ``label``, and where wanted ``vocabulary`` (of the
label; empty for labels that name none), ``measure``, ``expected`` and ``tolerance``: what a
measurement should find where the label is right.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitkb.results import Result
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

ALIKE = 90.0
"""Likeness (rapidfuzz ratio, of 100) from which two labels are suggested to be one concept."""

SUGGESTED = 500
"""Suggestions given at most, the most alike first."""

_LONGEST = 200  # characters of a concept or of a vocabulary, as in the schema of records
_LONGEST_LABEL = 2000

_LABELS = """\
MATCH (l:Label)
RETURN l.id AS id, l.text AS text, l.vocabulary AS vocabulary, l.concept AS concept,
  COUNT { MATCH (l)<-[:USES]-(:Annotation {state: 'live'}) } AS annotations
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
        Labels that now mean another concept than they did, or any at all.
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
        rows = [(label, True) for label in self.split]
        rows += [(label, False) for label in self.undeclared if label not in set(self.split)]
        return Result(("label", "split"), tuple(rows), notes=(self.message, *self.notes))

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

    Raises
    ------
    AnnotationFileError
        It cannot be read, or has mistakes: each is told with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise AnnotationFileError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise AnnotationFileError(f"{path} is not UTF-8: save it as CSV UTF-8.") from error
    return parse_vocabulary(text, str(path))


def parse_vocabulary(text: str, name: str) -> Vocabulary:
    """Return what the text of a vocabulary file declares; see :func:`read_vocabulary`.

    Examples
    --------
    >>> parse_vocabulary("concept,label\\ncurve,Curves\\ncurve,curve-like\\n", "v.csv").entries[0]
    Entry(concept='curve', label='Curves', vocabulary=None, ...)
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    mistakes: list[tuple[int, str]] = []
    entries: dict[str, tuple[int, Entry]] = {}
    try:
        head = [column.strip() for column in reader.fieldnames or ()]
        reader.fieldnames = head
        mistakes += [(1, problem) for problem in _head_problems(head)]
        for row in () if mistakes else reader:
            if all(not (value or "").strip() for value in row.values() if isinstance(value, str)):
                continue
            cells = {key: (row.get(key) or "").strip() for key in COLUMNS}
            problems = ["more cells than columns"] if None in row else list(_problems(cells))
            if not problems:
                entry = _entry(cells)
                first = entries.setdefault(entry.id, (reader.line_num, entry))
                if first[1] is not entry:
                    problems = [_again(entry, *first)]
            mistakes += [(reader.line_num, problem) for problem in problems]
    except csv.Error as error:
        mistakes.append((reader.line_num, f"no CSV: {error}"))
    if not mistakes and not entries:
        mistakes.append((1, "it declares no label"))
    if mistakes:
        told = "\n".join(f"  line {line}: {problem}" for line, problem in mistakes)
        raise AnnotationFileError(f"{name} is no vocabulary; nothing was declared:\n{told}")
    return Vocabulary(tuple(entry for _, entry in entries.values()))


def _head_problems(head: Sequence[str]) -> Iterator[str]:
    for column in NEEDED:
        if column not in head:
            yield f"there is no column {column!r}; the columns are {', '.join(COLUMNS)}"
    for column, count in Counter(head).items():
        if column not in COLUMNS:
            yield f"unknown column {column!r}.{did_you_mean(column, COLUMNS)}"
        elif count > 1:
            yield f"column {column!r} is there {count} times"


def _problems(cells: Mapping[str, str]) -> Iterator[str]:
    for column in NEEDED:
        if not cells[column]:
            yield f"{column} is empty"
    for column in COLUMNS:
        if len(cells[column]) > (_LONGEST_LABEL if column == "label" else _LONGEST):
            yield f"{column} is too long ({len(cells[column])} characters)"
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


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _entry(cells: Mapping[str, str]) -> Entry:
    tolerance = TOLERANCE if cells["measure"] == "orientation" else None
    return Entry(
        cells["concept"],
        label_text(cells["label"]),
        cells["vocabulary"] or None,
        cells["measure"] or None,
        cells["expected"] or None,
        float(cells["tolerance"]) if cells["tolerance"] else tolerance,
    )


def _again(entry: Entry, line: int, first: Entry) -> str:
    if entry.concept == first.concept:
        return f"{entry.label!r} stands on line {line} already"
    return f"{entry.label!r} means {first.concept!r} on line {line}: it can mean one concept only"


def vocabulary_rows(vocabulary: Vocabulary, stored: Sequence[str] = ()) -> GraphRows:
    """Return the labels of a vocabulary as rows; those not there yet are made.

    Parameters
    ----------
    vocabulary
        What is declared. What it does not speak of keeps what an earlier one declared.
    stored
        Ids of the labels that the store has: their text and vocabulary stay as they are.
    """
    there = set(stored)
    records = [
        {
            "id": entry.id,
            "text": entry.label,
            "vocabulary": entry.vocabulary,
            "concept": entry.concept,
            "measure": entry.measure,
            "expected": entry.expected,
            "tolerance": entry.tolerance,
        }
        for entry in sorted(vocabulary.entries, key=lambda entry: (entry.id not in there, entry.id))
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
    before = {row[0]: row[3] for row in store.read(_LABELS, limit=None).rows}
    store.write(vocabulary_rows(vocabulary, tuple(before)))
    rows = store.read(_LABELS, limit=None).rows
    texts = {entry.label.casefold() for entry in vocabulary.entries}
    left = sorted((row for row in rows if row[4] and not row[3]), key=lambda row: (-row[4], row[0]))
    return VocabularyReport(
        str(path),
        len(vocabulary.entries),
        len({entry.concept for entry in vocabulary.entries}),
        sum(before.get(entry.id) != entry.concept for entry in vocabulary.entries),
        tuple(row[0] for row in left),
        tuple(row[0] for row in left if row[1].casefold() in texts),
    )


def suggestions(store: Store) -> Result:
    """Return labels in use that look alike and share no concept, the most alike first.

    They differ in case or hyphens, in a plural, or in a few letters. They are for people to
    declare in a vocabulary file or to leave apart; nothing applies them.
    """
    import numpy as np
    from rapidfuzz import fuzz, process

    rows = [row for row in store.read(_LABELS, limit=None).rows if row[4]]
    plain = [_plain(row[1]) for row in rows]
    found = []
    for start in range(0, len(rows), 1000):
        scores = process.cdist(
            plain[start : start + 1000], plain, scorer=fuzz.ratio, score_cutoff=ALIKE
        )
        for i, j in np.argwhere(scores > 0).tolist():
            one, two = rows[start + i], rows[j]
            if start + i < j and (one[3] is None or one[3] != two[3]):
                score = float(scores[i, j])
                found.append((one[0], one[4], two[0], two[4], _reason(one[1], two[1]), score))
    found.sort(key=lambda row: (-row[5], -row[1] - row[3], row[0], row[2]))
    return Result(
        ("label", "count", "other", "other_count", "why", "likeness"),
        tuple(found[:SUGGESTED]),
        truncated=len(found) > SUGGESTED,
        notes=("Nothing is applied: a vocabulary file declares which labels are one concept.",),
    )


def _plain(text: str) -> str:
    """Return a label in lower case with words apart, plurals cut.

    Examples
    --------
    >>> _plain("High-Low Frequencies") == _plain("high low frequency"), _plain("glass")
    (True, 'glass')
    """
    words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
    return " ".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word.removesuffix("ies") + "y"
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        return word.removesuffix("s")
    return word


def _reason(one: str, two: str) -> str:
    if one == two:
        return "the same text in two vocabularies"
    if one.casefold() == two.casefold():
        return "differ in case"
    if _plain(one) == _plain(two):
        return "differ in case, hyphens or plural"
    return "few letters differ"
