"""Many relations at once: exact, with and without the shortcut into the engine's package."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.stores import open_store
from circuitkb.stores.embedded import edge_loading
from circuitkb.stores.property_rows import property_rows
from tests.stores.contents import content, content_of, feature, nodes, together, weight, weights

COLUMNS = {
    "text": (pa.string(), st.text()),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "truth": (pa.bool_(), st.booleans()),
    "texts": (pa.list_(pa.string()), st.lists(st.text(), max_size=2)),
}


@settings(deadline=None)  # the first call imports
@given(st.data(), st.integers(0, 6), st.integers(0, 3))
def test_rows_leave_out_what_is_null_and_nothing_else(
    data: st.DataObject, size: int, offset: int
) -> None:
    columns = {
        name: pa.array(data.draw(st.lists(st.none() | values, min_size=size, max_size=size)), kind)
        for name, (kind, values) in COLUMNS.items()
    }
    table = pa.table(columns).slice(offset)
    expected = [
        {name: value for name, value in row.items() if value is not None}
        for row in table.to_pylist()
    ]
    found = property_rows(table)
    assert found == expected
    for row, same in zip(found, expected, strict=True):
        assert {name: type(value) for name, value in row.items()} == {
            name: type(value) for name, value in same.items()
        }


@pytest.mark.parametrize("shortcut", [True, False])
def test_both_ways_into_the_engine_load_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortcut: bool
) -> None:
    units = 50
    rows = together(
        nodes("Feature", *(feature(i) for i in range(units))),
        weights(
            *(
                weight(
                    i % units,
                    (i * 7) % units,
                    f"Ü{i}",
                    sum=i / 7 if i % 3 else None,
                    rank=2**60 + i if i % 5 else None,
                    negative_dy=-1e-300 if i % 11 == 0 else None,
                )
                for i in range(25_000)
            )
        ),
    )
    used = []
    real = edge_loading.shortcut
    monkeypatch.setattr(
        edge_loading,
        "shortcut",
        lambda *of: used.append(real(*of)) or (used[0] if shortcut else None),
    )
    store = open_store(tmp_path / "zoo.ckb")
    store.write(rows)
    assert content_of(store) == content([rows])
    store.close()
    assert used[0] is not None, "the package has the entry point"
