"""Hashes of rows that do not depend on the engine, nor on the order that it gives the rows in.

The hash of a row is 64 bits: that of its key (a node's id; a relation's ends and key properties),
plus, modulo 2**64, one for each property that it has. A property's hash comes from its name and
its value: ``pandas.util.hash_array`` of the value, which hashes the bytes of texts and numbers, is
joined with that of the name and mixed (the finaliser of splitmix64). What is null or NaN adds
nothing, so that a property that is absent and one that an engine gives as null count alike; so do
0.0 and -0.0. A list counts as its JSON.

The hash of a kind is sha256 over the hashes of its rows in ascending order, as little-endian
numbers. It finds what was lost, changed or mixed up on the way. It is no protection against
somebody who forges rows on purpose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Masks = NDArray[np.uint32]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key_hashes(table: pa.Table, key: Sequence[str]) -> Hashes:
    """Return a hash for each row of what tells it apart from others.

    Examples
    --------
    >>> pairs = pa.table({"source": ["a", "b"], "target": ["b", "a"]})
    >>> first, second = key_hashes(pairs, ("source", "target"))
    >>> bool(first == second)
    False
    """
    found = np.zeros(table.num_rows, np.uint64)
    for name in key:
        hashes, absent = _column(name, table[name])
        found = _mixed(found + np.where(absent, _GOLDEN, hashes))
    return found


def content_hashes(
    table: pa.Table, key: Sequence[str], keys: Hashes, only: Masks | None = None
) -> tuple[Hashes, Masks]:
    """Return a hash of each row, and which properties it has.

    Parameters
    ----------
    table, key
        Rows with all columns of the schema, and those that tell them apart.
    keys
        What :func:`key_hashes` gives for them.
    only
        For each row the properties to look at, as this function returns them; all if not given.

    Examples
    --------
    >>> here = pa.table({"id": ["a"], "score": [0.0], "text": ["x"]})
    >>> less = pa.table({"id": ["a"], "score": [-0.0], "text": pa.nulls(1, pa.string())})
    >>> (stored,), masks = content_hashes(less, ("id",), key_hashes(less, ("id",)))
    >>> (whole,), _ = content_hashes(here, ("id",), key_hashes(here, ("id",)))
    >>> (part,), _ = content_hashes(here, ("id",), key_hashes(here, ("id",)), masks)
    >>> bool(stored == whole), bool(stored == part)
    (False, True)
    """
    contents = keys.copy()
    masks = np.zeros(table.num_rows, np.uint32)
    properties = [name for name in table.column_names if name not in key]
    for place, name in enumerate(properties):
        if table[name].null_count == table.num_rows:
            continue
        bit = np.uint32(1 << place)
        hashes, absent = _column(name, table[name])
        if only is not None:
            absent = absent | ((only & bit) == 0)
        contents += np.where(absent, np.uint64(0), hashes)
        masks |= np.where(absent, np.uint32(0), bit)
    return contents, masks


def kind_hash(contents: Hashes) -> str:
    """Return the hash of a kind from those of its rows, in any order: 32 hex digits.

    Examples
    --------
    >>> kind_hash(np.array([1, 2], np.uint64)) == kind_hash(np.array([2, 1], np.uint64))
    True
    """
    return hashlib.sha256(np.sort(contents).astype("<u8").tobytes()).hexdigest()[:32]


def text_hash(text: str) -> np.uint64:
    """Return the hash of one text.

    Examples
    --------
    >>> int(text_hash("circuit")) == int(text_hash("circuit")) != int(text_hash("Circuit"))
    True
    """
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def _column(name: str, column: pa.ChunkedArray) -> tuple[Hashes, NDArray[np.bool_]]:
    """Return a hash for each value of a column, and where there is none."""
    absent = column.is_null(nan_is_null=True).to_numpy()
    hashes = _mixed(_values(column) ^ text_hash(name))
    return hashes, absent


def _values(column: pa.ChunkedArray) -> Hashes:
    from pandas.util import hash_array

    if pa.types.is_list(column.type):
        texts = [None if v is None else json.dumps(v) for v in column.to_pylist()]
        column = pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_string(column.type):
        # Each text once: ids stand many times in a column of ends.
        encoded = column.combine_chunks().dictionary_encode()
        texts = encoded.dictionary.to_numpy(zero_copy_only=False)
        known = np.zeros(1, np.uint64)
        if len(texts):
            known = hash_array(texts, categorize=False)
        hashes: Hashes = known[encoded.indices.fill_null(0).to_numpy()]
        return hashes
    filled = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    values = filled.to_numpy()
    if values.dtype.kind == "f":
        values = values + 0.0  # turns -0.0 into 0.0
    hashes = hash_array(values)
    return hashes


def _mixed(values: Hashes) -> Hashes:
    """Return numbers whose bits all depend on all bits of ``values``; one to one."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
