"""Tables of weights, on their way into the graph and out of it; see :mod:`.pointwise`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.stores.embedded.pointwise import IN_CYPHER, NUMBER, WEIGHT

_LARGEST = 1e300
"""Twice as much must still be a number."""


def taken_apart(name: str, properties: pa.Table) -> pa.Table:
    """Return the properties of relations as the graph keeps them.

    Parameters
    ----------
    name
        Of the relation; only of ``WEIGHT`` anything changes.
    properties
        A row for each relation.

    Returns
    -------
    pa.Table
        Where all ten properties are those that follow from the sum, they are null, and the column
        :data:`~.pointwise.NUMBER` has the number.

    Examples
    --------
    >>> from circuitkb.stores.embedded.pointwise import following
    >>> rows = pa.Table.from_pylist([{"negative_dy": None, "negative_dx": None, **following(0.5)}])
    >>> taken_apart("WEIGHT", rows).select(["sum", "l1", "_pointwise"]).to_pylist()
    [{'sum': None, 'l1': None, '_pointwise': 0.5}]
    """
    if name != WEIGHT or not set(IN_CYPHER) <= set(properties.column_names):
        return properties
    number = _doubles(properties["sum"])
    follows = np.abs(number) < _LARGEST  # not where it is absent
    for column, values in _following(number).items():
        stored = _doubles(properties[column])
        follows &= (stored == values) | (np.isnan(stored) & np.isnan(values))
    if not follows.any():
        return properties
    mask = pa.array(follows)
    for place, column in enumerate(properties.column_names):
        if column in IN_CYPHER:
            left = pc.if_else(mask, pa.scalar(None, pa.float64()), properties[column])
            properties = properties.set_column(place, column, left)
    return properties.append_column(NUMBER, pa.array(number, mask=~follows))


def put_together(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return weights that have a number as rows of a schema.

    Parameters
    ----------
    table
        The number of each, :data:`~.pointwise.NUMBER`, and all that does not follow from it.
    schema
        Names and types of the columns to return.

    Examples
    --------
    >>> rows = pa.table({"rank": [1, 2], "_pointwise": [-0.5, 0.25]})
    >>> columns = [("rank", pa.int64()), ("l1", pa.float64()), ("positive_dy", pa.float64())]
    >>> put_together(rows, pa.schema(columns)).to_pylist()
    [{'rank': 1, 'l1': 0.5, 'positive_dy': None}, {'rank': 2, 'l1': 0.25, 'positive_dy': 0.0}]
    """
    found = _following(_doubles(table[NUMBER]))
    columns = [
        pa.array(found[item.name], item.type, mask=np.isnan(found[item.name]))
        if item.name in found
        else table[item.name]
        for item in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _doubles(column: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers of a column; NaN where there is none."""
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _following(number: np.ndarray) -> dict[str, np.ndarray]:
    """Return what follows from each number; NaN where nothing does."""
    size = np.abs(number)
    absent = np.isnan(number)
    positive, negative = (np.where(side, 0.0, np.nan) for side in (number > 0, number < 0))
    return {
        "sum": number,
        "positive": np.where(absent, np.nan, np.maximum(number, 0.0)),
        "negative": np.where(absent, np.nan, np.minimum(number, 0.0)),
        "l1": size,
        "l2": size,
        "max_abs": size,
        "positive_dy": positive,
        "positive_dx": positive,
        "negative_dy": negative,
        "negative_dx": negative,
    }
