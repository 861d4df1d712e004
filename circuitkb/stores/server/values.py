"""Values of Neo4j as plain Python, in the very form in which the embedded store gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitkb.schema.records import Record
from circuitkb.stores.querying.values import in_order_of_schema

_CRS = {7203: "cartesian", 9157: "cartesian-3D", 4326: "WGS-84", 4979: "WGS-84-3D"}
_GEOGRAPHIC = ("longitude", "latitude", "height")
_CARTESIAN = ("x", "y", "z")


def plain(value: Any) -> Any:
    """Return a value of the driver as plain Python.

    Nodes and relations become dictionaries of their properties, paths lists of both in turn, points
    dictionaries, and dates, times and durations ISO 8601 text.

    Examples
    --------
    >>> from neo4j.time import DateTime, Duration
    >>> plain([DateTime(2021, 6, 30, 12, 0, 0, 500_000_000), Duration(months=14, seconds=90)])
    ['2021-06-30T12:00:00.500', 'P1Y2MT1M30S']
    """
    from neo4j.graph import Node, Path, Relationship
    from neo4j.spatial import Point
    from neo4j.time import Date, DateTime, Duration, Time

    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Node):
        return _properties(sorted(value.labels), value)
    if isinstance(value, Relationship):
        return _properties([value.type], value)
    if isinstance(value, Path):
        return _steps(value)
    if isinstance(value, Point):
        return _point(value)
    if isinstance(value, Duration):
        return duration_text(value.months, value.days, value.seconds, value.nanoseconds)
    if isinstance(value, DateTime):
        return f"{value.date().iso_format()}T{_clock(value)}{_zone(value)}"
    if isinstance(value, Date):
        return value.iso_format()
    if isinstance(value, Time):
        return f"{_clock(value)}{_zone(value)}"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return list(value) if isinstance(value, bytes | bytearray) else str(value)


def _properties(kinds: list[str], entity: Any) -> Record:
    found = {str(name): plain(value) for name, value in entity.items()}
    return in_order_of_schema(kinds[0] if kinds else "", found)


def _steps(path: Any) -> list[Any]:
    steps = [plain(path.nodes[0])]
    for relationship, node in zip(path.relationships, path.nodes[1:], strict=True):
        steps += [plain(relationship), plain(node)]
    return steps


def _point(point: Any) -> Record:
    place = [float(part) for part in point]
    named = dict(zip(_CARTESIAN, place, strict=False))
    if point.srid in (4326, 4979):
        named = dict(zip(_GEOGRAPHIC, place, strict=False)) | named
    return named | {"crs": _CRS.get(point.srid, ""), "srid": point.srid}


def _clock(value: Any) -> str:
    """Return a time of day as Java writes it: no seconds where they are zero, 3, 6 or 9 digits."""
    text = f"{value.hour:02}:{value.minute:02}"
    if value.second or value.nanosecond:
        text += f":{value.second:02}"
    if value.nanosecond:
        digits = f"{value.nanosecond:09}"
        while digits.endswith("000"):
            digits = digits[:-3]
        text += f".{digits}"
    return text


def _zone(value: Any) -> str:
    offset = value.utcoffset()
    if offset is None:
        return ""
    minutes = round(offset.total_seconds() / 60)
    text = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    text = text if minutes else "Z"
    name = getattr(value.tzinfo, "zone", None) or getattr(value.tzinfo, "key", None)
    return f"{text}[{name}]" if name and name != "UTC" else text


def duration_text(months: int, days: int, seconds: int, nanoseconds: int) -> str:
    """Return a duration as ISO 8601 text; parts that are zero are left out.

    Parameters
    ----------
    months, days, seconds, nanoseconds
        Its four parts, whose signs may differ; the last two have the same sign.

    Examples
    --------
    >>> duration_text(-1, 0, 90061, 500_000_000)
    'P-1MT25H1M1.5S'
    >>> duration_text(0, 0, 0, 0)
    'PT0S'
    """
    total = seconds * 10**9 + nanoseconds
    sign = -1 if total < 0 else 1
    minutes, rest = divmod(abs(total), 60 * 10**9)
    whole, fraction = divmod(rest, 10**9)
    years = int(months / 12)
    date = [(years, "Y"), (months - 12 * years, "M"), (days, "D")]
    time = [(sign * (minutes // 60), "H"), (sign * (minutes % 60), "M")]
    text = "P" + "".join(f"{number}{unit}" for number, unit in date if number)
    clock = "".join(f"{number}{unit}" for number, unit in time if number)
    if rest:
        part = f"{whole}.{fraction:09}".rstrip("0").rstrip(".")
        clock += f"{'-' if sign < 0 else ''}{part}S"
    if clock:
        text += f"T{clock}"
    return text if text != "P" else "PT0S"
