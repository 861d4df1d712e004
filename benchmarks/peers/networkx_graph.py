"""The knowledge base as networkx graphs: plain Python objects, in memory alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx

from circuitkb.schema.tables import GraphRows, Relations

from .questions import INPUTS, SHARED, TRIANGLES, UNITED, Question, Rows

_ROWS_AT_ONCE = 50_000

Graph = Any
"""networkx.MultiDiGraph, whose type takes parameters only in its stubs."""


class NetworkxGraph:
    """A multigraph for each kind of relation; nodes and edges carry all their properties."""

    def __init__(self) -> None:
        self._graphs: dict[str, Graph] = defaultdict(nx.MultiDiGraph)
        self._nodes: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)

    def load(self, pieces: Iterable[GraphRows]) -> None:
        """Add every row, with those properties that it has."""
        for piece in pieces:
            for label, table in piece.nodes.items():
                for row in table.to_pylist():
                    self._nodes[label][row["id"]] = _given(row)
            for item in piece.relations:
                self._graphs[_kind(item)].add_edges_from(_edges(item))

    def open(self) -> None:
        """Nothing: it holds what this process loaded."""

    def answer(self, question: Question) -> Rows:
        """Return the rows of a question."""
        given = dict(question.parameters)
        if question.name == INPUTS:
            return self._inputs(**given)
        if question.name == UNITED:
            return list(self._united(**given))
        if question.name == SHARED:
            return self._shared(**given)
        if question.name == TRIANGLES:
            return list(self._triangles(**given))
        return self._unions(given["of"])

    def close(self) -> None:
        """Close the graphs."""
        self._graphs.clear()
        self._nodes.clear()

    @property
    def _weights(self) -> Graph:
        return self._graphs["WEIGHT.Feature.Feature"]

    def _inputs(self, unit: str, top: int) -> Rows:
        into = self._weights.in_edges(unit, data=True)
        rows = sorted((w["rank"], source, w["l1"]) for source, _, w in into)
        return [(source, rank, l1) for rank, source, l1 in rows[:top]]

    def _united(self, rank: int, mass: float) -> Iterator[tuple[Any, ...]]:
        weights = self._weights
        mirrors = self._graphs["TRANSFORMS_TO.Feature.Feature"].edges(data=True)
        for one, other, mirror in mirrors:
            if mirror["group"] != "mirror" or one >= other or one not in weights:
                continue
            for _, target, v in weights.out_edges(one, data=True):
                if v["rank"] <= rank and v["positive"] > mass and weights.has_edge(other, target):
                    for w in weights[other][target].values():
                        if w["rank"] <= rank and w["positive"] > mass:
                            yield one, other, target, v["rank"], w["rank"]

    def _shared(self, layer_1: str, layer_2: str, rank: int, least: int) -> Rows:
        weights, features = self._weights, self._nodes["Feature"]
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for one, _ in self._graphs["IN_LAYER.Feature.Layer"].in_edges(layer_1):
            for source, _, v in weights.in_edges(one, data=True):
                if v["rank"] > rank:
                    continue
                for _, other, w in weights.out_edges(source, data=True):
                    if w["rank"] <= rank and features[other]["layer"] == layer_2:
                        counts[one, other] += 1
        return [(*pair, count) for pair, count in counts.items() if count >= least]

    def _triangles(self, model: str, rank: int) -> Iterator[tuple[Any, ...]]:
        weights = self._weights
        for layer, _ in self._graphs["IN_MODEL.Layer.Model"].in_edges(model):
            for third, _ in self._graphs["IN_LAYER.Feature.Layer"].in_edges(layer):
                strong = [
                    (source, w["path"])
                    for source, _, w in weights.in_edges(third, data=True)
                    if w["rank"] <= rank
                ]
                for second in (source for source, path in strong if path == "direct"):
                    for first in (source for source, path in strong if path == "residual"):
                        if weights.has_edge(first, second):
                            for v in weights[first][second].values():
                                if v["rank"] <= rank and v["path"] == "direct":
                                    yield first, second, third

    def _unions(self, of: str) -> Rows:
        found: dict[str, list[str]] = defaultdict(list)
        for key, circuit in self._nodes["Circuit"].items():
            if circuit["motif"] != "union" or circuit["origin"] != "found":
                continue
            supporting = self._graphs["SUPPORTS.Evidence.Circuit"].predecessors(key)
            details = (self._nodes["Evidence"][e]["detail"] for e in supporting)
            if any(f'"of":"{of}"' in detail for detail in details):
                found[self._member(key, "role", "union")].append(key)
        return [
            (
                self._nodes["Circuit"][keys[0]]["model"],
                target,
                list({self._member(key, "side", 1) for key in keys}),
                list({self._member(key, "side", 2) for key in keys}),
                len(keys),
                max(self._nodes["Circuit"][key]["score"] for key in keys),
                list({self._member(c, "role", "union") for key in keys for c in self._twins(key)}),
                list(self._words(target)),
            )
            for target, keys in found.items()
        ]

    def _member(self, circuit: str, name: str, value: str | int) -> str:
        members = self._graphs["MEMBER_OF.Feature.Circuit"].in_edges(circuit, data=True)
        return next(str(feature) for feature, _, role in members if role.get(name) == value)

    def _twins(self, circuit: str) -> Iterator[str]:
        twins = self._graphs["ANALOGOUS_TO.Circuit.Circuit"]
        if circuit in twins:
            for _, other, found in twins.out_edges(circuit, data=True):
                if found["q"] <= 0.05:
                    yield other
            for other, _, found in twins.in_edges(circuit, data=True):
                if found["q"] <= 0.05:
                    yield other

    def _words(self, feature: str) -> set[str]:
        said = self._graphs["ANNOTATES.Annotation.Feature"].predecessors(feature)
        uses = self._graphs["USES.Annotation.Label"]
        return {
            self._nodes["Label"][label]["text"]
            for annotation in said
            if self._nodes["Annotation"][annotation]["kind"] == "label"
            for label in uses.successors(annotation)
        }


def _kind(item: Relations) -> str:
    return f"{item.name}.{item.source_label}.{item.target_label}"


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _edges(item: Relations) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for start in range(0, item.table.num_rows, _ROWS_AT_ONCE):
        for row in item.table.slice(start, _ROWS_AT_ONCE).to_pylist():
            given = _given(row)
            yield given.pop("source"), given.pop("target"), given
