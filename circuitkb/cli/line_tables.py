"""Rows on a terminal, one on a line: long texts are cut, and columns that find no room left out.

An id is never cut, and nor is a number: what stands in a table can be pasted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitkb.cli.tables import GAP, HEADER_WORD, LONGEST_WORD, facts, is_number, is_said, member
from circuitkb.results.harmless_text import for_terminal
from circuitkb.results.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

LEAST_TEXT = 12
"""Characters that a text keeps at least."""

_AUTHORS = re.compile(r"(?P<first>[^,:]{2,60}), (?P<others>[^:,]{2,60}(?:, [^:,]{2,60})*)(?:: .+)?")

_MEMBER = re.compile(r"[^:/]+: \S+/")


@dataclass(frozen=True)
class LineTable:
    """A table to print, the columns that it leaves out, and whether some text is cut."""

    shown: RenderableType
    left_out: tuple[str, ...]
    cut: bool


def cite(text: str, year: str = "") -> str:
    """Return authors as they are cited, where a text lists several, with or without a title.

    Examples
    --------
    >>> cite("Chris Olah, Nick Cammarata, Ludwig Schubert: Zoom In", "2020")
    'Olah et al. 2020'
    >>> cite("Ada Lovelace"), cite("Curves, Lines")
    ('Ada Lovelace', 'Curves, Lines')
    """
    found = _AUTHORS.fullmatch(text)
    if found is None or not all(
        " " in name for name in (found["first"], *found["others"].split(", "))
    ):
        return text
    surname = found["first"].split()[-1]
    others = found["others"].split(", ")
    who = f"{surname} et al." if len(others) > 1 else f"{surname} & {others[0].split()[-1]}"
    return f"{who} {year}".strip()


def citations(texts: Collection[str], years: Mapping[str, str]) -> dict[str, str]:
    """Return how each text with a year is cited; two that would look alike get a letter.

    Examples
    --------
    >>> years = {"A B, C D, E F: One": "2020", "A B, G H, I J: Two": "2020"}
    >>> list(citations(years, years).values())
    ['B et al. 2020a', 'B et al. 2020b']
    """
    short = {text: cite(text, years[text]) for text in sorted(set(texts) & set(years))}
    short = {text: cited for text, cited in short.items() if cited != text}
    alike = Counter(short.values())
    seen: defaultdict[str, int] = defaultdict(int)
    for text, cited in short.items():
        if alike[cited] > 1:
            letter = chr(ord("a") + seen[cited] % 26)
            seen[cited] += 1
            short[text] = f"{cited}{letter}" if cited[-1].isdigit() else f"{cited} ({letter})"
    return short


def line_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    width: int,
    *,
    hidden: Collection[str] = (),
    first: Sequence[str] = (),
    years: Mapping[str, str] | None = None,
) -> LineTable:
    """Return rows as a table in ``width`` characters, each on one line.

    What is the same in every row stands above the table if there is no room for it. A single row
    that finds no room stands as one block.

    Parameters
    ----------
    hidden
        Columns to leave out, beside those that no row has a value for.
    first
        Columns that are left out last.
    years
        The texts that name authors, with the years to cite them by.
    """
    said = [i for i in range(len(columns)) if any(is_said(row[i]) for row in rows)]
    places = [i for i in said if columns[i] not in hidden] or said or list(range(len(columns)))
    cited = citations(
        {text for row in rows for value in row for text in _texts(value)}, years or {}
    )
    cells = [[_items(value, cited) for value in row] for row in rows]
    least = [_least(name, [row[i] for row in cells]) for i, name in enumerate(columns)]
    if _needs(least, places) <= width:
        return _table(columns, rows, cells, places, least, width)
    same = [i for i in places if len(rows) > 1 and all(row[i] == rows[0][i] for row in rows)]
    rest = [i for i in places if i not in same] or places
    if len(rows) == 1:
        values = {columns[i]: ", ".join(cells[0][i]) for i in places}
        return LineTable(facts(values), (), False)
    kept = _fitting(columns, least, rest, width, first)
    table = _table(columns, rows, cells, kept, least, width)
    left_out = tuple(columns[i] for i in rest if i not in kept)
    above = {columns[i]: ", ".join(cells[0][i]) for i in same if i not in kept}
    if not above:
        return LineTable(table.shown, left_out, table.cut)

    from rich.console import Group
    from rich.text import Text

    head = Text("in every row: " + "; ".join(f"{n} {v}" for n, v in above.items()), style="italic")
    if len(head.plain) <= width:
        return LineTable(Group(head, Text(), table.shown), left_out, table.cut)
    head = Text("in every row", style="italic")
    return LineTable(Group(head, facts(above), Text(), table.shown), left_out, table.cut)


def authors(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the texts in rows that list authors.

    Examples
    --------
    >>> authors([("a", ["Ada Lovelace, Charles Babbage: Notes"]), ("b", 2)])
    ['Ada Lovelace, Charles Babbage: Notes']
    """
    found = {text for row in rows for value in row for text in _texts(value)}
    return sorted(text for text in found if cite(text) != text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, str))


def _items(value: Any, cited: Mapping[str, str]) -> tuple[str, ...]:
    """Return a value as the texts of a cell: one for each thing in a list."""
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping) for item in value):
            found = [member(item) for item in value]
        else:
            found = [
                cited.get(item, item) if isinstance(item, str) else show(item) for item in value
            ]
    elif isinstance(value, str):
        found = [cited.get(value, value)]
    else:
        found = [show(value)]
    return tuple(" ".join(for_terminal(text).split()) for text in found)


def _least(name: str, cells: Sequence[Sequence[str]]) -> int:
    """Return the characters that a column needs: for whole ids and the beginnings of texts."""
    from rich.cells import cell_len

    header = max((cell_len(part) for part in re.findall(r"_?[^_]+", name)), default=1)
    return max([min(header, HEADER_WORD), 1, *(_needed(items, name) for items in cells)])


def _needed(items: Sequence[str], name: str) -> int:
    from rich.cells import cell_len

    if not items:
        return 0
    more = cell_len(_more(len(items) - 1))
    whole = cell_len(", ".join(items))
    start = items[0].split(" (")[0]
    if name.endswith(("label", "labels")) or (" " in start and not _MEMBER.match(start)):
        return min(whole, LEAST_TEXT + more)
    return min(whole, min(cell_len(start), LONGEST_WORD) + more + 2 * (start != items[0]))


def _more(count: int) -> str:
    return f", +{count}" if count else ""


def _needs(least: Sequence[int], places: Sequence[int]) -> int:
    return sum(least[i] for i in places) + GAP * (len(places) - 1)


def _fitting(
    columns: Sequence[str],
    least: Sequence[int],
    places: Sequence[int],
    width: int,
    first: Sequence[str],
) -> list[int]:
    wanted = [i for name in first for i in places if columns[i] == name]
    kept = wanted[:1] or [places[0]]
    for i in (*wanted, *places):
        if i not in kept and _needs(least, [*kept, i]) <= width:
            kept.append(i)
    return sorted(kept)


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    cells: Sequence[Sequence[Sequence[str]]],
    places: Sequence[int],
    least: Sequence[int],
    width: int,
) -> LineTable:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    most = [
        max([cell_len(columns[i]), *(cell_len(", ".join(row[i])) for row in cells)]) for i in places
    ]
    widths = _shared_out([min(least[i], width) for i in places], most, width)
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for i, size in zip(places, widths, strict=True):
        numbers = any(is_number(row[i]) for row in rows)
        table.add_column(
            Text(for_terminal(columns[i])),
            justify="right" if numbers else "left",
            overflow="fold",
            width=size,
        )
    cut = False
    for row in cells:
        texts = [_fitted(row[i], size) for i, size in zip(places, widths, strict=True)]
        cut = cut or texts != [", ".join(row[i]) for i in places]
        table.add_row(*map(Text, texts))
    return LineTable(table, (), cut)


def _shared_out(least: Sequence[int], most: Sequence[int], width: int) -> list[int]:
    """Give each column what it needs, and a little of the rest to each that wants more."""
    widths = list(least)
    free = width - sum(least) - GAP * (len(least) - 1)
    while free > 0 and any(size < limit for size, limit in zip(widths, most, strict=True)):
        for i in sorted(range(len(widths)), key=lambda i: widths[i]):
            if free > 0 and widths[i] < most[i]:
                widths[i] += 1
                free -= 1
    return widths


def _fitted(items: Sequence[str], size: int) -> str:
    """Return as many of the texts as fit, and how many more there are."""
    from rich.cells import cell_len

    for count in range(len(items), 0, -1):
        text = ", ".join(items[:count]) + _more(len(items) - count)
        if cell_len(text) <= size:
            return text
    if not items:
        return ""
    more = _more(len(items) - 1)
    return _cut(items[0], size - cell_len(more)) + more


def _cut(text: str, size: int) -> str:
    """Return the beginning of a text, in whole words where it has several, with a sign."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= size:
        return text
    if "/" not in text and " " not in text and size > LONGEST_WORD:
        return text
    start = set_cell_size(text, max(size - 1, 0))
    if " " in start.strip() and not text[len(start) : len(start) + 1].isspace():
        start = start.rsplit(" ", 1)[0]
    return start.rstrip(" ,;:") + "…"
