"""The whole made-up knowledge base, one network after the other.

Its figures follow a store with EfficientNet-Lite0, 1 and 2: a few units feed many others, a third
of the strongest inputs of a unit skip a layer, one unit in ten is oriented, every unit has
evidence, and relations carry all the properties that a load and a search write. Circuits are
planted, so the answer of the union question is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circuitkb.schema.ids import canonical_json
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

from .circuits import METHOD, Planted, circuit_rows, plant, twin_rows
from .shape import Network, Shape
from .weights import Edges, strongest_edges

ORIENTED = 0.1
ORIENTATIONS = 16
UNITES = "unites mirrored cases"


def synthetic(shape: Shape) -> Iterator[GraphRows]:
    """Give the knowledge base, one network after the other, as a lab would load them.

    No row comes twice, and memory holds one network at a time.

    Raises
    ------
    ValueError
        A unit would need more inputs than the layers before have units.

    Examples
    --------
    >>> small = Shape(features=400, edges=4_000, models=2, layers=4, unions=5)
    >>> [rows.counts()["WEIGHT"] for rows in synthetic(small)]
    [2000, 2000]
    """
    before: tuple[Network, Planted] | None = None
    for place, network in enumerate(shape.models_in_it()):
        rng = np.random.default_rng([shape.seed, place])
        planted = plant(network, shape.unions, rng)
        cases = {union.target: union.cases for union in planted.unions}
        edges = strongest_edges(network, shape.edges_of(place), cases, rng)
        oriented = np.flatnonzero(rng.random(network.units) < ORIENTED)
        orientation = rng.uniform(0, 180, len(oriented))
        parts = [
            _structure(network, edges, oriented, orientation, rng),
            GraphRows(relations=[Relations("WEIGHT", "Feature", "Feature", edges.table(network))]),
            circuit_rows(network, planted, rng),
            _tuning(network, oriented, rng),
            _labels(network, planted, oriented, orientation),
        ]
        if before is None:
            parts.append(_vocabulary())
        else:
            parts.append(twin_rows(before, (network, planted), rng))
        yield _together(parts)
        before = network, planted


def _together(parts: Sequence[GraphRows]) -> GraphRows:
    nodes: dict[str, pa.Table] = {}
    for part in parts:
        for label, table in part.nodes.items():
            nodes[label] = pa.concat_tables([nodes[label], table]) if label in nodes else table
    return GraphRows(nodes=nodes, relations=[item for part in parts for item in part.relations])


def _relation(name: str, ends: tuple[str, str], **columns: Any) -> Relations:
    return Relations(name, *ends, relation_table(name, columns))


def _structure(
    network: Network,
    edges: Edges,
    oriented: NDArray[np.int64],
    orientation: NDArray[np.float64],
    rng: np.random.Generator,
) -> GraphRows:
    """Return the model, its layers, and its features with what flows into them."""
    units = network.units
    kept = np.bincount(edges.target, minlength=units)
    l1 = np.bincount(edges.target, edges.numbers["l1"], units)
    l2_squared = np.bincount(edges.target, edges.numbers["l2"] ** 2, units)
    inputs = kept * rng.integers(20, 40, units)
    preferred, selectivity = np.full((2, units), np.nan)
    preferred[oriented] = orientation
    selectivity[oriented] = rng.uniform(0.3, 0.9, len(oriented))
    model = {
        "id": network.name,
        "fingerprint": network.fingerprint,
        "source": "benchmarks/synthetic",
        "architecture": "synthetic",
        "input_shape": "1x3x224x224",
        "weights": "random",
        "features": units,
        "edges": int(inputs.sum()),
        "edges_kept": len(edges.source),
        "keep": int(kept.max()),
        "license": "CC0-1.0",
    }
    layers = [
        {
            "id": f"{network.name}/{name}",
            "model": network.name,
            "name": name,
            "position": place,
            "kind": "relu",
            "channels": size,
            "height": max(7, 112 >> place // 3),
            "width": max(7, 112 >> place // 3),
        }
        for place, (name, size) in enumerate(zip(network.layers, network.sizes, strict=True))
    ]
    features = {
        "id": network.ids,
        "model": [network.name] * units,
        "layer": network.layer_names,
        "unit": network.unit,
        "bias": rng.normal(0, 0.5, units),
        "inputs": inputs,
        "input_l1": l1 / 0.3,
        "input_l2_squared": l2_squared / 0.5,
        "left_out_l1": l1 / 0.3 - l1,
        "left_out_l2_squared": l2_squared / 0.5 - l2_squared,
        "answers": np.ones(units, bool),
        "spread": rng.lognormal(0, 0.5, units),
        "orientation": preferred,
        "orientation_selectivity": selectivity,
    }
    layer_ids = [layer["id"] for layer in layers]
    lives_in = pa.array(layer_ids).take(pa.array(network.layer))
    models = [network.name] * len(layers)
    return GraphRows(
        nodes={
            "Model": node_table("Model", rows_of([model])),
            "Layer": node_table("Layer", rows_of(layers)),
            "Feature": node_table("Feature", features),
        },
        relations=[
            _relation("IN_MODEL", ("Layer", "Model"), source=layer_ids, target=models),
            _relation("IN_LAYER", ("Feature", "Layer"), source=network.ids, target=lives_in),
        ],
    )


def _tuning(network: Network, oriented: NDArray[np.int64], rng: np.random.Generator) -> GraphRows:
    """Return an Evidence for each unit, as an observation writes it."""
    units = network.units
    stance = np.full(units, "neutral", object)
    stance[oriented] = "supports"
    amplitude = rng.uniform(0, 2, units).round(4).tolist()
    evidence = {
        "id": _tuning_ids(network),
        "kind": ["orientation-tuning"] * units,
        "stance": stance.tolist(),
        "value": rng.uniform(0, 1, units),
        "null_mean": rng.uniform(0, 0.3, units),
        "null_count": np.full(units, 200),
        "null_method": [METHOD] * units,
        "p": rng.uniform(0, 1, units),
        "q": rng.uniform(0, 1, units),
        "tested": np.full(units, units),
        "method": ["orientation-tuning"] * units,
        "version": ["1"] * units,
        "seed": np.zeros(units, np.int64),
        "detail": [canonical_json({"amplitude": value}) for value in amplitude],
    }
    return GraphRows(
        nodes={"Evidence": node_table("Evidence", evidence)},
        relations=[
            _relation(
                "ABOUT",
                ("Evidence", "Feature"),
                source=evidence["id"],
                target=network.ids,
                role=["unit"] * units,
            )
        ],
    )


def _tuning_ids(network: Network) -> pa.Array:
    return pc.binary_join_element_wise("orientation-tuning", network.ids, "-")


def _words() -> list[str]:
    return [f"orientation {place * 180 / ORIENTATIONS:g}°" for place in range(ORIENTATIONS)]


def _vocabulary() -> GraphRows:
    """Return what all networks share: labels, and who gives them."""
    words = [*_words(), UNITES]
    labels = [{"id": f"{METHOD}:{word}", "text": word, "vocabulary": METHOD} for word in words]
    annotator = {"id": METHOD, "type": "tool", "name": "benchmarks/synthetic"}
    return GraphRows(
        nodes={
            "Label": node_table("Label", rows_of(labels)),
            "Annotator": node_table("Annotator", rows_of([annotator])),
        }
    )


def _labels(
    network: Network,
    planted: Planted,
    oriented: NDArray[np.int64],
    orientation: NDArray[np.float64],
) -> GraphRows:
    """Return what is said of oriented units and of those that unite others."""
    words = _words()
    nearest = (np.round(orientation / (180 / ORIENTATIONS)) % ORIENTATIONS).astype(int)
    said = [words[place] for place in nearest] + [UNITES] * len(planted.unions)
    features = network.named([*oriented, *(union.target for union in planted.unions)])
    keys = [
        f"ckb:{METHOD}-{feature}-{text}"
        for feature, text in zip(features.to_pylist(), said, strict=True)
    ]
    count = len(keys)
    annotations = {
        "id": keys,
        "kind": ["label"] * count,
        "text": said,
        "state": ["live"] * count,
        "method": [METHOD] * count,
        "created": ["2026-01-01T00:00:00+00:00"] * count,
        "source": ["benchmarks/synthetic"] * count,
        "license": ["CC0-1.0"] * count,
        "fingerprint": [network.fingerprint] * count,
    }
    tuning = _tuning_ids(network).take(pa.array(oriented))
    uses = [f"{METHOD}:{word}" for word in said]
    return GraphRows(
        nodes={"Annotation": node_table("Annotation", annotations)},
        relations=[
            _relation("ANNOTATES", ("Annotation", "Feature"), source=keys, target=features),
            _relation("BY", ("Annotation", "Annotator"), source=keys, target=[METHOD] * count),
            _relation("USES", ("Annotation", "Label"), source=keys, target=uses),
            _relation(
                "SUPPORTS", ("Evidence", "Annotation"), source=tuning, target=keys[: len(oriented)]
            ),
        ],
    )
