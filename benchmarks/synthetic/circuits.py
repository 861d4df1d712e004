"""Planted circuits of a made-up network: mirrored couples, units that unite them, and twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitkb.schema.ids import canonical_json, circuit_id, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

from .shape import Network

UNRELATED = 0.01
"""Mirrored couples that nothing unites, for each unit of a layer."""

MIRROR = "mirror left-right"
METHOD = "planted"

Row = dict[str, Any]
Couple = tuple[int, int]


@dataclass(frozen=True)
class Union:
    """A unit and the couples of mirrored units, one layer before, that it unites."""

    target: int
    couples: tuple[Couple, ...]

    @property
    def cases(self) -> list[int]:
        """The units of all couples."""
        return [unit for couple in self.couples for unit in couple]


@dataclass(frozen=True)
class Planted:
    """What is known of a network because it was put there."""

    couples: tuple[Couple, ...]
    unions: tuple[Union, ...]


def plant(network: Network, unions: int, rng: np.random.Generator) -> Planted:
    """Choose mirrored couples in each layer, and units that unite one or two of them.

    Unions stand in all layers but the first, taken in turns; no unit is in two couples, and no
    unit unites twice.
    """
    layers = len(network.sizes)
    shuffled = [network.starts[i] + rng.permutation(network.sizes[i]) for i in range(layers)]
    used = [0] * layers
    couples: list[Couple] = []

    def couple(layer: int) -> Couple:
        one, other = sorted(shuffled[layer][used[layer] : used[layer] + 2].tolist())
        used[layer] += 2
        couples.append((one, other))
        return one, other

    targets = [network.starts[i] + rng.permutation(network.sizes[i]) for i in range(layers)]
    found = []
    for number in range(unions):
        layer = 1 + number % (layers - 1)
        target = int(targets[layer][number // (layers - 1)])
        found.append(Union(target, tuple(couple(layer - 1) for _ in range(1 + number % 2))))
    for layer, size in enumerate(network.sizes):
        for _ in range(int(size * UNRELATED)):
            couple(layer)
    return Planted(tuple(couples), tuple(found))


def circuit_rows(network: Network, planted: Planted, rng: np.random.Generator) -> GraphRows:
    """Return couples, circuits, their members and their evidence, as a search writes them."""
    circuits: list[Row] = []
    members: list[Row] = []
    evidence: list[Row] = []
    about: dict[str, list[Row]] = {"Feature": [], "Circuit": []}
    supports: list[Row] = []
    names = network.ids.to_pylist()
    for union in planted.unions:
        target = names[union.target]
        row = _evidence(target, union, rng)
        evidence.append(row)
        about["Feature"].append({"source": row["id"], "target": target, "role": "union"})
        for case in union.cases:
            about["Feature"].append({"source": row["id"], "target": names[case], "role": "case"})
        for circuit in _circuits(network, names, union):
            circuits.append(_circuit(network, circuit, target, rng))
            about["Circuit"].append({"source": row["id"], "target": circuit, "role": "circuit"})
            supports.append({"source": row["id"], "target": circuit})
        for circuit, couple in zip(_circuits(network, names, union), union.couples, strict=True):
            members.append({"source": target, "target": circuit, "role": "union"})
            members += [
                {
                    "source": names[case],
                    "target": circuit,
                    "role": "case",
                    "side": side,
                    "weight": float(rng.uniform(1, 3)),
                }
                for side, case in enumerate(couple, 1)
            ]
    return GraphRows(
        nodes={
            "Circuit": node_table("Circuit", rows_of(circuits)),
            "Evidence": node_table("Evidence", rows_of(evidence)),
        },
        relations=[
            _relations("MEMBER_OF", "Feature", "Circuit", members),
            _relations("ABOUT", "Evidence", "Feature", about["Feature"]),
            _relations("ABOUT", "Evidence", "Circuit", about["Circuit"]),
            _relations("SUPPORTS", "Evidence", "Circuit", supports),
            _relations("TRANSFORMS_TO", "Feature", "Feature", _mirrors(names, planted, rng)),
        ],
    )


def twin_rows(
    before: tuple[Network, Planted], after: tuple[Network, Planted], rng: np.random.Generator
) -> GraphRows:
    """Return what is analogous in two networks: their planted circuits, and one unit in 50."""
    (one, planted_one), (other, planted_other) = before, after
    names, other_names = one.ids.to_pylist(), other.ids.to_pylist()
    circuits = [
        {"source": _circuits(one, names, a)[0], "target": _circuits(other, other_names, b)[0]}
        for a, b in zip(planted_one.unions, planted_other.unions, strict=True)
    ]
    pairs = min(one.units, other.units) // 50
    ends = zip(rng.permutation(one.units), rng.permutation(other.units), strict=False)
    features = [{"source": names[a], "target": other_names[b]} for a, b in list(ends)[:pairs]]
    return GraphRows(
        relations=[
            _relations("ANALOGOUS_TO", label, label, [row | _similar(rng) for row in rows])
            for label, rows in (("Circuit", circuits), ("Feature", features))
        ]
    )


def _relations(name: str, source: str, target: str, rows: Sequence[Row]) -> Relations:
    return Relations(name, source, target, relation_table(name, rows_of(rows)))


def _similar(rng: np.random.Generator) -> Row:
    score, null = rng.uniform(0.8, 1), rng.uniform(0.3, 0.6)
    return {"score": score, "rank": 1, "null_mean": null, "p": 0.02, "q": 0.03, "method": METHOD}


def _circuits(network: Network, names: Sequence[str], union: Union) -> list[str]:
    """Return the ids of the circuits of one unit, one for each couple."""
    return [
        circuit_id(
            "union",
            network.name,
            [
                (names[one], "case", 1),
                (names[other], "case", 2),
                (names[union.target], "union", None),
            ],
        )
        for one, other in union.couples
    ]


def _circuit(network: Network, key: str, target: str, rng: np.random.Generator) -> Row:
    return {
        "id": key,
        "motif": "union",
        "model": network.name,
        "origin": "found",
        "score": float(rng.uniform(0.8, 1)),
        "group": f"union:{target}",
        "method": METHOD,
    }


def _evidence(target: str, union: Union, rng: np.random.Generator) -> Row:
    settings = {"of": MIRROR, "mirrored": 0.8, "same": 0.5}
    return {
        "id": f"mirrored-responses-{content_hash([METHOD, target])}",
        "kind": "mirrored-responses",
        "stance": "supports",
        "value": float(len(union.couples)),
        "null_mean": float(rng.uniform(0, 0.1)),
        "null_count": 200,
        "null_method": METHOD,
        "p": 0.005,
        "q": float(rng.uniform(0.001, 0.05)),
        "tested": 10_000,
        "method": METHOD,
        "version": "1",
        "seed": 0,
        "detail": canonical_json({"settings": settings, "compared": 32}),
    }


def _mirrors(names: Sequence[str], planted: Planted, rng: np.random.Generator) -> list[Row]:
    rows = []
    for one, other in planted.couples:
        score, same = float(rng.uniform(0.8, 1)), float(rng.uniform(-0.5, 0.5))
        row = {
            "group": "mirror",
            "parameter": 90.0,
            "score": score,
            "same": same,
            "null_mean": 0.44,
            "p": 0.01,
            "q": 0.03,
            "method": METHOD,
        }
        rows.append({"source": names[one], "target": names[other], **row})
        rows.append({"source": names[other], "target": names[one], **row})
    return rows
