"""What a copy must arrive as: the hash of every row, by kind, to compare another store with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.moving.copies.row_hashes import Hashes, Masks, content_hashes, key_hashes, kind_hash
from circuitkb.schema.definition import NODES, relation_type
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.arrays.formats import FORMATS, beside
from circuitkb.stores.belonging import ALL_ENDS

Positions = NDArray[np.int64]
Marks = NDArray[np.bool_]


class Kind(NamedTuple):
    """A label, a relation with the labels of its ends, or a kind of what lies beside the graph."""

    name: str
    source: str = ""
    target: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.source} to {self.target})" if self.source else self.name

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell its rows apart.

        Examples
        --------
        >>> Kind("WEIGHT", "Feature", "Feature").key
        ('source', 'target', 'connection')
        """
        return ("source", "target", *relation_type(self.name).key) if self.source else ("id",)


BESIDE = tuple(map(Kind, ARRAY_KINDS))
"""What lies beside the graph."""

KINDS = (
    *(Kind(node.label) for node in NODES),
    *(Kind(*ends) for ends in ALL_ENDS),
    *BESIDE,
)
"""Every kind, nodes before relations before arrays."""


def tables_of(rows: GraphRows) -> Iterator[tuple[Kind, pa.Table]]:
    """Give rows by kind; what lies beside the graph as the names that content gives."""
    for label, table in rows.nodes.items():
        yield Kind(label), table
    for item in rows.relations:
        yield Kind(item.name, item.source_label, item.target_label), item.table
    for kind, key, value in beside(rows):
        yield Kind(kind), pa.table({"id": [key], "content": [FORMATS[kind].file_name(value)]})


class Digest:
    """The hashes of all rows of one kind, in the order of their keys.

    Takes 20 bytes for a row. Two keys of a million rows share a hash of 64 bits once in 40 million
    such digests; the copy would then be called different.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._given: list[tuple[Hashes, Hashes, Masks]] = []
        self._keys = np.zeros(0, np.uint64)
        self._contents = np.zeros(0, np.uint64)
        self._masks = np.zeros(0, np.uint32)

    def add(self, table: pa.Table) -> None:
        """Take rows in."""
        keys = key_hashes(table, self.kind.key)
        self._given.append((keys, *content_hashes(table, self.kind.key, keys)))

    def _sort(self) -> None:
        if self._given:
            keys, contents, masks = (
                np.concatenate(parts) for parts in zip(*self._given, strict=True)
            )
            order = np.argsort(keys)
            self._keys, self._contents, self._masks = keys[order], contents[order], masks[order]
            self._given = []

    def __len__(self) -> int:
        self._sort()
        return len(self._keys)

    @property
    def hash(self) -> str:
        """Hash of the kind."""
        self._sort()
        return kind_hash(self._contents)

    def find(self, table: pa.Table) -> Positions:
        """Return the place of each row of a table by its key; -1 for those that are not here."""
        return self._find(key_hashes(table, self.kind.key))

    def _find(self, keys: Hashes) -> Positions:
        if not len(self):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, places, -1)

    def compare(self, table: pa.Table, found: Found) -> None:
        """Compare the rows of a table with these, and note in ``found`` what they are like.

        Of each only the properties count that it has here.
        """
        keys = key_hashes(table, self.kind.key)
        places = self._find(keys)
        here = places >= 0
        places = places[here]
        contents, _ = content_hashes(
            table.filter(pa.array(here)), self.kind.key, keys[here], self._masks[places]
        )
        found.contents[places] = contents
        found.present[places] = True
        found.same[places] = contents == self._contents[places]

    def accept(self, table: pa.Table, found: Found) -> None:
        """Note in ``found`` that the rows of a table are there as they should be."""
        places = self.find(table)
        places = places[places >= 0]
        found.same[places] = True
        found.contents[places] = self._contents[places]


@dataclass(frozen=True)
class Found:
    """What a store holds of the rows of a digest, in its order.

    Attributes
    ----------
    present
        Whether it has a row with this key.
    same
        Whether that row has every property as it should.
    contents
        Hash of that row, as far as it counts.
    """

    present: Marks
    same: Marks
    contents: Hashes

    @property
    def hash(self) -> str:
        """Hash of what is there of the kind."""
        return kind_hash(self.contents[self.present])


def compared(digests: Mapping[Kind, Digest], pieces: Iterable[GraphRows]) -> dict[Kind, Found]:
    """Compare what a store gives with digests; what it holds besides does not count."""
    found = {
        kind: Found(
            np.zeros(len(digest), bool),
            np.zeros(len(digest), bool),
            np.zeros(len(digest), np.uint64),
        )
        for kind, digest in digests.items()
    }
    for piece in pieces:
        for kind, table in tables_of(piece):
            if kind in digests:
                digests[kind].compare(table, found[kind])
    return found
