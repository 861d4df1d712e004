"""The edges that circuits, labels or strength choose, and what chose each unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.subsets.edges import Chosen, Edges
from circuitkb.schema.errors import NotFoundError, TrialError
from circuitkb.stores.base import Store

ALL, HELD = "all", "held"

_CIRCUITS = """\
MATCH (f:Feature {model: $model})-[:MEMBER_OF]->(c:Circuit)
WHERE f.basis IS NULL AND (c.id IN $ids OR $all OR ($held AND c.trial = 'held'))
RETURN c.id AS name, f.layer AS layer, f.unit AS unit ORDER BY name, layer, unit"""

_KNOWN = "MATCH (c:Circuit) WHERE c.id IN $ids RETURN c.id AS id"

_LABELS = """\
MATCH (f:Feature {model: $model})<-[about:ANNOTATES]-(a:Annotation {kind: 'label', state: 'live'})
WHERE about.role IS NULL AND f.basis IS NULL AND ($all OR a.text IN $texts)
RETURN DISTINCT a.text AS name, f.layer AS layer, f.unit AS unit ORDER BY name, layer, unit"""

Units = dict[str, NDArray[np.int64]]
"""Numbers of units, by layer."""


@dataclass(frozen=True)
class Asked:
    """What is taken for explained.

    Attributes
    ----------
    circuits, labels
        Ids of circuits, texts of labels; ``all``, and of circuits ``held``, stand for several.
    edges
        So many strongest inputs of each unit.
    """

    circuits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    edges: int | None = None

    @property
    def default(self) -> bool:
        """Whether nothing was named: then all circuits count."""
        return not self.circuits and not self.labels and self.edges is None


@dataclass(frozen=True, eq=False)
class Explained:
    """What is taken for explained of a model.

    Attributes
    ----------
    words
        What it is.
    circuits
        Units of each circuit.
    labels
        Units of each label.
    strongest
        So many strongest inputs of each unit, if any.
    """

    words: str
    circuits: Mapping[str, Units] = field(default_factory=dict)
    labels: Mapping[str, Units] = field(default_factory=dict)
    strongest: int | None = None

    def edges(self, edges: Edges, counts: Mapping[str, int], ends: Iterable[str]) -> Chosen:
        """Return the edges: between members of one circuit, between labelled units, the strongest.

        Parameters
        ----------
        counts
            Number of units of each layer.
        ends
            Layers that need no label: the input and the output.
        """
        pairs: dict[tuple[str, str], Chosen] = {}
        joined = {(one.source, one.target) for one in edges.connections}
        groups = list(self.circuits.values())
        if self.labels:
            labelled = _together(self.labels.values())
            groups.append(labelled | {name: np.arange(counts[name]) for name in ends})
        for group in groups:
            for source, target in joined & {(a, b) for a in group for b in group}:
                wanted = pairs.setdefault(
                    (source, target), np.zeros((counts[target], counts[source]), np.bool_)
                )
                wanted[np.ix_(group[target], group[source])] = True
        found = edges.between(pairs)
        if self.strongest is not None:
            found |= edges.strongest_inputs(self.strongest)
        return found

    def why(self, source: tuple[str, int], target: tuple[str, int]) -> list[str]:
        """Return which circuits and labels an edge comes from; of a strong edge that it is one."""
        found = [name for name in self._of(source) if name in self._of(target)]
        for unit in (source, target):
            found += [f"label {name!r}" for name in self._labels.get(unit, ())]
        return list(dict.fromkeys(found)) or [f"strongest {self.strongest} inputs"]

    def _of(self, unit: tuple[str, int]) -> list[str]:
        return self._circuits.get(unit, [])

    def __post_init__(self) -> None:
        object.__setattr__(self, "_circuits", _by_unit(self.circuits))
        object.__setattr__(self, "_labels", _by_unit(self.labels))

    _circuits: dict[tuple[str, int], list[str]] = field(init=False, repr=False)
    _labels: dict[tuple[str, int], list[str]] = field(init=False, repr=False)


def explained(store: Store, model: str, asked: Asked) -> Explained:
    """Return what is taken for explained of a model.

    Raises
    ------
    NotFoundError
        A circuit, or a label, is not there.
    TrialError
        A circuit has no two units of the model, or the number of edges is below 1.
    """
    if asked.edges is not None and asked.edges < 1:
        raise TrialError(f"{asked.edges} strongest inputs of each unit: give 1 or more.")
    names = (ALL,) if asked.default else asked.circuits
    ids = [name for name in names if name not in (ALL, HELD)]
    known = {id for (id,) in store.read(_KNOWN, {"ids": ids}, limit=None).rows}
    for id in ids:
        if id not in known:
            raise NotFoundError(f"There is no circuit {id!r} here: circuitkb circuits lists them.")
    circuits = _read(store, _CIRCUITS, model=model, ids=ids, all=ALL in names, held=HELD in names)
    for id in ids:
        if sum(map(len, circuits.get(id, {}).values())) < 2:
            raise TrialError(f"{id} has no two units of {model!r}: it has no edge there.")
    if asked.circuits and not circuits:
        kind = "of which a trial held " if ALL not in names else ""
        raise NotFoundError(f"{model!r} has no circuits {kind}here: circuitkb find looks for some.")
    texts = [text for text in asked.labels if text != ALL]
    labels = (
        _read(store, _LABELS, model=model, texts=texts, all=ALL in asked.labels)
        if asked.labels
        else {}
    )
    for text in texts:
        if text not in labels:
            raise NotFoundError(f"No unit of {model!r} has the label {text!r}.")
    if asked.labels and not labels:
        raise NotFoundError(f"No unit of {model!r} has a label: circuitkb observe gives some.")
    parts = [
        *([f"{len(circuits):,} circuit{'s' * (len(circuits) > 1)}"] if circuits else []),
        *([f"units of {len(labels):,} label{'s' * (len(labels) > 1)}"] if labels else []),
        *([] if asked.edges is None else [f"the {asked.edges} strongest inputs of each unit"]),
    ]
    return Explained(" and ".join(parts) or "nothing", circuits, labels, asked.edges)


def _read(store: Store, cypher: str, **parameters: object) -> dict[str, Units]:
    rows = store.read(cypher, parameters, limit=None).rows
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, layer, unit in rows:
        found[name][layer].append(unit)
    return {
        name: {layer: np.unique(units) for layer, units in own.items()}
        for name, own in found.items()
    }


def _together(groups: Iterable[Units]) -> Units:
    found: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    for group in groups:
        for layer, units in group.items():
            found[layer].append(units)
    return {layer: np.unique(np.concatenate(units)) for layer, units in found.items()}


def _by_unit(groups: Mapping[str, Units]) -> dict[tuple[str, int], list[str]]:
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, units in groups.items():
        for layer, own in units.items():
            for unit in own.tolist():
                found[layer, unit].append(name)
    return dict(found)
