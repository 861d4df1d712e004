"""Small random graphs in real stores, beside the plain records that they were made from."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

OTHER = '{"settings":{"of":"mirror up-down"}}'
"""Detail of evidence for unions over something else than left and right."""

WORDS = ("Curves", "Dog Heads", "Oriented Dog Heads", "curve-like", "Other Units")


@dataclass
class Graph:
    """Records, as a brute-force check reads them."""

    models: dict[str, str] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    weights: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    circuits: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    analogous: list[dict[str, Any]] = field(default_factory=list)
    alike: list[dict[str, Any]] = field(default_factory=list)
    mirrored: list[dict[str, Any]] = field(default_factory=list)
    imports: list[dict[str, Any]] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)

    def position(self, feature: dict[str, Any]) -> int:
        return next(
            y["position"]
            for y in self.layers
            if (y["model"], y["name"]) == (feature["model"], feature["layer"])
        )

    def place(self, id: str) -> tuple[str, int, int]:
        feature = self.feature(id)
        return feature["model"], self.position(feature), feature["unit"]

    def feature(self, id: str) -> dict[str, Any]:
        return next(f for f in self.features if f["id"] == id)

    def labels_of(self, *ids: str) -> list[str]:
        return sorted({item["text"] for item in self.labels if item["feature"] in ids})

    def ids(self) -> list[str]:
        return [feature["id"] for feature in self.features]

    def members(self, circuit: dict[str, Any]) -> set[str]:
        return {member["feature"] for member in circuit["members"]}


def make(seed: int) -> Graph:
    rng = random.Random(seed)
    graph = Graph(models={"alpha": "trained", "beta": "trained", "gamma": "published"})
    for model, weights in graph.models.items():
        # Positions against the alphabet, so that sorting by name would show.
        for position, name in enumerate(("zeta", "mid.1", "alpha")):
            graph.layers.append({"model": model, "name": name, "position": position})
            for unit in rng.sample(range(12), 4):
                known = weights == "trained" and position > 0
                graph.features.append(
                    {
                        "id": f"{model}/{name}:{unit}",
                        "model": model,
                        "layer": name,
                        "unit": unit,
                        "inputs": rng.randint(1, 9) if position else None,
                        "input_l1": rng.uniform(1, 5) if known else None,
                        "left_out_l1": rng.uniform(0, 1) if known else None,
                        "input_l2_squared": rng.uniform(1, 5) if known else None,
                        "left_out_l2_squared": rng.uniform(0, 1) if known else None,
                    }
                )
    for target in graph.features:
        _weights(graph, target, rng)
    for number, feature in enumerate(graph.features):
        for text in rng.sample(WORDS, rng.choice((0, 1, 1, 2, 3))):
            graph.labels.append(
                {
                    "id": f"label-{number}-{text}",
                    "feature": feature["id"],
                    "text": text,
                    "who": rng.choice(("Ada", "Grace")),
                }
            )
    # The same word said twice of one feature, by different people, is one label.
    again = graph.labels[0]
    graph.labels.append(again | {"id": "label-again", "who": "Edsger"})
    graph.labels.append(again | {"id": "label-once-more", "who": "Edsger"})
    for model in graph.models:
        _circuits(graph, model, rng)
    _disagreements(graph, rng)
    for _ in range(12):
        one, two = rng.sample([c for c in graph.circuits if c["motif"] == "union"], 2)
        if one["model"] != two["model"]:
            graph.analogous.append(
                {"source": one["id"], "target": two["id"], "q": rng.choice((0.01, 0.05, 1.0))}
            )
    other = random.Random(-seed - 1)  # apart, so that nothing else depends on it
    for feature in graph.features:
        feature["orientation"] = other.choice((None, other.uniform(0, 180)))
    _further(graph, other)
    return graph


def _further(graph: Graph, rng: random.Random) -> None:
    """Matches, mirror images, imports and reviews, with some that count no more."""
    pairs = [(f["id"], g["id"]) for f in graph.features for g in graph.features]
    across = [(a, b) for a, b in pairs if a.split("/")[0] < b.split("/")[0]]
    for number, (one, two) in enumerate(rng.sample(across, 60)):
        graph.alike.append(
            {
                "source": one,
                "target": two,
                "method": "m",
                "score": rng.choice((0.8, 0.9)),
                "rank": number,
                "null_mean": 0.1,
                "q": rng.choice((0.01, 0.05, 1.0)),
            }
        )
    inside = [(a, b) for a, b in pairs if a < b and a.split(":")[0] == b.split(":")[0]]
    for one, two in rng.sample(inside, 20):
        graph.mirrored.append(
            {
                "source": one,
                "target": two,
                "group": "mirror",
                "parameter": rng.choice((0.0, 90.0)),
                "score": rng.choice((0.8, 0.9)),
                "same": 0.2,
                "null_mean": 0.3,
                "p": 0.1,
                "q": rng.choice((None, 0.01, 1.0)),
                "method": "m",
            }
        )
    for number, model in enumerate((*graph.models, None)):
        graph.imports.append(
            {
                "id": f"import-{number}",
                "kind": rng.choice(("load", "find")),
                "model": model,
                "source": f"source {number}",
                "created": rng.choice((None, "2026-01-01", "2026-02-02")),
                "by": None,
                "tool": "t",
                "seconds": 1.5,
                "summary": "{}",
            }
        )
    for number, item in enumerate(rng.sample(graph.labels, 8)):
        graph.reviews.append(
            {
                "id": f"review-{number}",
                "of": item["id"],
                "who": rng.choice(("Ada", "Edsger")),
                "verdict": rng.choice(("agree", "disagree")),
                "text": f"because {number}",
                "state": "live" if number % 4 else "retracted",
            }
        )


def _weights(graph: Graph, target: dict[str, Any], rng: random.Random) -> None:
    position = graph.position(target)
    sources = [
        f
        for f in graph.features
        if f["model"] == target["model"] and graph.position(f) == position - 1
    ]
    inputs = []
    for source in sources:
        for connection in rng.sample(("c0", "c1"), rng.choice((0, 1, 1, 2))):
            positive, negative = rng.uniform(0, 2), -rng.uniform(0, 2)
            inputs.append(
                {
                    "source": source["id"],
                    "target": target["id"],
                    "connection": connection,
                    "sum": positive + negative,
                    "positive": positive,
                    "negative": negative,
                    # Quarters, so that equal strengths occur and the order must be settled by name.
                    "l1": round(4 * (positive - negative)) / 4,
                    "path": "direct",
                    "positive_dy": None,
                    "positive_dx": rng.choice((None, rng.uniform(-2, 2))),
                    "origin": None,
                    "flag": "bitmap used twice" if rng.random() < 0.1 else None,
                }
            )
    inputs.sort(key=lambda w: (-w["l1"], w["source"], w["connection"]))
    for rank, weight in enumerate(inputs, 1):
        graph.weights.append(weight | {"rank": rank})


def _circuits(graph: Graph, model: str, rng: random.Random) -> None:
    layers = [
        [f["id"] for f in graph.features if f["model"] == model and graph.position(f) == position]
        for position in range(3)
    ]
    for target in rng.sample(layers[1], 2):
        for _ in range(rng.randint(1, 3)):
            one, two = rng.sample(layers[0], 2)
            _add_circuit(
                graph,
                f"union-{len(graph.circuits)}",
                "union",
                model,
                "found",
                [(one, "case", 1), (two, "case", 2), (target, "union", None)],
                score=rng.choice((0.81, 0.9, 0.99)),
                group=f"union:{target}",
            )
    for motif in ("union-over-cases", "mirror-pathways+union", "parts-assembly"):
        found = [c for c in graph.circuits if c["model"] == model and c["origin"] == "found"]
        chosen = graph.members(rng.choice(found)) if rng.random() < 0.6 else set()
        chosen |= set(rng.sample(layers[0] + layers[1], 2))
        if rng.random() < 0.3:
            chosen |= set(rng.sample(layers[2], 2))
        members = [(id, rng.choice(("head", "invariant head")), None) for id in sorted(chosen)]
        _add_circuit(graph, f"{model}.{motif}", motif, model, "published", members)


def _add_circuit(
    graph: Graph,
    id: str,
    motif: str,
    model: str,
    origin: str,
    members: list[tuple[str, str, int | None]],
    score: float | None = None,
    group: str | None = None,
) -> None:
    graph.circuits.append(
        {
            "id": id,
            "motif": motif,
            "model": model,
            "origin": origin,
            "score": score,
            "group": group,
            "claim": None if origin == "found" else f"claim of {id}",
            "members": [
                {"feature": f, "role": role, "side": side, "weight": 1.5 if side else None}
                for f, role, side in members
            ],
        }
    )
    if origin == "found":
        number = len(graph.evidence)
        graph.evidence.append(
            {
                "id": f"evidence-{number}",
                "kind": ("mirrored-inputs", "mirrored-responses")[number % 2],
                "stance": "supports",
                "value": score,
                "null_mean": number / 100,
                "null_count": 50,
                "p": 0.01,
                "q": (number + 1) / 50,
                "about": [],
                "circuit": id,
                "refutes": None,
                "detail": '{"settings":{"of":"mirror left-right"}}' if number % 5 else OTHER,
            }
        )


def _disagreements(graph: Graph, rng: random.Random) -> None:
    for number in range(3):
        weight = rng.choice(graph.weights)
        graph.evidence.append(
            {
                "id": f"disagreement-{number}",
                "kind": "kernel-agreement",
                "stance": ("refutes", "supports", "refutes")[number],
                "value": number / 10,
                "null_mean": None,
                "null_count": None,
                "p": None,
                "q": None,
                "about": [(weight["source"], "source"), (weight["target"], "target")],
                "circuit": None,
                "refutes": graph.labels[number] if number == 2 else None,
            }
        )
