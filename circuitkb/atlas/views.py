"""The features in some rows as a graph or a matrix, and as what the next question is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from circuitkb.atlas.given import ROWS, SECONDS
from circuitkb.atlas.links import is_feature
from circuitkb.atlas.page import Page, Way
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.queries.lists.criteria import labels_of
from circuitkb.results.pictures.circuit_diagram import diagram
from circuitkb.results.pictures.figure import Figure
from circuitkb.results.pictures.kernel_matrix import kernel_matrix
from circuitkb.results.pictures.thumbnails import Thumbnails
from circuitkb.results.result import Result
from circuitkb.schema.errors import QueryError

MOST = 24
"""Features that one picture shows."""

MOST_IDS = 200
"""Features that a link hands to the next question."""

NEXT = """\
MATCH (f:Feature) WHERE f.id IN $ids
RETURN f.id AS feature, f.layer AS layer ORDER BY feature"""

KEPT = (
    "The weights that the graph keeps between the features of these rows, "
    "whether or not the rows name them."
)

_BETWEEN = """\
MATCH (t:Feature) WHERE t.id IN $ids
MATCH (s:Feature)-[w:WEIGHT]->(t) WHERE s.id IN $ids
RETURN s.id AS source, t.id AS target, w.positive AS positive, w.negative AS negative,
  w.connection AS connection
ORDER BY source, target, connection"""

_MEMBERS = f"""\
MATCH (f:Feature) WHERE f.id IN $ids
MATCH (f)-[:IN_LAYER]->(y:Layer)
RETURN f.id AS feature, y.position AS position, {labels_of("f")} AS labels
ORDER BY position, feature"""


def features_in(result: Result) -> list[str]:
    """Return the ids of features in some rows, each once, in order.

    Examples
    --------
    >>> features_in(Result.of_records([{"a": "m/x:1", "n": 2, "more": ["m/x:0", "m/x:1"]}]))
    ['m/x:1', 'm/x:0']
    """
    found: dict[str, None] = {}
    for row in result.rows:
        for value in row:
            for item in value if isinstance(value, list | tuple) else (value,):
                if isinstance(item, str) and is_feature(item):
                    found[item] = None
    return list(found)


def viewed(kb: KnowledgeBase, page: Page, view: str, also: Sequence[str] = ()) -> Page:
    """Return a page of rows with the ways on from its features, and with the picture asked for.

    Parameters
    ----------
    view
        ``graph`` or ``matrix``; empty for the rows alone.
    also
        Features that the rows are about without naming them.

    Raises
    ------
    QueryError
        There is no such view.
    """
    if view and view not in _VIEWS:
        raise QueryError(f"view is {view!r}: it is graph or matrix, or not given.")
    ids = list(dict.fromkeys(id for table in page.tables for id in features_in(table.result)))
    if not ids:
        return page
    figures = (_drawn(kb, [*dict.fromkeys([*also, *ids])], view),) if view else ()
    others = {name: {**page.query, "view": name} for name in _VIEWS if name != view}
    rows = {name: value for name, value in page.query.items() if name != "view"}
    handed = " ".join(ids[:MOST_IDS])
    ways = (
        *([Way("Without the picture", page.address, rows)] if view else []),
        *(Way(f"As a {name}", page.address, query) for name, query in others.items()),
        Way(
            f"Ask about these {len(ids[:MOST_IDS])} features",
            "query",
            {"cypher": NEXT, "ids": handed},
        ),
    )
    return replace(page, figures=(*page.figures, *figures), ways=ways)


def _drawn(kb: KnowledgeBase, ids: Sequence[str], view: str) -> Figure:
    shown = {"ids": list(ids[:MOST])}
    weights = kb.query(_BETWEEN, shown, limit=MOST * ROWS, timeout=SECONDS).to_dicts()
    left_out = f" The first {MOST} of {len(ids)} features." if len(ids) > MOST else ""
    if not weights:
        return Figure("", f"The graph keeps no weight between these features.{left_out}")
    return Figure(_VIEWS[view](kb, shown, weights), f"{KEPT}{left_out}")


def _graph(
    kb: KnowledgeBase, shown: Mapping[str, Any], weights: Sequence[Mapping[str, Any]]
) -> str:
    members = kb.query(_MEMBERS, shown, limit=None, timeout=SECONDS).to_dicts()
    return diagram(members, weights, [*map(Thumbnails(kb.store), weights)])


def _matrix(
    kb: KnowledgeBase, shown: Mapping[str, Any], weights: Sequence[Mapping[str, Any]]
) -> str:
    return kernel_matrix(weights, [*map(Thumbnails(kb.store), weights)])


_VIEWS: Mapping[str, Callable[..., str]] = {"graph": _graph, "matrix": _matrix}
