"""What was said under one id, or of one thing, and what became of it: oldest first."""

from __future__ import annotations

from typing import Any

from circuitkb.queries.lists.statement import Statement
from circuitkb.results.result import Result
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import IdError, NotFoundError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.records import AWAITED, date_order
from circuitkb.stores.base import Store

ARROW = "->"
"""Stands between the two features of an edge."""

_ABOUT = {
    label: f"MATCH (:{label} {{id: $id}})<-[:ANNOTATES]-(a:Annotation) RETURN DISTINCT a.id AS id"
    for label in ("Feature", "Circuit")
}

_ABOUT_EDGE = """\
MATCH (:Feature {id: $source})<-[of:ANNOTATES]-(a:Annotation)-[to:ANNOTATES]->
  (:Feature {id: $target})
WHERE of.role = 'source' AND to.role = 'target' RETURN DISTINCT a.id AS id"""

_ENDS = """\
UNWIND $ids AS id MATCH (f:Feature {id: id}) RETURN DISTINCT f.id AS id"""

_AWAITING = """\
MATCH (a:Annotation) WHERE a.awaiting IN $awaited AND $id IN a.awaits
RETURN a.id AS id"""

_IS_THERE = "MATCH (n {id: $id}) WHERE n:Feature OR n:Circuit RETURN n.id AS id LIMIT 1"

_JOINED = """\
UNWIND $ids AS id MATCH (a:Annotation {id: id})
RETURN id, COLLECT { MATCH (a)-[:SUPERSEDES|ANNOTATES]-(b:Annotation)
  RETURN DISTINCT b.id AS other ORDER BY other } AS others"""

_SAID = """\
UNWIND $ids AS id MATCH (a:Annotation {id: id})
RETURN a.id AS annotation, a.created AS created, a.kind AS kind,
  CASE WHEN a.verdict IS NULL OR a.verdict = a.text THEN a.text
    ELSE a.verdict + ': ' + a.text END AS said,
  COLLECT { MATCH (a)-[:BY]->(who:Annotator) RETURN who.id AS author ORDER BY author } AS said_by,
  a.state AS state,
  COLLECT { MATCH (a)-[:ANNOTATES]->(x) RETURN x.id AS thing ORDER BY thing } AS about,
  COLLECT { MATCH (a)-[:SUPERSEDES]->(b:Annotation)
    RETURN b.id AS older ORDER BY older } AS supersedes,
  coalesce(a.awaits, []) AS awaits, a.method AS method, a.source AS source,
  a.license AS license, size(coalesce(a.records, [])) AS records"""


def history(store: Store, id: str) -> Result:
    """Return everything that was said under an id, or of a feature or a circuit, oldest first.

    Parameters
    ----------
    store
        The knowledge base.
    id
        Of an annotation, a feature or a circuit; an edge is written ``A -> B``.

    Returns
    -------
    Result
        One row for each annotation, with its state: what it superseded, what superseded it, what
        reviews and retracts it are in it too.

    Raises
    ------
    NotFoundError
        There is no such thing.
    """
    ends = _ends(id)
    if ends is not None:
        found = {row[0] for row in store.read(_ABOUT_EDGE, ends, limit=None).rows}
        there = len(store.read(_ENDS, {"ids": sorted(ends.values())}).rows) == len(ends)
    else:
        found = {row[0] for text in _ABOUT.values() for row in store.read(text, {"id": id}).rows}
        waiting = {"id": id, "awaited": AWAITED}
        found |= {row[0] for row in store.read(_AWAITING, waiting, limit=None).rows}
        there = bool(store.read(_IS_THERE, {"id": id}).rows)
    newest = found or {id}
    while newest:  # along what supersedes, reviews and retracts what
        rows = store.read(_JOINED, {"ids": sorted(newest)}, limit=None).rows
        found |= {row[0] for row in rows}
        newest = {other for _, others in rows for other in others} - found
    said = Statement(_SAID, {"ids": sorted(found)})
    answer = store.read(said.text, said.parameters, limit=None)
    if not answer.rows and not there:
        raise _unknown(store, id)
    order = answer.columns.index("created")
    key = answer.columns.index("annotation")

    def age(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*date_order(row[order] or ""), row[key])

    return Result.of_answer(answer, said, rows=tuple(sorted(answer.rows, key=age)))


def _ends(id: str) -> dict[str, str] | None:
    """Return the features of an edge, or None where the text is no edge."""
    ends = [end.strip() for end in id.split(ARROW)]
    if len(ends) != 2:
        return None
    try:
        return {
            end: str(FeatureId.parse(text))
            for end, text in zip(("source", "target"), ends, strict=True)
        }
    except IdError:
        return None


def _unknown(store: Store, id: str) -> NotFoundError:
    rows = store.read("MATCH (a:Annotation) RETURN a.id AS id", limit=50_000).rows
    near = did_you_mean(id, [row[0] for row in rows]) if rows else ""
    hint = near if near.startswith(" Did") else ""
    return NotFoundError(f"No annotation, feature or circuit {id!r} here.{hint}")
