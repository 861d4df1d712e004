"""What belongs to some models: they, what carries their name, and what speaks of any of it.

The schema's own endpoints say how; no kind is named here.

- A label that names a model (:func:`circuitkb.stores.stored_graph.model_property`) is *owned*: the
  engine picks those of the models.
- A relation that leads from something unowned to something owned, somewhere in the schema, is one
  that *speaks*: ``ABOUT``, ``SUPPORTS``, ``REFUTES``, ``ANNOTATES``. Whatever it leads from belongs
  where what it leads to does.
- An unowned label that never speaks of anything owned itself is *referred to*: an annotator, a
  label, a claim. It belongs where what refers to it does.
- A node whose ``subject`` names a model, or a feature or circuit of it, belongs to that model.
- Any other relation (``SUPERSEDES``) ties both its ends together.
- A relation belongs where both its ends do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.tables import Relations
from circuitkb.stores.stored_graph import model_property

Direction = Literal["to the source", "to the target", "both ways"]
"""Where belonging passes along a relation: to what speaks, to what is referred to, or both."""

Part = tuple[str, pa.Table] | Relations
"""Some nodes of a label, or some relations."""

Ends = tuple[str, str, str]
"""Name of a relation, and the labels of its ends."""


class Tables(Protocol):
    """A graph that gives its rows as Arrow tables; ``models`` as in ``StoredGraph``."""

    def nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        """Give the columns of the nodes of a label."""

    def relations(
        self, ends: Ends, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        """Give ``source``, ``target`` and the columns of the relations between two labels."""


ALL_ENDS: tuple[Ends, ...] = tuple(
    (relation.name, source, target)
    for relation in RELATIONS
    for source, target in relation.endpoints
)

OWNED = frozenset(node.label for node in NODES if model_property(node.label))

_SPEAK = frozenset(
    name for name, source, target in ALL_ENDS if source not in OWNED and target in OWNED
)
_SPEAKERS = frozenset(
    source for _, source, target in ALL_ENDS if source not in OWNED and target in OWNED
)
_WITH_SUBJECT = tuple(
    node.label
    for node in NODES
    if node.label not in OWNED and any(p.name == "subject" for p in node.properties)
)


def direction(ends: Ends) -> Direction:
    """Return where belonging passes along a relation between two unowned labels.

    Examples
    --------
    >>> direction(("ANNOTATES", "Annotation", "Annotation"))
    'to the source'
    >>> direction(("BY", "Annotation", "Annotator"))
    'to the target'
    >>> direction(("SUPERSEDES", "Annotation", "Annotation"))
    'both ways'

    What speaks of a claim belongs to it, and it to what speaks of it:

    >>> direction(("ABOUT", "Trial", "Claim"))
    'both ways'
    """
    name, _, target = ends
    referred = target not in _SPEAKERS
    if name in _SPEAK:
        return "both ways" if referred else "to the source"
    return "to the target" if referred else "both ways"


def belonging(tables: Tables, models: Sequence[str]) -> Iterator[Part]:
    """Give all that belongs to some models, nodes before the relations that join them.

    In memory are the ids of what is unowned and stands in a relation, and of the rest one table
    at a time.
    """
    kept = _unowned(tables, models)
    for node in NODES:
        columns = [p.name for p in node.properties]
        for table in tables.nodes(node.label, columns, models):
            if node.label not in OWNED:
                table = table.filter(pc.is_in(table["id"], kept[node.label]))
            if table.num_rows:
                yield node.label, table
    for relation in RELATIONS:
        columns = [p.name for p in relation.properties]
        for source, target in relation.endpoints:
            for table in tables.relations((relation.name, source, target), columns, models):
                for end, label in (("source", source), ("target", target)):
                    if label not in OWNED:
                        table = table.filter(pc.is_in(table[end], kept[label]))
                if table.num_rows:
                    yield Relations(relation.name, source, target, table)


def _unowned(tables: Tables, models: Sequence[str]) -> Mapping[str, pa.Array]:
    """Return the ids of the unowned nodes that belong to the models, by label."""
    start: dict[str, list[pa.Array]] = _by_subject(tables, models)
    tied: dict[Ends, pa.Table] = {}
    for ends in ALL_ENDS:
        name, source, target = ends
        unowned = [label not in OWNED for label in (source, target)]
        if any(unowned):
            found = list(tables.relations(ends, [], models))
            if all(unowned):
                if found:
                    tied[ends] = pa.concat_tables(found)
            elif name in _SPEAK:  # from an owned trial: it belongs with what it speaks of
                label, end = (source, "source") if unowned[0] else (target, "target")
                start.setdefault(label, []).extend(pc.unique(table[end]) for table in found)
    return _reached(start, tied)


def _by_subject(tables: Tables, models: Sequence[str]) -> dict[str, list[pa.Array]]:
    """Return the ids of the unowned nodes whose subject is of the models, by label."""
    found: dict[str, list[pa.Array]] = {}
    named = {*models}
    circuits: set[str] | None = None
    for label in _WITH_SUBJECT:
        for table in tables.nodes(label, ["id", "subject"], models):
            subjects = table["subject"].to_pylist()
            if circuits is None and any(subjects):
                own = tables.nodes("Circuit", ["id"], models)
                circuits = {id for part in own for id in part["id"].to_pylist()}
            of = [
                subject is not None
                and (subject in named or subject in (circuits or ()) or _model(subject) in named)
                for subject in subjects
            ]
            if any(of):
                found.setdefault(label, []).extend(table["id"].filter(pa.array(of)).chunks)
    return found


def _model(subject: str) -> str | None:
    try:
        return FeatureId.parse(subject).model
    except IdError:
        return None


def _reached(
    start: Mapping[str, Sequence[pa.Array]], tied: Mapping[Ends, pa.Table]
) -> dict[str, pa.Array]:
    """Return what is reached from ``start`` along relations, by label."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    ids: dict[str, pa.Array] = {}
    offsets: dict[str, int] = {}
    count = 1  # 0 is where the search starts
    for label in (node.label for node in NODES if node.label not in OWNED):
        given = [*start.get(label, ())]
        for (_, source, target), table in tied.items():
            given += table["source"].chunks if source == label else []
            given += table["target"].chunks if target == label else []
        ids[label] = pc.unique(pa.chunked_array(given, pa.string()))
        offsets[label] = count
        count += len(ids[label])

    def numbers(label: str, values: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        found = pc.index_in(values, value_set=ids[label])
        return np.asarray(found.to_numpy(zero_copy_only=False), np.int64) + offsets[label]

    begin, end = [], []
    for label, arrays in start.items():
        for array in arrays:
            end.append(numbers(label, array))
            begin.append(np.zeros(len(array), np.int64))
    for ends, table in tied.items():
        _, source, target = ends
        sources, targets = numbers(source, table["source"]), numbers(target, table["target"])
        if direction(ends) != "to the target":
            begin.append(targets)
            end.append(sources)
        if direction(ends) != "to the source":
            begin.append(sources)
            end.append(targets)
    if not begin:
        return ids  # all are empty
    rows, columns = np.concatenate(begin), np.concatenate(end)
    joined = csr_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    seen = np.zeros(count, bool)
    seen[breadth_first_order(joined, 0, return_predecessors=False)] = True
    return {
        label: found.filter(pa.array(seen[offsets[label] : offsets[label] + len(found)]))
        for label, found in ids.items()
    }
