"""Nodes, relations and ids of a graph: counted, and compared with what they must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store
from circuitkb.stores.findings import Finding

_PATIENCE = 3600.0
_ROWS = 50_000
_AGAIN = "load and observe its models again into a new path"
_SLUG = "^[a-z0-9][a-z0-9._-]{0,127}$"
_LAYER = r"^[^\s@\x00-\x1f\x7f]{1,128}$"

_IDS = {
    "Model": "MATCH (n:Model) RETURN n.id AS id, n.id AS model",
    "Layer": "MATCH (n:Layer) RETURN n.id AS id, n.model AS model, n.name AS layer",
    "Feature": "MATCH (n:Feature) RETURN n.id AS id, n.model AS model, n.layer AS layer, "
    "n.basis AS basis, n.unit AS unit",
}

_MODELS = """\
MATCH (m:Model) WITH m ORDER BY m.id
OPTIONAL MATCH (f:Feature {model: m.id})
WITH m, count(f) AS features
RETURN m.id AS id, m.features AS recorded, features"""

_KEPT = """\
MATCH (m:Model) WHERE m.edges_kept > 0
MATCH (f:Feature {model: m.id})<-[w:WEIGHT]-(:Feature)
WITH m.id AS id, m.edges_kept AS recorded, count(w) AS weights
RETURN id, recorded, weights ORDER BY id"""


def check_graph(
    store: Store, recorded: Mapping[str, int] | None, progress: Progress = silent
) -> Iterator[Finding]:
    """Count a graph and look at its ends and ids.

    Parameters
    ----------
    store
        Where it is.
    recorded
        Nodes of each label and relations of each name that were written; None if nobody knows.
    """
    yield _nodes(store, recorded, progress)
    yield from _relations(store, recorded, progress)
    progress("ids", 0.8)
    yield _ids(store)
    progress("models", 0.9)
    yield from _models(store)


def _nodes(store: Store, recorded: Mapping[str, int] | None, progress: Progress) -> Finding:
    wrong, total = [], 0
    for done, node in enumerate(NODES):
        progress(f"nodes: {node.label}", 0.2 * done / len(NODES))
        text = f"MATCH (n:`{node.label}`) WHERE n.id IS NOT NULL RETURN count(n)"
        count = _number(store, text)
        total += count
        if recorded is not None and count != recorded.get(node.label, 0):
            wrong.append(f"{count:,} of {recorded.get(node.label, 0):,} {node.label}")
    return _finding("nodes", f"{total:,} nodes", wrong)


def _relations(
    store: Store, recorded: Mapping[str, int] | None, progress: Progress
) -> Iterator[Finding]:
    wrong, open_ends, total = [], [], 0
    for done, relation in enumerate(RELATIONS):
        progress(f"relations: {relation.name}", 0.2 + 0.6 * done / len(RELATIONS))
        count = _number(store, f"MATCH ()-[r:`{relation.name}`]->() RETURN count(r)")
        joined = sum(
            _number(
                store,
                f"MATCH (a:`{source}`)-[r:`{relation.name}`]->(b:`{target}`) "
                "WHERE a.id IS NOT NULL AND b.id IS NOT NULL RETURN count(r)",
            )
            for source, target in (relation.endpoints if count else ())
        )
        total += count
        if joined != count:
            open_ends.append(f"{count - joined:,} of {count:,} {relation.name}")
        if recorded is not None and count != recorded.get(relation.name, 0):
            wrong.append(f"{count:,} of {recorded.get(relation.name, 0):,} {relation.name}")
    yield _finding("relations", f"{total:,} relations", wrong)
    yield _finding("ends of relations", f"{2 * total:,} ends", open_ends, "lack an end")


def _ids(store: Store) -> Finding:
    wrong, total = [], 0
    for label, text in _IDS.items():
        bad = 0
        example = ""
        for piece in store.stream(text, timeout=_PATIENCE, rows=_ROWS):
            rows = piece.to_dicts()
            if not rows:
                continue
            table = pa.table({name: [row[name] for row in rows] for name in piece.columns})
            bad_ids = table["id"].filter(pc.invert(_well_formed(table)))
            bad += len(bad_ids)
            example = example or (str(bad_ids[0].as_py()) if len(bad_ids) else "")
            total += len(rows)
        if bad:
            wrong.append(f"{bad:,} {label}, as {example!r}")
    return _finding("ids", f"{total:,} ids", wrong, "are no ids of what they name")


def _well_formed(table: pa.Table) -> pa.ChunkedArray:
    """Return which rows have the id that their other columns make (:mod:`circuitkb.schema.ids`)."""
    parts = {name: table[name].cast(pa.string()) for name in table.column_names}
    made, good = parts["model"], pc.match_substring_regex(parts["model"], _SLUG)
    if "layer" in parts:
        made = pc.binary_join_element_wise(made, parts["layer"], "/")
        good = pc.and_(good, pc.match_substring_regex(parts["layer"], _LAYER))
    if "unit" in parts:
        based = pc.binary_join_element_wise(made, parts["basis"], "@")
        made = pc.binary_join_element_wise(pc.coalesce(based, made), parts["unit"], ":")
    return pc.fill_null(pc.and_(good, pc.equal(parts["id"], made)), False)


def _models(store: Store) -> Iterator[Finding]:
    features = store.read(_MODELS, timeout=_PATIENCE, limit=None).rows
    kept = store.read(_KEPT, timeout=_PATIENCE, limit=None).rows
    wrong = [
        f"{name} has {found:,} of {recorded:,} {what}"
        for rows, what in ((features, "features"), (kept, "weights"))
        for name, recorded, found in rows
        if recorded is not None and found < recorded
    ]
    yield _finding("models", f"{len(features):,} models", wrong)


def _number(store: Store, text: str) -> int:
    return int(store.read(text, timeout=_PATIENCE, limit=None).rows[0][0])


def _finding(part: str, looked_at: str, wrong: list[str], what: str = "") -> Finding:
    if not wrong:
        return Finding(part, looked_at)
    said = f"{'; '.join(wrong[:5])}{' and more' if len(wrong) > 5 else ''}"
    return Finding(part, looked_at, f"{said} {what}".strip(), _AGAIN, damage=True)
