"""Figures as Markdown: tables, numbers with the digits that they deserve, commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from circuitkb.results.harmless_text import for_terminal, markdown_code

_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")

WIDTH = 100
"""Columns of a paragraph's lines; tables are as wide as they are."""

NOTHING = "-"
"""What stands where there is no figure."""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; an empty line follows it.

    Examples
    --------
    >>> table(("layer", "passed"), [("a|b", "3")])
    ['| layer | passed |', '|---|---|', '| a\\\\|b | 3 |', '']
    """
    lines = [[_UNESCAPED_BAR.sub(r"\|", cell) for cell in row] for row in (columns, *rows)]
    shown = [f"| {' | '.join(line)} |" for line in lines]
    return [shown[0], f"|{'---|' * len(columns)}", *shown[1:], ""]


def count(value: float | None) -> str:
    """Return a whole number, with commas.

    Examples
    --------
    >>> count(1024.0), count(None)
    ('1,024', '-')
    """
    return NOTHING if value is None else f"{value:,.0f}"


def mean(value: float | None) -> str:
    """Return a mean of counts: one place after the point, two below 1.

    Examples
    --------
    >>> mean(36.35), mean(0.034), mean(2.0)
    ('36.4', '0.03', '2.0')
    """
    if value is None:
        return NOTHING
    return f"{value:,.2f}" if abs(value) < 1 and value else f"{value:,.1f}"


def correlation(value: float | None) -> str:
    """Return a number between -1 and 1, two places.

    Examples
    --------
    >>> correlation(0.8822), correlation(-0.001)
    ('0.88', '0.00')
    """
    return NOTHING if value is None else f"{round(value, 2) + 0.0:.2f}"


def probability(value: float | None) -> str:
    """Return a p or q, two digits.

    Examples
    --------
    >>> probability(0.0199005), probability(1.0)
    ('0.02', '1')
    """
    return NOTHING if value is None else f"{value:.2g}"


def share(part: float, whole: float) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> share(7, 44), share(1, 3000), share(0, 0)
    ('16%', '0.033%', '-')
    """
    if not whole:
        return NOTHING
    per_cent = 100 * part / whole
    return f"{per_cent:.0f}%" if per_cent >= 10 or not per_cent else f"{per_cent:.2g}%"


def code(text: Any) -> str:
    """Return a name as it is typed.

    Examples
    --------
    >>> code("features.1:7")
    '`features.1:7`'
    """
    return markdown_code(str(text))


def plural(number: float, one: str, many: str | None = None) -> str:
    """Return a number and what it counts.

    Examples
    --------
    >>> plural(1, "layer"), plural(2000, "layer"), plural(0, "copy", "copies")
    ('1 layer', '2,000 layers', '0 copies')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def paragraph(*sentences: str) -> list[str]:
    """Return sentences as a paragraph; an empty line follows it. Empty ones are left out."""
    text = " ".join(filter(None, sentences))
    return [*wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False), ""]


def commands(lines: Iterable[str], language: str = "sh") -> list[str]:
    """Return lines to be typed as a block; an empty line follows it."""
    given = [for_terminal(line) for line in lines]
    runs = (len(run) for line in given for run in re.findall("`+", line))
    fence = "`" * max(3, 1 + max(runs, default=0))
    return [f"{fence}{language}", *given, fence, ""]
