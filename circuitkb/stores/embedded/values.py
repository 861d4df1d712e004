"""Values of the engine as plain Python: text, numbers, lists, maps; nodes as their properties."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from circuitkb.stores.embedded.pointwise import whole
from circuitkb.stores.querying.values import in_order_of_schema, in_the_schema

if TYPE_CHECKING:
    from circuitkb.schema.records import Record

_PATH = re.compile(r"\(#\d+:\d+\)(?:<?-\[#\d+:\d+\]->?\(#\d+:\d+\))*")
_RECORD = re.compile(r"#\d+:\d+")


def properties(record: Mapping[str, Any]) -> Record:
    """Return the properties of a node or relation in the order of the schema, without the engine's.

    Examples
    --------
    >>> properties({"@rid": "#1:0", "@type": "Annotator", "type": "human", "id": "ada"})
    {'id': 'ada', 'type': 'human'}
    """
    kind = str(record.get("@type", ""))
    own = {name: plain(value) for name, value in record.items() if not name.startswith("@")}
    return in_order_of_schema(kind, whole(own))


def plain(value: Any) -> Any:
    """Return a value of the engine as plain Python; dates become ISO 8601 text."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        if _is_a_record(value):
            return properties(value)
        return whole({str(key): plain(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def _is_a_record(value: Mapping[str, Any]) -> bool:
    """Return whether a map stands for a node or relation; a user's may have a key ``@rid``."""
    number, kind = value.get("@rid"), value.get("@type")
    if not (isinstance(number, str) and isinstance(kind, str)):
        return False
    return in_the_schema(kind) and _RECORD.fullmatch(number) is not None


def with_paths(
    rows: list[tuple[Any, ...]], look_up: Callable[[Iterable[str]], Mapping[str, Record]]
) -> list[tuple[Any, ...]]:
    """Return rows whose paths, which the engine gives as text of record numbers, are lists.

    A path is a list of its nodes and relations in turn, each as its properties.
    """
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, str) and _PATH.fullmatch(value):
            found.update(_RECORD.findall(value))
        elif isinstance(value, list):
            for item in value:
                collect(item)
        elif isinstance(value, dict):
            for item in value.values():
                collect(item)

    for row in rows:
        for value in row:
            collect(value)
    if not found:
        return rows
    records = look_up(found)

    def replace(value: Any) -> Any:
        if isinstance(value, str) and _PATH.fullmatch(value):
            numbers = _RECORD.findall(value)
            return [records[n] for n in numbers] if records.keys() >= set(numbers) else value
        if isinstance(value, list):
            return [replace(item) for item in value]
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        return value

    return [tuple(replace(value) for value in row) for row in rows]
