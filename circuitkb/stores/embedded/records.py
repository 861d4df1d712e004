"""Nodes and relations looked up by the engine's own numbers, as ``#1:0``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from circuitkb.stores.embedded.values import properties

if TYPE_CHECKING:
    from circuitkb.schema.records import Record

_CHUNK = 5_000


def records(database: Any, numbers: Iterable[str]) -> dict[str, Record]:
    """Return the properties of nodes and relations by their numbers."""
    found: dict[str, Record] = {}
    for listed in listed_numbers(numbers):
        with database.query("sql", f"SELECT FROM [{listed}]") as results:
            for result in results:
                kind = result.get_element().get_type_name()
                found[str(result.get_rid())] = properties({**result.to_dict(), "@type": kind})
    return found


def listed_numbers(numbers: Iterable[str]) -> Iterator[str]:
    """Give the numbers as texts that an SQL list holds, some thousand in each."""
    wanted = sorted(set(numbers))
    for start in range(0, len(wanted), _CHUNK):
        yield ", ".join(wanted[start : start + _CHUNK])
