"""Rows as the text of JSON: what is read back is what the table holds, type by type."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from circuitkb.stores.property_rows import property_rows
from circuitkb.stores.property_text import property_text

VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.float64(): st.one_of(
        st.floats(allow_nan=False), st.sampled_from([0.0, 1.0, 1e15, 1e16, 1e-5])
    ),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(),
    pa.list_(pa.string()): st.lists(st.none() | st.text(), max_size=2),
}
NAMES = st.text(min_size=1, max_size=4)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    count = draw(st.integers(0, 4))
    columns = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from(list(VALUES)))
        one = st.none() | VALUES[kind]
        columns[name] = pa.array(draw(st.lists(one, min_size=count, max_size=count)), kind)
    table = pa.table(columns)
    table = pa.concat_tables([table, table]) if draw(st.booleans()) else table
    return table.slice(draw(st.integers(0, 2)), draw(st.integers(0, 8)))


@given(tables())
def test_the_text_is_read_back_as_the_rows(table: pa.Table) -> None:
    assert repr(json.loads(property_text(table))) == repr(property_rows(table))
