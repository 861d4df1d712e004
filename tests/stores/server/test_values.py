"""What Neo4j answers has the very form in which the embedded store gives it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from circuitkb.stores.base import Store
from circuitkb.stores.server.values import duration_text
from tests.stores.contents import network, values
from tests.stores.factories import FACTORIES

pytestmark = pytest.mark.server

EXPRESSIONS = [
    "date('2021-06-30')",
    "date('0001-01-01')",
    "datetime('2021-06-30T12:00:00Z')",
    "datetime('2021-06-30T12:00:01Z')",
    "datetime('2021-06-30T12:00:00.5+02:00')",
    "datetime('2021-06-30T12:00:00.000001-09:30')",
    "datetime('2021-06-30T12:00:00.123456789[Europe/Berlin]')",
    "datetime('2021-12-30T12:00[America/New_York]')",
    "datetime('2021-06-30T12:00:00+01:30')",
    "localdatetime('2021-06-30T00:00:00')",
    "localdatetime('2021-06-30T12:00:07')",
    "localdatetime('2021-06-30T12:00:00.120')",
    "time('12:00:01Z')",
    "time('00:00Z')",
    "time('12:00:01.25+01:00')",
    "localtime('12:00')",
    "localtime('23:59:59.999999999')",
    "duration('P1Y2M3DT4H5M6.5S')",
    "duration('P14M')",
    "duration('P1W')",
    "duration('PT90S')",
    "duration('PT25H')",
    "duration('PT0S')",
    "duration('-P1M')",
    "duration({seconds: -1.5})",
    "duration({seconds: -61, milliseconds: 5})",
    "duration({months: 1, days: -2, seconds: -3600})",
    "duration({nanoseconds: 1})",
    "duration.between(localdatetime('2021-06-30T12:00'), localdatetime('2020-01-31T13:00'))",
    "point({x: 1, y: 2})",
    "point({x: 1, y: 2, z: 3})",
    "point({longitude: 1, latitude: 2})",
    "1.0 / 0.0",
    "-1.0 / 0.0",
    "[1, [2.5, [null, 'a']], {a: {b: date('2020-01-01')}, c: []}]",
    "[date('2020-01-01'), duration('P1D'), true]",
    "9223372036854775807",
    "toFloat(3)",
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """The embedded store and one on a server, with the same content."""
    opened = []
    for factory in FACTORIES:
        if factory.name in ("embedded", "neo4j"):
            place = tmp_path_factory.mktemp("values") / factory.name
            place.mkdir()
            opened.append(factory.open(place))
            opened[-1].write(network())
    yield opened
    for store in opened:
        store.close()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_value_is_the_same_from_both(stores: list[Store], expression: str) -> None:
    embedded, server = (values(store, f"RETURN {expression} AS v") for store in stores)
    assert embedded == server
    assert repr(embedded) == repr(server), "down to the order of keys and the types of numbers"


def test_what_is_no_number_is_so_from_both(stores: list[Store]) -> None:
    for store in stores:
        assert math.isnan(values(store, "RETURN 0.0 / 0.0 AS v")[0])


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (n:Feature {unit: 2}) RETURN n",
        "MATCH (:Feature {unit: 2})-[w:WEIGHT]->() RETURN w ORDER BY w.sum",
        "MATCH p = (:Feature {unit: 0})-[{sum: -1.0}]->()<-[{sum: 4.0}]-() RETURN p, [p], {p: p}",
        "MATCH p = (:Model) RETURN p",
        "MATCH (n:Feature) WITH n ORDER BY n.unit "
        "RETURN avg(n.bias), stDev(n.bias), count(*), collect(n.unit)",
    ],
)
def test_rows_are_the_same_from_both(stores: list[Store], query: str) -> None:
    embedded, server = (store.read(query) for store in stores)
    assert embedded.rows
    assert embedded.columns == server.columns
    assert repr(embedded.rows) == repr(server.rows)


def test_maps_of_a_query_are_equal_whatever_the_order_of_their_keys(stores: list[Store]) -> None:
    query = "MATCH (n:Feature) WITH n ORDER BY n.unit RETURN collect(n {.id, .bias}) AS maps"
    embedded, server = (store.read(query) for store in stores)
    assert embedded.rows == server.rows


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((0, 0, 0, 0), "PT0S"),
        ((14, 0, 0, 0), "P1Y2M"),
        ((-14, 3, 0, 0), "P-1Y-2M3D"),
        ((0, 0, -1, -500_000_000), "PT-1.5S"),
        ((0, 0, -3661, 0), "PT-1H-1M-1S"),
        ((0, 0, 0, 1), "PT0.000000001S"),
        ((0, 0, -1, 999_000_000), "PT-0.001S"),
    ],
)
def test_durations_are_written_part_by_part(parts: tuple[int, int, int, int], text: str) -> None:
    assert duration_text(*parts) == text
