"""The engine's rows as tables: exact, whatever text and numbers stand in them; under a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from circuitkb.schema.tables import relation_table
from circuitkb.stores import open_store
from circuitkb.stores.embedded import row_lists
from circuitkb.stores.embedded.read_only import ReadOnlyGraph
from circuitkb.stores.embedded.verifying import opened
from tests.stores.contents import feature, nodes, together, weight, weights

TEXTS = ["null", "", "a,b", "Ü\u2028", "#1:0", "'", "true", "1", " "]
ESCAPED = ['say "no"', "x\ny", "back\\slash", ']},{"v":[', "\x01"]
NUMBERS = [1 / 3, -1e-300, 5.0, 1.7976931348623157e308, 5e-324, -0.1, 1e22, 123456789.123]
PLAIN = 600  # rows that come first, in which JSON escapes nothing


def number(i: int) -> float | None:
    return None if i % 7 == 0 else NUMBERS[i % len(NUMBERS)]


WEIGHTS = [
    weight(
        i // 24,
        i % 50,
        f"{i}{TEXTS[i % len(TEXTS)]}{'' if i < PLAIN else ESCAPED[i % len(ESCAPED)]}",
        path=TEXTS[i % len(TEXTS)],
        sum=number(i),
        l1=number(i + 1),
        rank=2**60 + i if i % 5 else None,
        flag=None if i % 4 else TEXTS[i % 3],
    )
    for i in range(2 * PLAIN)
]


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[ReadOnlyGraph]:
    store = open_store(tmp_path / "zoo.ckb")
    store.write(together(nodes("Feature", *map(feature, range(50))), weights(*WEIGHTS)))
    with closing(store), closing(opened(store._directory.current(), timeout=None)) as found:  # type: ignore[attr-defined]
        yield found


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


def test_tables_of_the_engines_rows_are_what_was_written(
    graph: ReadOnlyGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_lists, "ROWS_IN_A_REPLY", 50)
    read_as: list[str] = []
    for name in ("_from_csv", "_table"):
        real = getattr(row_lists, name)
        monkeypatch.setattr(
            row_lists, name, lambda *given, n=name, f=real: read_as.append(n) or f(*given)
        )
    columns = {name: [row.get(name) for row in WEIGHTS] for name in WEIGHTS[0]}
    expected = relation_table("WEIGHT", columns)
    names = expected.column_names[2:]
    found = pa.concat_tables(graph.all_relations("WEIGHT", "Feature", "Feature", names))
    assert found.schema == expected.schema
    assert rows(found) == rows(expected)
    assert set(read_as) == {"_from_csv", "_table"}


def test_without_the_packages_entry_point_rows_are_the_same() -> None:
    given = [{"v": ["a", 1, None]}, {"v": [None, 2**60, ["x", "y"]]}]
    schema = pa.schema({"a": pa.string(), "b": pa.int64(), "c": pa.list_(pa.string())})
    (table,) = row_lists.tables(iter(given), schema)
    assert table.schema == schema
    assert [list(row.values()) for row in table.to_pylist()] == [row["v"] for row in given]


def test_what_the_engine_finds_wrong_in_a_later_row_is_told(graph: ReadOnlyGraph) -> None:
    text = "UNWIND range(1, 5000) AS n RETURN [1 / (n - 4000)] AS v"
    schema = pa.schema({"v": pa.int64()})
    with pytest.raises(Exception, match=r"(?i)zero"):
        list(graph._tables("opencypher", text, {}, schema))
