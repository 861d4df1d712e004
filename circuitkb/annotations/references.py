"""What records say of one another: who may supersede or retract what, and no circles.

A record that nobody has seen yet may be named; it is waited for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitkb.schema.records import AWAITED
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    import networkx as nx

Record = Mapping[str, Any]

_PAGE = 5_000

_STORED = """\
UNWIND $ids AS id MATCH (a:Annotation {id: id})
RETURN a.id AS id, a.kind AS kind, a.records AS records,
  COLLECT { MATCH (a)-[:BY]->(who:Annotator) RETURN who.id AS author ORDER BY author } AS authors"""

_JOINED = """\
MATCH (a:Annotation)-[:SUPERSEDES]->(b:Annotation) RETURN a.id AS newer, b.id AS older
UNION
MATCH (a:Annotation)-[:ANNOTATES]->(b:Annotation) RETURN a.id AS newer, b.id AS older
UNION
MATCH (a:Annotation) WHERE a.awaiting IN $awaited
UNWIND a.awaits AS older RETURN a.id AS newer, older"""


@dataclass(frozen=True, slots=True)
class Referring:
    """A record that names others.

    Attributes
    ----------
    key
        What tells it from the other records of an import.
    id, author
        Its own.
    supersedes
        Ids of what it takes the place of.
    target
        Id of the annotation that it speaks of, if it does.
    retracts
        Whether it takes that back.
    """

    key: tuple[int, int]
    id: str
    author: str
    supersedes: tuple[str, ...]
    target: str | None
    retracts: bool

    @classmethod
    def of(cls, key: tuple[int, int], record: Record) -> Referring | None:
        """Return what a record says of others, or None where it names none."""
        supersedes = tuple(record.get("supersedes", ()))
        target = record["target"]
        about = target["id"] if target["type"] == "annotation" else None
        if not supersedes and about is None:
            return None
        retracts = record["kind"] == "retraction"
        return cls(key, record["id"], record["author"]["id"], supersedes, about, retracts)

    @property
    def named(self) -> tuple[str, ...]:
        """Ids of all that it names."""
        return (*self.supersedes, *([self.target] if self.target else ()))


def reference_problems(
    referring: Iterable[Referring], given: Iterable[Record], store: Store
) -> dict[tuple[int, int], str]:
    """Return why records may not name what they name, by their keys.

    Parameters
    ----------
    referring
        What the records of an import say of others.
    given
        All records of the import; read once, and only if any refers to another.
    store
        The knowledge base that they go to.
    """
    several = list(referring)
    if not several:
        return {}
    wanted = {id for one in several for id in one.named}
    authors, kinds = _said(wanted, given, store)
    problems: dict[tuple[int, int], str] = {}
    for one in several:
        problem = next(_rights(one, authors, kinds), None)
        if problem is not None:
            problems[one.key] = problem
    circular = _circular(several, store)
    for one in several:
        if one.id in one.named:
            problems.setdefault(one.key, f"it names itself ({one.id})")
        elif one.id in circular:
            problems.setdefault(
                one.key, f"supersedes: {one.id} comes back to itself along what it names"
            )
    return problems


def _rights(
    one: Referring, authors: Mapping[str, set[str]], kinds: Mapping[str, set[str]]
) -> Iterator[str]:
    for older in one.supersedes:
        if older in authors and one.author not in authors[older]:
            yield (
                f"supersedes: {older} is by {', '.join(sorted(authors[older]))}, and only its "
                "author may supersede it: write a review, or a label of your own"
            )
    if one.retracts and one.target is not None and one.target in authors:
        if one.author not in authors[one.target]:
            yield (
                f"target.id: {one.target} is by {', '.join(sorted(authors[one.target]))}, and "
                "only its author may retract it: write a review with the verdict 'disagree'"
            )
        if "retraction" in kinds[one.target]:
            yield (
                f"target.id: {one.target} is a retraction, which stays: say what it took back "
                "again, under an id of its own"
            )


def _said(
    wanted: set[str], given: Iterable[Record], store: Store
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return authors and kinds of what is named, here or in the store."""
    authors: dict[str, set[str]] = {}
    kinds: dict[str, set[str]] = {}
    for record in given:
        if record["id"] in wanted:
            authors.setdefault(record["id"], set()).add(record["author"]["id"])
            kinds.setdefault(record["id"], set()).add(record["kind"])
    ids = sorted(wanted)
    for start in range(0, len(ids), _PAGE):
        answer = store.read(_STORED, {"ids": ids[start : start + _PAGE]}, limit=None)
        for id, kind, records, by in answer.rows:
            given = [json.loads(text) for text in records or ()]
            kinds.setdefault(id, set()).update({kind, *(each["kind"] for each in given)})
            authors.setdefault(id, set()).update(by)
            authors[id].update(each["author"]["id"] for each in given)
    return authors, kinds


def _circular(several: Iterable[Referring], store: Store) -> set[str]:
    """Return the ids that come back to themselves along what they name."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((one.id, older) for one in several for older in one.named)
    graph.add_edges_from(store.read(_JOINED, {"awaited": AWAITED}, limit=None).rows)
    return {
        id for circle in nx.strongly_connected_components(graph) if len(circle) > 1 for id in circle
    }
