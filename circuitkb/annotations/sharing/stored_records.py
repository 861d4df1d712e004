"""The records that a store keeps, as they were imported: all of them, or some.

A store keeps every record that differs from others in more than its date, also those that do not
count any more (superseded, retracted, contested) or not yet (pending). What is exported is these.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from circuitkb.loaders.annotation_formats.checking import units_of
from circuitkb.schema.records import Record
from circuitkb.stores.base import Store

UNLICENSED = "NOASSERTION"
"""Licence of records whose author gave none."""

PAGE = 1000
"""Annotations that are in memory at once."""

_TIMEOUT = 600.0


@dataclass(frozen=True)
class Selection:
    """Which records are wanted; what is None does not choose.

    Attributes
    ----------
    models, layers
        What records are about: names of models; of layers, as ``mixed4b`` or
        ``inceptionv1/mixed4b``. An edge or a circuit counts if any of its units does, a review
        or a retraction if the annotation that it is about does.
    authors, kinds, licenses
        Ids of authors, kinds of records, licences.
    with_noassertion
        Whether records under NOASSERTION, whose author gave no licence, go too. Naming
        NOASSERTION among the licences asks for them as well.
    """

    models: Sequence[str] | None = None
    layers: Sequence[str] | None = None
    authors: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    licenses: Sequence[str] | None = None
    with_noassertion: bool = False

    def takes(self, record: Record) -> bool:
        """Return whether author, kind and licence are wanted.

        Examples
        --------
        >>> Selection(kinds=["label"]).takes({"kind": "review"})
        False
        """
        return (
            (self.kinds is None or record["kind"] in self.kinds)
            and (self.authors is None or record["author"]["id"] in self.authors)
            and (self.licenses is None or record["license"] in self.licenses)
        )

    def lets_go(self, record: Record) -> bool:
        """Return whether the licence lets a record leave the store.

        Examples
        --------
        >>> Selection().lets_go({"license": "NOASSERTION"})
        False
        >>> Selection(licenses=["NOASSERTION"]).lets_go({"license": "NOASSERTION"})
        True
        """
        if record["license"] != UNLICENSED or self.with_noassertion:
            return True
        return UNLICENSED in (self.licenses or ())


class StoredRecord(NamedTuple):
    """One record: the JSON text that is kept, what it says, and how many share its id."""

    text: str
    record: Record
    of_id: int


@dataclass
class RecordCounts:
    """What was counted while records were read.

    Attributes
    ----------
    records
        Records given.
    left_behind
        Records that were wanted and stay behind, by licence.
    measured
        Annotations that are measurements of this program: they have no record, and whoever
        loads and observes the same model has them.
    missing
        Records given that speak of, or supersede, a record of the store that was not given.
    """

    records: int = 0
    left_behind: Counter[str] = field(default_factory=Counter)
    measured: int = 0
    missing: int = 0


def stored_records(
    store: Store, selection: Selection | None = None, counts: RecordCounts | None = None
) -> Iterator[StoredRecord]:
    """Give the records of a store in the order of their ids, then of their texts.

    They are read in pages while they are asked for. In memory are one page, and the ids that the
    records given refer to; with models or layers chosen, the ids of the records about them.

    Parameters
    ----------
    store
        Where they are.
    selection
        Which ones; all that have a licence if not given.
    counts
        Takes the counts; they are complete when the last record was given.

    Raises
    ------
    QueryError
        The store cannot be read.
    """
    wanted, counted = selection or Selection(), counts or RecordCounts()
    about = _about(store, wanted)
    referring: Counter[str] = Counter()

    def is_wanted(id: str, record: Record) -> bool:
        return wanted.takes(record) and (about is None or id in about)

    for id, texts in _pages(store):
        counted.measured += not texts
        for text in texts:
            record = json.loads(text)
            if not is_wanted(id, record):
                continue
            if not wanted.lets_go(record):
                counted.left_behind[record["license"]] += 1
                continue
            counted.records += 1
            referring.update(referred(record))
            yield StoredRecord(text, record, len(texts))
    counted.missing = sum(
        referring[id]
        for id, texts in _looked_up(store, sorted(referring))
        if texts
        and not any(
            is_wanted(id, record) and wanted.lets_go(record) for record in map(json.loads, texts)
        )
    )


def referred(record: Record) -> set[str]:
    """Return the ids of the records that a record speaks of or supersedes.

    Examples
    --------
    >>> sorted(referred({"target": {"type": "annotation", "id": "ckb:1"}, "supersedes": ["x:2"]}))
    ['ckb:1', 'x:2']
    """
    found = set(record.get("supersedes", ()))
    if record["target"]["type"] == "annotation":
        found.add(record["target"]["id"])
    return found


def _pages(store: Store) -> Iterator[tuple[str, list[str]]]:
    """Give id and records of every annotation, in the order of the ids."""
    cypher = (
        "MATCH (a:Annotation) WHERE a.id > $after "
        "RETURN a.id AS id, a.records AS records ORDER BY id LIMIT $page"
    )
    after = ""
    while True:
        given = {"after": after, "page": PAGE}
        rows = store.read(cypher, given, timeout=_TIMEOUT, limit=None).rows
        for id, records in rows:
            yield id, sorted(records or ())
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def _looked_up(store: Store, ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Give id and records of those of the ids that the store has."""
    cypher = (
        "UNWIND $ids AS wanted MATCH (a:Annotation {id: wanted}) "
        "RETURN a.id AS id, a.records AS records ORDER BY id"
    )
    for first in range(0, len(ids), PAGE):
        given = {"ids": list(ids[first : first + PAGE])}
        for id, records in store.read(cypher, given, timeout=_TIMEOUT, limit=None).rows:
            yield id, records or []


def _about(store: Store, wanted: Selection) -> set[str] | None:
    """Return the ids of the annotations about the wanted models and layers; None for all.

    What an annotation of an annotation is about can be told once the other is known.
    """
    if wanted.models is None and wanted.layers is None:
        return None
    places = _Places(store, wanted)
    found: set[str] = set()
    spoken_of: dict[str, set[str]] = {}
    for id, texts in _pages(store):
        for record in map(json.loads, texts):
            if record["target"]["type"] == "annotation":
                spoken_of.setdefault(record["target"]["id"], set()).add(id)
            elif places.have(record):
                found.add(id)
    reached = [id for id in spoken_of if id in found]
    while reached:
        for id in spoken_of.get(reached.pop(), ()):
            if id not in found:
                found.add(id)
                reached.append(id)
    return found


class _Places:
    """The wanted models and layers, and the circuits that have units in them."""

    def __init__(self, store: Store, wanted: Selection) -> None:
        self._models = None if wanted.models is None else frozenset(wanted.models)
        self._layers = None if wanted.layers is None else frozenset(wanted.layers)
        cypher = (
            "MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit) "
            "RETURN DISTINCT c.id AS circuit, f.model AS model, f.layer AS layer "
            "ORDER BY circuit, model, layer"
        )
        rows = store.read(cypher, timeout=_TIMEOUT, limit=None).rows
        self._circuits = {circuit for circuit, *place in rows if self._is_wanted(*place)}
        if self._layers is None:
            cypher = "MATCH (c:Circuit) RETURN c.id AS circuit, c.model AS model ORDER BY circuit"
            rows = store.read(cypher, timeout=_TIMEOUT, limit=None).rows
            self._circuits |= {circuit for circuit, model in rows if self._is_wanted(model, "")}

    def _is_wanted(self, model: str, layer: str) -> bool:
        if self._models is not None and model not in self._models:
            return False
        return self._layers is None or layer in self._layers or f"{model}/{layer}" in self._layers

    def have(self, record: Record) -> bool:
        """Return whether a record is about any of them."""
        target = record["target"]
        if target["type"] == "circuit" and target["id"] in self._circuits:
            return True
        return any(self._is_wanted(unit["model"], unit["layer"]) for _, unit in units_of(target))
