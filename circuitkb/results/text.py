"""One value as text: JSON, a cell of a table, a line of CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from circuitkb.results.harmless_text import for_spreadsheet


def to_json(value: Any, indent: int | None = None) -> str:
    """Return JSON in which numbers that are not finite are null.

    Examples
    --------
    >>> to_json({"a": [1.5, float("inf")]})
    '{"a": [1.5, null]}'
    """
    return json.dumps(
        _finite(value), indent=indent, ensure_ascii=False, default=str, allow_nan=False
    )


def show(value: Any) -> str:
    r"""Return a value as a cell of a table shows it.

    Examples
    --------
    >>> show(0.123456), show(None), show(["a", "b"]), show({"feature": "m/a:0", "side": None})
    ('0.1235', '', 'a, b', 'feature m/a:0')
    >>> show([{"feature": "m/a:0", "role": "case"}, {"feature": "m/a:1", "role": "case"}])
    'm/a:0 case\nm/a:1 case'
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {show(item)}" for key, item in value.items() if _says(item))
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping) for item in value):
            return "\n".join(_line(item) for item in value)
        return ", ".join(show(item) for item in value)
    return str(value)


def _line(item: Any) -> str:
    """Return one of many maps without its keys, which are the same for all."""
    if not isinstance(item, Mapping):
        return show(item)
    return " ".join(show(part) for part in item.values() if _says(part))


def _says(value: Any) -> bool:
    return value is not None and value != [] and value != ""


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def csv_line(cells: Iterable[Any]) -> str:
    """Return the cells as one line, of which no spreadsheet takes a text for a formula."""
    out = io.StringIO()
    # The writer quotes the characters of its own line end, so it must know of both kinds.
    csv.writer(out, lineterminator="\r\n").writerow([_csv_cell(cell) for cell in cells])
    return out.getvalue().removesuffix("\r\n") + "\n"


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list | tuple | Mapping):
        return to_json(value)
    return for_spreadsheet(value) if isinstance(value, str) else value
