"""Attribution graphs and their subgraphs, as circuit-tracer and Neuronpedia write them.

A graph is one JSON document ``{metadata, qParams, nodes, links}``
(``circuit_tracer/frontend/graph_models.py`` in github.com/safety-research/circuit-tracer;
``apps/webapp/app/api/graph/graph-schema.json`` in github.com/hijohnnylin/neuronpedia). What
people say of it stands in ``qParams``: ``supernodes``, lists of a name and node ids, and
``clerps``, pairs of a node and its label; and at a node, as its own ``clerp``. A saved subgraph has
the same two lists at its top, beside ``modelId`` and ``slug``, and no nodes.

A node is named in two ways. Its ``node_id`` is LAYER_INDEX_POSITION. The viewers keep the labels of
``clerps`` under its ``feature``, a number that joins layer and index, alone or as
LAYER_FEATURE_POSITION; so ``0_20_3`` is feature 5 of layer 0 there (20 pairs 0 and 5), and
feature 20 as an id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from circuitkb.loaders.annotation_formats.defaults import FileLabels, missing, model_of
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.neuronpedia import SITE, is_whole_graph
from circuitkb.loaders.annotation_formats.strict_json import JsonError, read_document, read_json
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.ids import slugify
from circuitkb.schema.records import Record

FALLBACK_BASIS = "transcoder"
"""Basis of features where a graph does not name the set that they come from."""

_NODE = re.compile(r"(\d{1,9})_(\d{1,18})_(\d{1,9})")
_NO_FEATURES = frozenset({"embedding", "logit", "bias", "unknown"})
_OLD_OFFSET = 10**5  # layer * 10^5 + index was the number of a feature in the first graphs


@dataclass(frozen=True)
class _Graph:
    model: str
    name: str
    units: Mapping[str, Record]
    """Feature of each node that is one, by the node's id."""
    others: frozenset[str]
    """Nodes that are listed and stand for no feature: tokens, errors, outputs.

    A node may be in both: circuit-tracer wrote the error of layer 1 at position 1 as ``0_1_1``.
    """
    aliases: Mapping[str, Record | None]
    """Feature of each other name that labels give to nodes; None where it names several."""
    own: tuple[tuple[Record, str], ...]
    """Features whose nodes carry a label of their own, and that label."""


def read_subgraph(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open a graph or subgraph; ``defaults`` must name the author, whom these files leave out.

    Raises
    ------
    AnnotationFileError
        If it is none, is larger than 64 MiB, or does not name a model.
    """
    document = read_document(path)
    if not isinstance(document, dict):
        raise AnnotationFileError(f"{path} is no graph: it is no JSON object.")
    metadata, state = document.get("metadata", document), document.get("qParams", document)
    if not isinstance(metadata, dict) or not isinstance(state, dict):
        raise AnnotationFileError(f"{path} is no graph: metadata and qParams are JSON objects.")
    supernodes = _lists(path, state, "supernodes")
    clerps = _lists(path, state, "clerps")
    if defaults.author is None:
        missing(path, "who named its nodes", "--author ID")
    graph = _graph(path, defaults, document, metadata, [*supernodes, _pinned(state)])
    labels = FileLabels(path, defaults)
    source = {"uri": defaults.source or _address(metadata)}
    author = {"id": defaults.author, "type": defaults.author_type or "human"}

    def lines() -> Iterator[Line]:
        given: set[str] = set()
        for number, made in enumerate(_said(graph, supernodes, clerps), start=1):
            if isinstance(made, str):
                yield Line(number, None, made)
                continue
            target, text, ext = made
            record = labels.record(target=target, text=text, author=author, method="manual")
            record["source"] = source
            if ext:
                record["ext"] = {"neuronpedia": ext}
            # One feature stands at many positions of a prompt, with one label.
            if (key := json.dumps(record, sort_keys=True)) not in given:
                given.add(key)
                yield Line(number, record)

    return lines()


def _lists(path: Path, state: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list of the state; addresses of pages hold it as JSON in a text."""
    value = state.get(name) or []
    if isinstance(value, str):
        try:
            value = read_json(value)
        except JsonError as error:
            raise AnnotationFileError(f"{path}: {name}: {error}.") from None
    if not isinstance(value, list):
        raise AnnotationFileError(f"{path}: {name} is no list.")
    return value


def _pinned(state: Mapping[str, Any]) -> list[Any]:
    pinned = state.get("pinnedIds")
    return pinned if isinstance(pinned, list) else []


def _graph(
    path: Path,
    defaults: Defaults,
    document: Record,
    metadata: Record,
    mentioned: list[Any],
) -> _Graph:
    scan = metadata.get("scan") or metadata.get("modelId")
    model = model_of(path, defaults, slugify(scan) if isinstance(scan, str) else None)
    basis = _source_set(metadata, "neuronpedia_source_set") or FALLBACK_BASIS
    attention = _source_set(metadata, "neuronpedia_lorsa_source_set") or basis
    units: dict[str, Record] = {}
    others: set[str] = set()
    aliases: dict[str, Record | None] = {}
    older: dict[str, Record | None] = {}
    own: list[tuple[Record, str]] = []
    nodes = document.get("nodes")
    for node in nodes if isinstance(nodes, list) else []:
        if not isinstance(node, dict) or not isinstance(node.get("node_id"), str):
            raise AnnotationFileError(f"{path}: nodes: an entry has no node_id.")
        key, kind = node["node_id"], str(node.get("feature_type"))
        found = _NODE.fullmatch(key)
        if found is None or kind in _NO_FEATURES or "error" in kind:
            others.add(key)
            continue
        units[key] = unit = _unit(model, found, attention if "lorsa" in kind else basis)
        _name_also(aliases, unit, _numbers_at(node))
        # Nobody else's name for it matters: a node's own label is about that node.
        if (text := _name(node.get("clerp"))) and text.strip():
            own.append((unit, text))
    if not isinstance(nodes, list):
        for key in _texts(mentioned):
            if found := _NODE.fullmatch(key):
                units[key] = unit = _unit(model, found, basis)
                cantor, old = _numbers(found)
                _name_also(aliases, unit, [cantor])
                older.setdefault(old, unit)
        aliases = older | aliases
    slug = metadata.get("slug")
    name = f"{model}.{slugify(slug)}" if isinstance(slug, str) and slug else model
    return _Graph(model, name, units, frozenset(others), aliases, tuple(own))


def _name_also(aliases: dict[str, Record | None], unit: Record, names: list[str]) -> None:
    """Note other names of a feature; what names two features names none."""
    for name in names:
        aliases[name] = unit if aliases.get(name, unit) == unit else None


def _numbers_at(node: Record) -> list[str]:
    """Return how a label may name a node by the number that stands at it."""
    feature = node.get("feature")
    if not isinstance(feature, int | str) or isinstance(feature, bool):
        return []
    layer = node.get("layer")
    return [f"{layer}_{feature}_{node.get('ctx_idx')}", f"{layer}_{feature}", str(feature)]


def _source_set(metadata: Record, name: str) -> str | None:
    """Return the set that the features come from; it stands in either of two places."""
    parts = (metadata.get("feature_details"), metadata.get("info"))
    return next(
        (found for part in parts if isinstance(part, dict) and (found := _name(part.get(name)))),
        None,
    )


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _unit(model: str, found: re.Match[str], basis: str) -> Record:
    return {"model": model, "layer": str(int(found[1])), "unit": int(found[2]), "basis": basis}


def _numbers(found: re.Match[str]) -> tuple[str, str]:
    """Return how a label may name a node: by a number that joins layer and index.

    Graphs of the second schema use Cantor's pairing of the two, the first ones a decimal shift.
    """
    layer, index, position = (int(part) for part in found.groups())
    cantor = (layer + index) * (layer + index + 1) // 2 + index
    old = layer * _OLD_OFFSET + index
    return f"{layer}_{cantor}_{position}", f"{layer}_{old}_{position}"


_Said = tuple[Record, str, Record]
"""A target, what is said of it, and what goes beside it."""


def _said(graph: _Graph, supernodes: list[Any], clerps: list[Any]) -> Iterator[_Said | str]:
    """Give every label of a graph, or why there is none."""
    named: dict[str, int] = {}
    for entry in supernodes:
        yield _supernode(graph, entry, named)
    by_id = _are_ids(graph, clerps)
    for entry in clerps:
        yield _clerp(graph, entry, by_id)
    for unit, text in graph.own:
        yield {"type": "feature", **unit}, text, {}


def _supernode(graph: _Graph, entry: object, named: dict[str, int]) -> _Said | str:
    if not isinstance(entry, list) or not entry or not all(isinstance(x, str) for x in entry):
        return "a supernode is a list of texts: its name, and the ids of its nodes"
    text, *nodes = entry
    if not text.strip():
        return "the supernode has no name"
    units: dict[str, Record] = {}
    left_out, unclear = [], []
    for node in nodes:
        if node in graph.units and node in graph.others:
            unclear.append(node)
        elif node in graph.units:
            units[json.dumps(graph.units[node], sort_keys=True)] = graph.units[node]
        elif node in graph.others or not _NODE.fullmatch(node):
            left_out.append(node)
        else:
            return f"the node {node[:60]!r} stands nowhere in the graph"
    base = f"{graph.name}.{slugify(text)}"[:120]
    name, count = base, named.get(base, 1)
    while name in named:
        count += 1
        name = f"{base}-{count}"
    named[base], named[name] = count, 1
    target: Record = {"type": "circuit", "id": name}
    if units:
        target["members"] = [{"unit": unit} for unit in units.values()]
    ext: Record = {"nodes": nodes}
    if left_out:
        ext["no_features"] = left_out
    if unclear:
        ext["feature_or_error"] = unclear
    return target, text, ext


def _clerp(graph: _Graph, entry: object, by_id: bool | None) -> _Said | str:
    if not (isinstance(entry, list) and len(entry) == 2 and all(isinstance(x, str) for x in entry)):
        return "a label of a node is a pair of texts: the node's id, and the label"
    node, text = entry
    shown = repr(node[:60])
    if not text.strip():
        return f"the label of node {shown} is blank"
    number, id = graph.aliases.get(node), graph.units.get(node)
    if node in graph.aliases and number is None:
        return f"the label of node {shown} could be of several features: it names no layer"
    if number is not None and id is not None and number != id and by_id is None:
        return (
            f"the label of node {shown} could be of {_shown(number)}, whose layer and index make "
            f"that number, or of {_shown(id)}, whose id it is; other labels here name both ways"
        )
    if id is not None and (number is None or by_id) and node in graph.others:
        return f"the node {shown} is a feature and no feature in the graph: its id stands twice"
    unit = id if by_id and id is not None else number or id
    if unit is None:
        return f"the node {shown} is no feature that the file names elsewhere"
    return {"type": "feature", **unit}, text, {}


def _are_ids(graph: _Graph, clerps: list[Any]) -> bool | None:
    """Return whether labels name nodes by their ids; None where some do and some do not.

    Both viewers name them by the number that joins layer and index, which holds where no label
    says otherwise: one that has a meaning in one way alone.
    """
    keys = [entry[0] for entry in clerps if isinstance(entry, list) and entry]
    texts = [key for key in keys if isinstance(key, str)]
    ids = any(key in graph.units and key not in graph.aliases for key in texts)
    numbers = any(key in graph.aliases and key not in graph.units for key in texts)
    if ids and numbers:
        return None
    return ids


def _shown(unit: Record) -> str:
    return f"layer {unit['layer']}, feature {unit['unit']}"


def _address(metadata: Record) -> str:
    scan = metadata.get("scan") or metadata.get("modelId") or ""
    slug = metadata.get("slug") or ""
    return f"{SITE}/{quote(str(scan), safe='')}/graph?slug={quote(str(slug), safe='')}"


def _recognise(head: FileHead) -> bool:
    if is_whole_graph(head):
        return True
    explained = head.has("modelId", "description", "index")
    return (head.has("qParams") or head.has("metadata")) and not explained


FORMAT = AnnotationFormat(
    "neuronpedia-subgraph",
    "attribution graphs: supernodes and labels of nodes",
    _recognise,
    read_subgraph,
)
