"""Values of parameters as people type them."""

from __future__ import annotations

import json
from typing import Any


def read_value(text: str) -> Any:
    """Return what a text says: JSON where it is that, and otherwise the text itself.

    Examples
    --------
    >>> read_value("0.5"), read_value("[1, 2]"), read_value('"2"'), read_value("m/a:0")
    (0.5, [1, 2], '2', 'm/a:0')
    >>> read_value("NaN")
    'NaN'
    """

    def refuse(constant: str) -> Any:
        raise ValueError(constant)  # NaN and Infinity are no JSON, though Python reads them.

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return text
