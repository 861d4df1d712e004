"""Whether what a record speaks of can be: units of known layers, edges along the network.

A model or a circuit that the knowledge base does not hold is no mistake: the record waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from circuitkb.loaders.annotation_formats.checking import feature_of, units_of
from circuitkb.schema.definition import did_you_mean
from circuitkb.stores.base import Store

Record = Mapping[str, Any]

_LAYERS = """\
MATCH (y:Layer)
RETURN y.model AS model, y.name AS name, y.position AS position, y.channels AS channels"""

_CIRCUIT = """\
MATCH (c:Circuit {id: $id})
RETURN c.origin AS origin, COLLECT { MATCH (f:Feature)-[:MEMBER_OF]->(c)
  RETURN DISTINCT f.id AS id ORDER BY id } AS members"""

_FEATURE = "MATCH (f:Feature {id: $id}) RETURN f.id AS id"


@dataclass(frozen=True)
class _Layer:
    position: int
    channels: int


class KnownPlaces:
    """The models, layers and circuits of a knowledge base, to check records by."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._layers: dict[str, dict[str, _Layer]] = {}
        for model, name, position, channels in store.read(_LAYERS, limit=None).rows:
            self._layers.setdefault(model, {})[name] = _Layer(position, channels)
        self._circuits: dict[str, tuple[str, frozenset[str]] | None] = {}
        self._directions: dict[str, bool] = {}

    @property
    def models(self) -> Collection[str]:
        """Names of the models."""
        return self._layers.keys()

    def problems(self, record: Record) -> list[str]:
        """Return why a record cannot stand in this knowledge base; nothing if it can.

        Parameters
        ----------
        record
            One that :func:`circuitkb.loaders.annotation_formats.checking.problems_of` finds no
            fault in.
        """
        target = record["target"]
        found = [
            problem
            for place, unit in units_of(target)
            if (problem := self._unit_problem(unit, place)) is not None
        ]
        if not found and target["type"] == "edge":
            found += self._edge_problems(target, "target")
        if not found and target["type"] == "circuit":
            found += self._circuit_problems(target)
        return found

    def _unit_problem(self, unit: Record, place: str) -> str | None:
        layers = self._layers.get(unit["model"])
        if layers is None:
            return None
        layer = layers.get(unit["layer"])
        name = unit["layer"]
        if layer is None:
            near = did_you_mean(name, layers)
            return f"{place}.layer: {unit['model']} has no layer {name!r}.{near}"
        if "basis" in unit:
            id = str(feature_of(unit))
            if id not in self._directions:
                self._directions[id] = bool(self._store.read(_FEATURE, {"id": id}).rows)
            if not self._directions[id]:
                return f"{place}.basis: there is no direction {id} here"
        elif unit["unit"] >= layer.channels:
            return (
                f"{place}.unit: {unit['unit']:g} is out of range: {unit['model']}/{name} has "
                f"{layer.channels} units, from 0"
            )
        return None

    def _edge_problems(self, edge: Record, place: str) -> Iterator[str]:
        source, target = edge["source"], edge["target"]
        layers = self._layers.get(source["model"])
        if layers is None or source["model"] != target["model"]:
            return
        if layers[source["layer"]].position >= layers[target["layer"]].position:
            yield (
                f"{place}: an edge from {source['layer']} to {target['layer']} runs against the "
                f"order of {source['model']}"
            )

    def _circuit_problems(self, target: Record) -> Iterator[str]:
        for index, edge in enumerate(target.get("edges", ())):
            yield from self._edge_problems(edge, f"target.edges[{index}]")
        if "members" not in target:
            return
        models = {member["unit"]["model"] for member in target["members"]}
        if len(models) > 1:
            several = " and ".join(sorted(models))
            yield f"target.members: a circuit is of one model, not of {several}"
            return
        stored = self._circuit(target["id"])
        if stored is None or stored[0] == "annotated":
            return
        members = {str(feature_of(member["unit"])) for member in target["members"]}
        if members != stored[1]:
            yield (
                f"target.id: {target['id']} is a {stored[0]} circuit here, with other members: "
                "give this one a name of its own"
            )

    def _circuit(self, id: str) -> tuple[str, frozenset[str]] | None:
        if id not in self._circuits:
            rows = self._store.read(_CIRCUIT, {"id": id}).rows
            self._circuits[id] = (rows[0][0], frozenset(rows[0][1])) if rows else None
        return self._circuits[id]
