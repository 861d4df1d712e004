"""Records into the graph, so that the order of imports does not matter.

What stands in the graph under an id follows from the *set* of records that ever came under it, and
from which of the things they refer to are there:

- the same record twice is one; of two that differ in their date alone, the earlier date is kept;
- two that differ otherwise are both kept: a conflict, and if they state different things the id is
  contested and counts nowhere;
- a reference to something that is not there is kept, and becomes a relation once it comes.

A set is the same whatever order it was gathered in, and nothing is ever taken back: so an import
needs no deletion, and any two imports commute. The state of an annotation is the highest that
anything gives it: contested, retracted, superseded, live, pending.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from circuitkb.loaders.annotation_formats.rows import (
    Reference,
    RelationRows,
    annotation_properties,
    annotator_properties,
    label_properties,
    member_references,
    references_of,
)
from circuitkb.schema.records import (
    AWAITED,
    STATES,
    Record,
    body_of,
    core_of,
    date_order,
    definition_of,
    together,
)
from circuitkb.schema.tables import GraphRows, node_table, rows_of
from circuitkb.stores.stored_graph import StoredGraph

PENDING, LIVE, SUPERSEDED, RETRACTED, CONTESTED = STATES

ANNOTATED = "annotated"
"""Origin and motif of a circuit that a record tells of."""

_ALONE = ""
"""Stands for what a record says while it is the only one under its id: most stay so."""

_STORED = ("id", "kind", "text", "state", "records")


@dataclass
class AnnotationHistory:
    """Everything that was ever said under one id.

    Attributes
    ----------
    records
        The records by what they say, each with its earliest date; :data:`_ALONE` for the first.
    stored
        The node as it is in the graph; None for a new one.
    state
        The latest state that is known so far, but whether it waits.
    changed
        Whether the graph must be told.
    missing
        Ids of what it refers to and is not there, by kind of what is waited for.
    """

    records: dict[str, Record] = field(default_factory=dict)
    stored: Mapping[str, Any] | None = None
    state: str = LIVE
    changed: bool = False
    missing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> AnnotationHistory:
        """Return what a node of the graph holds."""
        records = together(json.loads(text) for text in stored["records"] or ())
        history = cls(records, stored)
        # Whether it waits is looked up.
        history.state = max(stored["state"], LIVE, key=STATES.index)
        return history

    def add(self, record: Record) -> str:
        """Take a record; return whether it is ``new``, ``known`` or ``conflicting``."""
        if self.stored is not None and not self.stored["records"]:
            return "known"  # what circuitkb measured itself
        if not self.records:
            self.records[_ALONE] = record
            self.changed = True
            return "new"
        if _ALONE in self.records:  # now it has to be told from another one
            self.records = {body_of(alone): alone for alone in self.records.values()}
        body = body_of(record)
        there = self.records.get(body)
        if there is not None:
            if date_order(record["created"]) < date_order(there["created"]):
                self.records[body] = record
                self.changed = True
            return "known"
        first = next(iter(self.records.values()))
        self.records[body] = record
        self.changed = True
        # Those before state one thing, or it is contested already.
        if self.state != CONTESTED and core_of(record) != core_of(first):
            self.reach(CONTESTED)
        return "conflicting"

    def reach(self, state: str) -> None:
        """Take a state, unless a later one is reached."""
        if STATES.index(state) > STATES.index(self.state):
            self.state = state
            self.changed = True

    @property
    def authors(self) -> set[str]:
        """Ids of who says it."""
        return {record["author"]["id"] for record in self.records.values()}


class _Said(NamedTuple):
    """A record, what it speaks of, and the members that it gives a circuit."""

    record: Record
    references: list[Reference]
    members: list[Reference]


@dataclass
class MergeCounts:
    """What became of the records of one piece.

    Attributes
    ----------
    new, known, pending
        Annotations that were not there; records that were; of the new ones those that wait.
    new_ids
        Ids of the new ones.
    conflicts
        Positions, in the piece, of records whose id stands for another one.
    contested_circuits
        Circuits that records define in two ways.
    """

    new: int = 0
    known: int = 0
    pending: int = 0
    new_ids: set[str] = field(default_factory=set)
    conflicts: list[int] = field(default_factory=list)
    contested_circuits: set[str] = field(default_factory=set)


def merge_rows(
    records: Iterable[Record], graph: StoredGraph, awaited: Sequence[str] = AWAITED
) -> tuple[GraphRows, MergeCounts]:
    """Return what some records change in a graph.

    Parameters
    ----------
    records
        As :func:`circuitkb.schema.records.canonical_record` returns them; in any order.
    graph
        The graph as it is.
    awaited
        Kinds of things that may have come besides the records, of :data:`AWAITED`.

    Returns
    -------
    tuple
        Rows to write: empty where the graph holds all of it. And what became of the records.
    """
    return _Merging(graph, awaited).rows(list(records))


class _Merging:
    def __init__(self, graph: StoredGraph, awaited: Sequence[str]) -> None:
        self._graph = graph
        self._awaited = awaited
        self._histories: dict[str, AnnotationHistory] = {}
        self._said: dict[str, list[_Said]] = {}
        self._known: dict[str, set[str]] = {"Feature": set(), "Circuit": set()}
        self._circuits: dict[str, Mapping[str, Any]] = {}
        self._new_circuits: dict[str, dict[str, Any]] = {}
        self._relations = RelationRows()

    def rows(self, records: Sequence[Record]) -> tuple[GraphRows, MergeCounts]:
        counts = MergeCounts()
        self._recall(record["id"] for record in records)
        for position, record in enumerate(records):
            history = self._histories.get(record["id"])
            if history is None:
                history = self._histories[record["id"]] = AnnotationHistory()
            match history.add(record):
                case "new":
                    counts.new += 1
                    counts.new_ids.add(record["id"])
                case "known":
                    counts.known += 1
                case _:
                    counts.conflicts.append(position)
        touched = self._touched()
        self._look_up(touched)
        self._make_circuits(counts)
        for id, history in touched.items():
            self._refer(id, history)
        states = {id: self._state(id, history) for id, history in touched.items()}
        counts.pending = sum(
            history.stored is None and states[id] == PENDING for id, history in touched.items()
        )
        return self._tables(touched, states), counts

    def _recall(self, ids: Iterable[str]) -> None:
        """Read what the graph holds under some ids."""
        wanted = [id for id in dict.fromkeys(ids) if id not in self._histories]
        for row in self._graph.nodes("Annotation", wanted, _STORED):
            self._histories[row["id"]] = AnnotationHistory.of(row)

    def _touched(self) -> dict[str, AnnotationHistory]:
        """Return what changed, and what waited for something and may have it now."""
        touched = {id: history for id, history in self._histories.items() if history.changed}
        for row in self._graph.nodes_with("Annotation", "awaiting", self._awaited, _STORED):
            if row["id"] not in touched:
                history = AnnotationHistory.of(row)
                touched[row["id"]] = self._histories.setdefault(row["id"], history)
        others = [kind for kind in AWAITED if kind not in self._awaited]
        # Of these only what also supersedes a record that came now can have changed.
        waiting = self._graph.nodes_with("Annotation", "awaiting", others, ("id", "awaits"))
        named = [
            row["id"] for row in waiting if not self._histories.keys().isdisjoint(row["awaits"])
        ]
        self._recall(named)
        return touched | {id: self._histories[id] for id in named}

    def _look_up(self, touched: Mapping[str, AnnotationHistory]) -> None:
        """Find which of the things that the touched ones refer to are there."""
        wanted: dict[str, dict[str, None]] = {"Feature": {}, "Circuit": {}, "Annotation": {}}
        for id, history in touched.items():
            self._said[id] = [
                _Said(record, references_of(record), member_references(record))
                for record in history.records.values()
            ]
            for record, references, members in self._said[id]:
                for reference in (*references, *members):
                    wanted[reference.label][reference.id] = None
                for older in record.get("supersedes", ()):
                    wanted["Annotation"][older] = None
        found = self._graph.nodes("Feature", list(wanted["Feature"]), ["id"])
        self._known["Feature"] = {row["id"] for row in found}
        columns = ["id", "origin", "model", "motif", "definitions"]
        circuits = self._graph.nodes("Circuit", list(wanted["Circuit"]), columns)
        self._circuits = {row["id"]: row for row in circuits}
        self._known["Circuit"] = set(self._circuits)
        self._recall(wanted["Annotation"])

    def _make_circuits(self, counts: MergeCounts) -> None:
        """Make the circuits that records define and that neither a search nor an article did."""
        for said in self._said.values():
            for record, _, members in said:
                if not members or any(each.id not in self._known["Feature"] for each in members):
                    continue
                id = record["target"]["id"]
                stored = self._circuits.get(id)
                if stored is not None and stored["origin"] != ANNOTATED:
                    continue
                circuit = self._new_circuits.setdefault(id, _circuit(record, stored))
                definition = definition_of(record["target"])
                circuit["definitions"] = sorted({*circuit["definitions"], definition})
                self._known["Circuit"].add(id)
                for member in members:
                    self._relations.add(
                        "MEMBER_OF",
                        Reference("Feature", member.id),
                        Reference("Circuit", id),
                        member.role,
                    )
        counts.contested_circuits = {
            id for id, circuit in self._new_circuits.items() if len(circuit["definitions"]) > 1
        }

    def _refer(self, id: str, history: AnnotationHistory) -> None:
        """Make the relations of what is there, note what is missing, pass on states."""
        annotation = Reference("Annotation", id)
        for record, references, _ in self._said[id]:
            self._relations.said_by(id, record)
            retracts = record["kind"] == "retraction"
            for reference in references:
                if not self._there(reference) or (
                    retracts and not self._pass_on(RETRACTED, record, reference.id)
                ):
                    history.missing[reference.id] = _kind(reference)
                else:
                    self._relations.add("ANNOTATES", annotation, reference, reference.role)
            for older in record.get("supersedes", ()):
                if older in self._histories and self._pass_on(SUPERSEDED, record, older):
                    self._relations.add("SUPERSEDES", annotation, Reference("Annotation", older))
                else:
                    history.missing.setdefault(older, "annotation")

    def _there(self, reference: Reference) -> bool:
        if reference.label == "Annotation":
            return reference.id in self._histories
        return reference.id in self._known[reference.label]

    def _pass_on(self, state: str, record: Record, to: str) -> bool:
        """Let an author supersede or retract what is the same author's; return whether it is.

        What is another author's is waited for, as if it were not there: it has no effect.
        """
        older = self._histories[to]
        if record["author"]["id"] not in older.authors:
            return False
        older.reach(state)
        return True

    def _state(self, id: str, history: AnnotationHistory) -> str:
        """Return the state of an annotation once all references are looked up."""
        if history.state != LIVE or not history.missing:
            return history.state
        targets = {reference.id for said in self._said[id] for reference in said.references}
        return PENDING if targets & set(history.missing) else LIVE

    def _tables(
        self, touched: Mapping[str, AnnotationHistory], states: Mapping[str, str]
    ) -> GraphRows:
        nodes = []
        for id in sorted(touched):  # in their order engines put them into an index faster
            history = touched[id]
            node = annotation_properties(id, list(history.records.values()))
            node["state"] = states[id]
            if history.missing:
                node["awaits"] = sorted(history.missing)
                node["awaiting"] = min(history.missing.values(), key=AWAITED.index)
            nodes.append(node)
        nodes += [  # those that another one superseded or retracted, and that did not change else
            {name: history.stored[name] for name in ("id", "kind", "text")}
            | {"state": history.state}
            for id, history in self._histories.items()
            if history.changed and id not in touched and history.stored is not None
        ]
        if not nodes:
            return GraphRows()
        records = [record for history in touched.values() for record in history.records.values()]
        tables = {
            "Annotation": node_table("Annotation", rows_of(nodes)),
            "Annotator": node_table("Annotator", rows_of(self._annotators(records))),
            "Label": node_table("Label", rows_of(_labels(records))),
            "Circuit": node_table("Circuit", rows_of(list(self._new_circuits.values()))),
        }
        return GraphRows(
            nodes={label: table for label, table in tables.items() if table.num_rows},
            relations=list(self._relations.tables()),
        )

    def _annotators(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        said: dict[str, dict[Any, Mapping[str, Any]]] = {}
        for record in records:
            author = record["author"]
            said.setdefault(author["id"], {})[tuple(author.items())] = author
        for row in self._graph.nodes("Annotator", list(said), ["id", "type", "name", "orcid"]):
            said[row["id"]][()] = row
        return [annotator_properties(authors.values()) for authors in said.values()]


def _labels(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the nodes of the labels; of one that stands there twice the last one counts."""
    said: dict[tuple[str, str | None], Mapping[str, Any]] = {}
    for record in reversed(records):
        if label := record.get("label"):
            said.setdefault((label["text"], label.get("vocabulary")), label)
    unique: dict[str, dict[str, Any]] = {}
    for properties in map(label_properties, said.values()):
        unique.setdefault(properties["id"], properties)
    return list(unique.values())


def _circuit(record: Record, stored: Mapping[str, Any] | None) -> dict[str, Any]:
    model = record["target"]["members"][0]["unit"]["model"]
    return {
        "id": record["target"]["id"],
        "motif": ANNOTATED,
        "model": model if stored is None else stored["model"],
        "origin": ANNOTATED,
        "definitions": list((stored or {}).get("definitions") or ()),
    }


def _kind(reference: Reference) -> str:
    return "model" if reference.label == "Feature" else reference.label.lower()
