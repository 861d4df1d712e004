"""Rows of the engine as Arrow tables: each row a list, read as CSV.

The package makes a dictionary of each row, with a call of Python for it. A reply of the engine is
one JSON text, though, and where each row is one list of plain values, its rows are CSV once what
stands between them is a line end. Text with a backslash, and lists within a row, are read as JSON.
Should the package not have the entry point that gives replies, its public method is used.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from circuitkb.stores.embedded.engine import engine_error

ROWS_IN_A_REPLY = 20_000

_ROWS, _END, _OPEN, _BETWEEN, _CLOSE = '"rows":[', '],"meta":[', '{"v":[', ']},{"v":[', "]}"


def tables(results: Any, *schemas: pa.Schema) -> Iterator[pa.Table]:
    """Give the rows of a query that returns one list ``v``, of values in the order of a schema.

    Parameters
    ----------
    results
        What ``database.query()`` gave; nothing was taken from it yet.
    schemas
        Names and types of the values. Where there are several, each list begins with the place of
        the schema that the further values follow, from 0, and each table has rows of one.
    """
    try:
        from arcadedb._native import lib
        from arcadedb._native.codec import loads
        from arcadedb._native.database import NativeResultSet
    except ImportError:
        lib = None
    if lib is None or not isinstance(results, NativeResultSet):
        yield from _one_by_one(results, schemas)
        return
    if results._buf:
        yield from _tables([row["v"] for row, _ in results._buf], schemas)
        results._buf.clear()
    if results._pending_error is not None:
        results._fill()  # raises it
    plain = not any(pa.types.is_list(kind) for schema in schemas for kind in schema.types)
    while results._more:
        text = lib.call("arcadedb_n_next", results._rs, ROWS_IN_A_REPLY)
        start, end = text.find(_ROWS) + len(_ROWS), text.rfind(_END)
        rows = text[start:end]
        if not (plain and rows.startswith(_OPEN) and rows.endswith(_CLOSE)) or "\\" in rows:
            reply = loads(text)
            found = list(_tables([row["v"] for row in reply.get("rows", ())], schemas))
        else:
            reply = loads(text[:start] + text[end:])
            found = list(_from_csv(rows[len(_OPEN) : -len(_CLOSE)], schemas))
        wrong = None if reply.get("ok") else reply
        wrong = wrong or reply.get("rerr")
        if wrong:
            results._more = False
            raise engine_error()(f"{wrong.get('cls')}: {wrong.get('error')}")
        results._more = not reply["drained"]
        yield from (table for table in found if table.num_rows)


def _one_by_one(results: Any, schemas: Sequence[pa.Schema]) -> Iterator[pa.Table]:
    held = []
    for result in results:
        held.append(result.get("v"))
        if len(held) == ROWS_IN_A_REPLY:
            yield from _tables(held, schemas)
            held = []
    if held:
        yield from _tables(held, schemas)


def _tables(rows: Sequence[Sequence[Any]], schemas: Sequence[pa.Schema]) -> Iterator[pa.Table]:
    if len(schemas) == 1:
        yield _table(rows, schemas[0])
        return
    for place, schema in enumerate(schemas):
        own = [row[1:] for row in rows if row[0] == place]
        if own:
            yield _table(own, schema)


def _table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [pa.array(values, item.type) for values, item in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _from_csv(rows: str, schemas: Sequence[pa.Schema]) -> Iterator[pa.Table]:
    if len(schemas) == 1:
        yield _read_csv(rows.replace(_BETWEEN, "\n").encode(), schemas[0])
        return
    text = rows.replace(_BETWEEN, "\n")
    for place, schema in enumerate(schemas):
        begin = f"{place},"
        own = text
        if text.count(f"\n{begin}") + text.startswith(begin) <= text.count("\n"):  # not every line
            own = "\n".join([line for line in text.split("\n") if line[0] == begin[0]])
        if own:
            placed = schema.insert(0, pa.field("place", pa.int8()))
            yield _read_csv(own.encode(), placed).drop_columns(["place"])


def _read_csv(lines: bytes, schema: pa.Schema) -> pa.Table:
    from pyarrow import csv

    table = csv.read_csv(
        io.BytesIO(lines),
        read_options=csv.ReadOptions(
            use_threads=False, block_size=len(lines) + 1, column_names=schema.names
        ),
        parse_options=csv.ParseOptions(double_quote=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=["null"],
            true_values=["true"],
            false_values=["false"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return table.cast(schema)
