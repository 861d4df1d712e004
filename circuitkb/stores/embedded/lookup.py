"""Texts that stand for others, looked up many at once: ids of nodes and the engine's numbers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


class Lookup:
    """What stands for what.

    Parameters
    ----------
    known
        All different.
    meant
        What each of them stands for.

    Examples
    --------
    >>> numbers = Lookup(pa.array(["net/a:0", "net/a:1"]), pa.array(["#1:0", "#1:1"]))
    >>> numbers.of(pa.array(["net/a:1"])).to_pylist()
    ['#1:1']
    """

    def __init__(self, known: pa.Array | pa.ChunkedArray, meant: pa.Array | pa.ChunkedArray):
        self._known = _in_one(known)
        self._meant = _in_one(meant)

    def of(self, asked: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Return what each text stands for.

        Raises
        ------
        KeyError
            One of them is not known.
        """
        asked = _in_one(asked)
        places = pc.index_in(asked, value_set=self._known)
        if places.null_count:
            raise KeyError(asked.filter(places.is_null())[0].as_py())
        return self._meant.take(places)


def _in_one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
