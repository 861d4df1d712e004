"""Rows of Parquet files in one order, whatever order a store gave them in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from circuitkb.patterns.joining import joining_database
from circuitkb.schema.definition import relation_type

MEMORY = "512MB"
"""What sorting may take; the rest goes to the disk."""


def sort_key(name: str) -> tuple[str, ...]:
    """Return the columns that no two rows of a file agree in.

    Examples
    --------
    >>> sort_key("nodes/Feature.parquet"), sort_key("relations/IN_LAYER.parquet")
    (('id',), ('source_label', 'target_label', 'source', 'target'))
    """
    kind, _, file = name.removesuffix(".parquet").partition("/")
    if kind == "nodes":
        return ("id",)
    return ("source_label", "target_label", "source", "target", *relation_type(file).key)


def sorted_rows(file: Path, name: str, schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Give the rows of a file in order, so many at a time.

    Parameters
    ----------
    name
        Of the file in its folder, as in ``nodes/Feature.parquet``.
    """
    columns = ", ".join(f'"{column}"' for column in sort_key(name))
    text = f"SELECT * FROM read_parquet($file) ORDER BY {columns}"
    with joining_database(MEMORY) as (database, _):
        found = database.sql(text, params={"file": str(file)})
        for batch in found.to_arrow_reader(rows):
            arrays = (batch.column(each.name).cast(each.type) for each in schema)
            yield pa.Table.from_arrays(list(arrays), schema=schema)
