"""Rows of a table as the text of JSON objects, made column by column.

The same rows as :func:`circuitkb.stores.property_rows.property_rows`, for an engine that is handed
text: a third of the time of dictionaries that are then written.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_MOST_WHOLE = 1e15
"""Whole numbers below are written without an exponent, and would be read as integers."""


def property_text(table: pa.Table) -> str:
    """Return the rows of a table as a JSON array of objects that leave out what is null.

    Every number is written so that it is read back as the same, of the same type.

    Examples
    --------
    >>> property_text(pa.table({"a": [1, 2], "b": [None, 2.0], "c": [True, None]}))
    '[{"a":1,"c":true},{"a":2,"b":2.0}]'
    """
    columns = [
        (f",{json.dumps(name)}:", column.combine_chunks())
        for name, column in zip(table.column_names, table.columns, strict=True)
        if column.null_count < len(column)
    ]
    if not columns:
        return "[" + ",".join(["{}"] * table.num_rows) + "]"
    pieces: list[Any] = []
    for name, column in columns:
        if column.null_count:  # name and value are both there or both not
            pieces.append(pc.binary_join_element_wise(name, _values(column), ""))
        else:
            pieces += [name if pieces else name[1:], _values(column)]
    rows = pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")
    if columns[0][1].null_count:
        rows = pc.utf8_slice_codeunits(rows, 1)  # each member has a comma before it
    whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    joined: str = pc.binary_join(whole, "},{")[0].as_py()
    return "[{" + joined + "}]"


def _values(column: pa.Array) -> pa.Array:
    """Return each value as JSON."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_float64(kind):
        return _numbers(column)
    if pa.types.is_string(kind):
        return _texts(column)
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return _lists(column)
    return pa.array([None if v is None else json.dumps(v) for v in column.to_pylist()], pa.string())


def _texts(column: pa.Array) -> pa.Array:
    coded = column.dictionary_encode()
    return pa.array(map(quoted, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)


def _lists(column: pa.Array) -> pa.Array:
    ends = column.offsets  # of a slice they do not begin at 0
    first, last = ends[0].as_py(), ends[-1].as_py()
    texts = pc.fill_null(_texts(column.values.slice(first, last - first)), "null")
    whole = pa.ListArray.from_arrays(pc.subtract(ends, ends[0]), texts)
    listed = pc.binary_join_element_wise("[", pc.binary_join(whole, ","), "]", "")
    return pc.if_else(column.is_valid(), listed, None)


def _numbers(column: pa.Array) -> pa.Array:
    text: Any = column.cast(pa.string())
    whole = pc.equal(pc.floor(column), column)  # so are the infinite ones
    if not pc.any(whole).as_py():
        return text
    whole = pc.and_(whole, pc.less(pc.abs(column), _MOST_WHOLE))
    if pc.any(whole).as_py():
        integers = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(pa.string())
        text = pc.if_else(whole, pc.binary_join_element_wise(integers, ".0", ""), text)
    endless = pc.is_inf(column)
    if pc.any(endless).as_py():
        named = pc.if_else(pc.greater(column, 0.0), "Infinity", "-Infinity")
        text = pc.if_else(endless, named, text)
    return text
