"""Features, circuits and what joins them as one graph, in files that other programs read.

The whole graph is in memory while it is written: about 1.6 kB for each weight. A whole network is
for Parquet; these formats are for viewers and graph libraries, so a bound on the rank is offered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitkb.schema.progress import Progress
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    import networkx as nx

SEPARATOR = "; "
"""Between the items of a list: neither GraphML nor GEXF has lists."""

_FEATURES = """\
MATCH (f:Feature) WHERE size($models) = 0 OR f.model IN $models
RETURN f.id AS id, 'feature' AS kind, f.model AS model, f.layer AS layer, f.unit AS unit,
  f.orientation AS orientation, f.inputs AS inputs, f.input_l1 AS input_l1,
  f.left_out_l1 AS left_out_l1
ORDER BY id"""

_LABELS = """\
MATCH (l:Label)<-[:USES]-(:Annotation {kind: 'label', state: 'live'})
  -[about:ANNOTATES WHERE about.role IS NULL]->(f:Feature)
WHERE size($models) = 0 OR f.model IN $models
WITH DISTINCT f.id AS id, l.text AS text
RETURN id, text ORDER BY id, text"""

_CIRCUITS = """\
MATCH (c:Circuit) WHERE size($models) = 0 OR c.model IN $models
RETURN c.id AS id, 'circuit' AS kind, c.model AS model, c.motif AS motif, c.origin AS origin,
  c.score AS score, c.claim AS claim
ORDER BY id"""

_WEIGHTS = """\
MATCH (t:Feature)<-[w:WEIGHT]-(s:Feature)
WHERE (size($models) = 0 OR t.model IN $models) AND ($max_rank < 1 OR w.rank <= $max_rank)
RETURN s.id AS source, t.id AS target, 'WEIGHT' AS relation, w.sum AS weight,
  w.positive AS positive, w.negative AS negative, w.l1 AS l1, w.rank AS rank, w.path AS path,
  w.connection AS connection
ORDER BY target, rank, connection, source"""

_MEMBERS = """\
MATCH (c:Circuit)<-[b:MEMBER_OF]-(f:Feature) WHERE size($models) = 0 OR c.model IN $models
RETURN f.id AS source, c.id AS target, 'MEMBER_OF' AS relation, b.role AS role, b.side AS side
ORDER BY target, role, source"""

_JOINED = """\
MATCH (a:{label})-[r:{relation}]->(b:{label})
WHERE r.q <= 0.05 AND (size($models) = 0 OR (a.model IN $models AND b.model IN $models))
RETURN a.id AS source, b.id AS target, '{relation}' AS relation, r.score AS score, r.q AS q
ORDER BY source, target, score"""


def write_graph(
    store: Store,
    models: Sequence[str],
    max_rank: int | None,
    kind: str,
    file: Path,
    progress: Progress,
) -> dict[str, int]:
    """Write the graph of some models, or of all, and return how many of each kind it has.

    Nodes are features (with their live labels as ``labels``) and circuits; edges have a
    ``relation``: ``WEIGHT`` (``weight`` is the net sum, with both masses beside it),
    ``MEMBER_OF``, and those ``ANALOGOUS_TO`` and ``TRANSFORMS_TO`` that beat their null. What
    has no value has no attribute.

    Parameters
    ----------
    models
        Names; none for all.
    max_rank
        Rank up to which weights are written; None for all that the graph keeps.
    kind
        ``graphml``, ``gexf`` or ``json`` (networkx's node-link data).
    """
    import networkx as nx

    graph, counts = _graph(store, models, max_rank, progress)
    progress(f"writing {file.name}", 0.8)
    if kind == "graphml":
        nx.write_graphml(graph, file, named_key_ids=True)
    elif kind == "gexf":
        nx.write_gexf(graph, file)
    else:
        with file.open("w", encoding="utf-8") as out:
            json.dump(nx.node_link_data(graph, edges="edges"), out, ensure_ascii=False)
    return counts


def _graph(
    store: Store, models: Sequence[str], max_rank: int | None, progress: Progress
) -> tuple[nx.MultiDiGraph[Any], dict[str, int]]:
    import networkx as nx

    given: dict[str, Any] = {"models": list(models)}
    graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
    counts: dict[str, int] = {}
    progress("reading features", 0.0)
    labels: dict[str, list[str]] = {}
    for row in _rows(store, _LABELS, given):
        labels.setdefault(row["id"], []).append(row["text"])
    for text, name in ((_FEATURES, "Feature"), (_CIRCUITS, "Circuit")):
        for row in _rows(store, text, given):
            id = row.pop("id")
            if id in labels:
                row["labels"] = SEPARATOR.join(labels[id])
            graph.add_node(id, label=id, **row)
            counts[name] = counts.get(name, 0) + 1
    progress("reading weights", 0.2)
    texts = [_MEMBERS]
    for relation, label in (
        ("ANALOGOUS_TO", "Feature"),
        ("ANALOGOUS_TO", "Circuit"),
        ("TRANSFORMS_TO", "Feature"),
    ):
        texts.append(_JOINED.format(label=label, relation=relation))
    for row in _rows(store, _WEIGHTS, given | {"max_rank": max_rank or 0}):
        _add(graph, row, counts)
    for text in texts:
        for row in _rows(store, text, given):
            _add(graph, row, counts)
    return graph, counts


def _add(graph: nx.MultiDiGraph[Any], row: dict[str, Any], counts: dict[str, int]) -> None:
    source, target = row.pop("source"), row.pop("target")
    if source in graph and target in graph:
        graph.add_edge(source, target, **row)
        counts[row["relation"]] = counts.get(row["relation"], 0) + 1


def _rows(store: Store, text: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    answer = store.read(text, parameters, timeout=3600, limit=None)
    for row in answer.rows:
        yield {
            name: value
            for name, value in zip(answer.columns, row, strict=True)
            if value is not None
        }
