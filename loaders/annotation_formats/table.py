"""Tables of text (CSV and its relatives), row by row, with the line that each row begins on."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitkb.loaders.annotation_formats.format import DELIMITERS
from circuitkb.loaders.annotation_formats.json_lines import MOST_LINE, skip_line
from circuitkb.loaders.annotation_formats.lines import Line
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import Record

MOST_COLUMNS = 10_000
"""Columns that a table may have."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_NO_CHARACTER = re.compile("[\0\udc80-\udcff]")

Row = dict[str, str]


class RowError(ValueError):
    """A row that no record can be made of; the message says why."""


@dataclass(frozen=True)
class TextTable:
    """A file whose first row names its columns.

    Attributes
    ----------
    path
        The file.
    columns
        Names of the columns in small letters, without outer white space. A column without a
        name must be empty.
    delimiter
        What stands between two cells.
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str

    def lines(self, record_of: Callable[[Row], Record]) -> Iterator[Line]:
        """Give what a function makes of each row; a :class:`RowError` becomes the line's problem.

        Cells that are empty are left out of the row that the function gets; rows of empty cells
        are left out altogether.
        """
        with _PhysicalLines(self.path) as physical:
            reader = csv.reader(physical, delimiter=self.delimiter, strict=True)
            header = True
            while True:
                physical.begin_row()
                problem, cells, record = None, [], None
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except (csv.Error, RowError) as error:
                    problem = _in_words(error)
                if header:
                    header = False
                    continue
                if problem is None and not any(cell.strip() for cell in cells):
                    continue
                if problem is None:
                    try:
                        record = record_of(self._row(cells))
                    except RowError as error:
                        problem = str(error)
                yield Line(physical.first_of_row, record, problem)

    def _row(self, cells: list[str]) -> Row:
        width = len(self.columns)
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            raise RowError(
                f"it has {len(cells)} cells and the header {width}; "
                f"a text with {_name(self.delimiter)} in it stands in double quotes"
            )
        row: Row = {}
        for name, cell in zip(self.columns, cells, strict=False):
            if not cell:
                continue
            _check_characters(name, cell)
            if name:
                row[name] = cell
            elif cell.strip():
                raise RowError(f"{cell[:60]!r} stands in a column without a name")
        return row


def open_table(path: Path, known: Sequence[str] = ()) -> TextTable:
    """Read the header of a table.

    Parameters
    ----------
    path
        The file, in UTF-8; comma, semicolon or tab between its cells.
    known
        Names of columns that may stand there; they tell what stands between two cells.

    Raises
    ------
    AnnotationFileError
        If there is no header row, or one that names a column twice.
    """
    with path.open("rb") as stream:
        head = stream.readline(MOST_LINE + 2).removeprefix(_BYTE_ORDER_MARK)
    if len(head) > MOST_LINE:
        raise AnnotationFileError(f"{path} has no header: its first line is longer than 1 MiB.")
    if b"\r" in head.rstrip(b"\r\n"):
        raise AnnotationFileError(f"{path} ends its lines as old Macs did. Save it as 'CSV UTF-8'.")
    try:
        text = head.decode()
    except UnicodeDecodeError:
        raise AnnotationFileError(
            f"{path} is not UTF-8: its header cannot be read. Save it as 'CSV UTF-8'."
        ) from None
    readings = [_header(text, delimiter) for delimiter in DELIMITERS]
    columns, delimiter = max(
        zip(readings, DELIMITERS, strict=True),
        key=lambda reading: (len(set(reading[0]) & set(known)), len(reading[0])),
    )
    if not any(columns):
        raise AnnotationFileError(f"{path} has no header: its first row names the columns.")
    if len(columns) > MOST_COLUMNS:
        raise AnnotationFileError(
            f"{path} has {len(columns):,} columns, and {MOST_COLUMNS:,} may stand in a table."
        )
    count = Counter(name for name in columns if name)
    if twice := sorted(name for name, number in count.items() if number > 1):
        raise AnnotationFileError(f"{path} has two columns {twice[0][:60]!r}.")
    return TextTable(path, columns, delimiter)


def _header(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        cells = []
    return tuple(cell.strip().casefold() for cell in cells)


class _PhysicalLines:
    """Lines of a file as text, for the standard reader of CSV.

    A byte that is no UTF-8 becomes a lone surrogate, which is found again in its cell. One row
    may take 1 MiB, whether on one line or, with an open quote, on many.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self.number = 0
        self.first_of_row = 1
        self._size = 0

    def __enter__(self) -> _PhysicalLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def begin_row(self) -> None:
        self.first_of_row = self.number + 1
        self._size = 0

    def __iter__(self) -> _PhysicalLines:
        return self

    def __next__(self) -> str:
        data = self._stream.readline(MOST_LINE + 2)
        if not data:
            raise StopIteration
        self.number += 1
        self._size += len(data)
        if self._size > MOST_LINE + 2 or len(data.rstrip(b"\r\n")) > MOST_LINE:
            skip_line(self._stream, data)
            raise RowError("the row is longer than 1 MiB; is a double quote not closed?")
        if self.number == 1:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        return data.decode(errors="surrogateescape")


def _in_words(error: csv.Error | RowError) -> str:
    message = str(error)
    if "field larger" in message:
        return "a cell is longer than 131,072 characters; is a double quote not closed?"
    if "unexpected end" in message:
        return "a double quote is opened and not closed"
    if "expected after" in message:
        return "a double quote inside a quoted cell must be written twice"
    if "new-line character" in message:
        return "a carriage return stands in a cell without quotes"
    return message


def _check_characters(name: str, cell: str) -> None:
    if found := _NO_CHARACTER.search(cell):
        if found[0] == "\0":
            raise RowError(f"{name}: a NUL character stands in it")
        raise RowError(
            f"{name}: no UTF-8: byte 0x{ord(found[0]) - 0xDC00:02X} at {found.start() + 1}; "
            f"save the file as 'CSV UTF-8'"
        )


def _name(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}[delimiter]


def unit_of(text: str, base: int) -> int:
    """Return the zero-based unit that a cell names.

    Parameters
    ----------
    text
        A whole number; ``12.0``, as spreadsheets and pandas write it, is one.
    base
        Number of the first unit of a layer, 0 or 1.

    Examples
    --------
    >>> unit_of("1", 1), unit_of(" 418.0", 0)
    (0, 418)
    >>> unit_of("0", 1)
    Traceback (most recent call last):
    circuitkb.loaders.annotation_formats.table.RowError: unit: '0' is below 1, the first unit here
    """
    plain = text.strip()
    digits = plain.removesuffix(".0")
    if not (digits.isascii() and digits.removeprefix("-").isdigit() and len(digits) <= 18):
        raise RowError(f"unit: {plain[:60]!r} is no whole number")
    unit = int(digits)
    if unit < base:
        raise RowError(f"unit: {plain!r} is below {base}, the first unit here")
    return unit - base


def number_of(name: str, text: str) -> float:
    """Return the finite number that a cell holds.

    Examples
    --------
    >>> number_of("score", " 0.29 ")
    0.29
    >>> number_of("score", "0,29")
    Traceback (most recent call last):
    circuitkb.loaders.annotation_formats.table.RowError: score: '0,29' is no number (written as 0.5)
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf") or "_" in text:
        raise RowError(f"{name}: {text.strip()[:60]!r} is no number (written as 0.5)")
    return value
