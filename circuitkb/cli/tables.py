"""Rows on a terminal: a table whose words stay whole, or one block for each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuitkb.results.harmless_text import for_terminal
from circuitkb.results.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

GAP = 2
"""Blanks between two columns."""

LONGEST_WORD = 60
"""A word beyond this (an address) may be broken."""

HEADER_WORD = 11
"""Headers may be broken, since numbers below them are shorter."""


def layout(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    width: int | None,
    *,
    hidden: Collection[str] | None = None,
) -> RenderableType:
    """Return rows as they are best read in ``width`` characters.

    A table, if every id and other word fits into its column whole; else a table without the
    columns that say the same in every row, which stand above it; else one block for each row.

    Parameters
    ----------
    columns, rows
        Names, and values in their order.
    width
        Characters of a line; None for a table however wide, with every column.
    hidden
        Columns to leave out, beside those that no row has a value for; None leaves out none.
    """
    places: Sequence[int] = range(len(columns))
    if width is not None and hidden is not None:
        said = [i for i in places if any(is_said(row[i]) for row in rows)]
        places = [i for i in said if columns[i] not in hidden] or said or places
    table = _fitting_table(columns, rows, places, width)
    if table is not None:
        return table
    same = [i for i in places if len(rows) > 1 and all(row[i] == rows[0][i] for row in rows)]
    table = _fitting_table(columns, rows, [i for i in places if i not in same], width)
    if same and table is not None:
        from rich.console import Group
        from rich.text import Text

        common = facts({columns[i]: rows[0][i] for i in same})
        return Group(Text("in every row", style="italic"), common, Text(), table)
    return _blocks(rows, columns, places)


def facts(values: Mapping[str, Any]) -> RenderableType:
    """Return names and values, one on a line; what has no value is left out."""
    from rich.table import Table

    block = Table.grid(padding=(0, GAP, 0, 0))
    block.add_column(style="bold", overflow="fold")
    block.add_column(overflow="fold")
    for name, value in values.items():
        if is_said(value):
            block.add_row(_text(name), _text(_cell(value)))
    return block


def _cell(value: Any) -> str:
    """Return a value as text; members of a circuit stand one on a line."""
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return for_terminal("\n".join(member(item) for item in value))
    return for_terminal(show(value))


def member(item: Mapping[str, Any]) -> str:
    """Return a member of a circuit as text: its role and side, its id, its labels."""
    if "feature" not in item:
        return show(item)
    role = " ".join(show(item[key]) for key in ("role", "side") if is_said(item.get(key)))
    labels = show(item.get("labels") or [])
    return f"{role}: {item['feature']}" + (f" ({labels})" if labels else "")


def is_said(value: Any) -> bool:
    """Return whether a value says something."""
    return value is not None and value != [] and value != () and value != ""


def is_number(value: Any) -> bool:
    """Return whether a value is a number, to be aligned as one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _column_widths(
    names: Sequence[str], cells: Sequence[Sequence[str]], width: int | None
) -> list[int] | None:
    """Share the width out; None if some word would have to be broken."""
    from rich.cells import cell_len

    least, most = [], []
    for i, name in enumerate(names):
        texts = [row[i] for row in cells]
        # Lines that a cell has of its own stay whole too: each is a member of a circuit.
        parts = [
            part for text in texts for part in (text.split("\n") if "\n" in text else text.split())
        ]
        word = max(map(cell_len, parts), default=0)
        line = max((cell_len(line) for text in texts for line in text.splitlines()), default=0)
        least.append(max(min(word, LONGEST_WORD), min(cell_len(name), HEADER_WORD), 1))
        most.append(max(line, cell_len(name), 1))
    if width is None:
        return most
    free = width - sum(least) - GAP * (len(names) - 1)
    if free < 0:
        return None
    widths = list(least)
    while free and widths != most:
        # A little for each column that wants more, so that no long text takes it all.
        for i in sorted(range(len(names)), key=lambda i: widths[i]):
            if free and widths[i] < most[i]:
                widths[i] += 1
                free -= 1
    return widths


def _fitting_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], places: Sequence[int], width: int | None
) -> RenderableType | None:
    names = [columns[i] for i in places]
    cells = [[_cell(row[i]) for i in places] for row in rows]
    widths = _column_widths(names, cells, width)
    if widths is None:
        return None

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    folded = any(
        "\n" in text or len(text) > widths[i] for row in cells for i, text in enumerate(row)
    )
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        leading=1 if folded else 0,
    )
    for i, name, size in zip(places, names, widths, strict=True):
        numbers = any(is_number(row[i]) for row in rows)
        table.add_column(
            _text(name), justify="right" if numbers else "left", overflow="fold", width=size
        )
    for row in cells:
        table.add_row(*map(_text, row))
    return table


def _blocks(
    rows: Sequence[Sequence[Any]], columns: Sequence[str], places: Sequence[int]
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = []
    for row in rows:
        blocks += [facts({columns[i]: row[i] for i in places}), Text()]
    return Group(*blocks[:-1])


def _text(value: str) -> Text:
    from rich.text import Text

    return Text(for_terminal(value))
