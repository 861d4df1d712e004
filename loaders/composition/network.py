"""A network as rows of the graph."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from torch import Tensor, nn

from circuitkb.loaders.composition.compose import Composer
from circuitkb.loaders.composition.composed import ComposedLayer, Composition
from circuitkb.loaders.composition.missing_inputs import missing_inputs
from circuitkb.loaders.composition.summaries import EdgeSummary, UnitInputs, strongest_inputs
from circuitkb.loaders.composition.tracing import trace
from circuitkb.loaders.sources.pixels import ASSUMED, PixelRange
from circuitkb.loaders.verification.verify import Verified, verify
from circuitkb.schema.errors import SourceError
from circuitkb.schema.ids import LayerId, check_slug
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.provenance import load_provenance, tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

COMPOSING, CHECKING = 0.75, 0.85
"""Shares of the time after which composing and checking are done, for progress."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network with its weights, ready to be composed.

    Attributes
    ----------
    module
        In evaluation mode, float32.
    example
        Reference image, axes (1, channel, row, column): fixes the sizes of all maps, and is where
        gated paths are made linear.
    architecture
        Class or published name of the network.
    weights
        ``trained`` or ``random``.
    suggested_name
        What the model is called in the graph, unless the user says otherwise.
    source
        The SOURCE it was opened from.
    license, attribution
        Of the weights (SPDX expression or NOASSERTION), and whom to name.
    fingerprint
        See :func:`circuitkb.loaders.sources.fingerprint.fingerprint`.
    computation
        What it computes with its tensors: see :mod:`circuitkb.loaders.sources.computation` and
        :mod:`circuitkb.loaders.sources.onnx.computation`; None where nobody asked.
    notes
        What a user is to know of how it was opened, a sentence each.
    pixels
        Values of black and white pixels that the weights were made for.
    """

    module: nn.Module
    example: Tensor
    architecture: str
    weights: Literal["trained", "random"]
    suggested_name: str
    source: str
    license: str
    attribution: str
    fingerprint: str
    pixels: PixelRange = ASSUMED
    computation: str | None = None
    notes: tuple[str, ...] = ()


def network_rows(
    network: Network, *, name: str, keep: int = 64, progress: Progress = silent
) -> GraphRows:
    """Compose a network and return everything that the graph is to hold of it.

    Parameters
    ----------
    network
        As :func:`circuitkb.loaders.sources.opening.open_network` gives it.
    name
        Of the model in the graph.
    keep
        Strongest inputs of each unit that the graph keeps, at least 1; the rest is accounted for
        on the unit, and stands in ``kernels`` like all edges.
    progress
        Called with how far it is.

    Returns
    -------
    GraphRows
        Tables of Model, Layer, Feature, Import, IN_MODEL, IN_LAYER and WEIGHT, and all
        layer-to-layer arrays.

    Raises
    ------
    SourceError
        ``keep`` is below 1, or the network has no features.
    TraceError
        The network cannot be traced.
    IdError
        ``name`` cannot name a model.

    Examples
    --------
    >>> from torch import nn
    >>> from circuitkb.loaders.sources.opening import open_module
    >>> small = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU())
    >>> counts = network_rows(open_module(small, shape=(3, 16, 16)), name="small").counts()
    >>> counts["Layer"], counts["Feature"], counts["WEIGHT"]
    (3, 12, 32)
    """
    check_slug(name)
    check_keep(keep)
    start = time.perf_counter()
    verified = compose_and_verify(network, progress)
    composition = verified.composition
    progress("Summarising edges", CHECKING)
    summary = strongest_inputs(composition.connections, model=name, keep=keep)
    features = _features(composition, summary, name)
    layers = _layers(composition, name)
    missing = missing_inputs(composition, features)
    without = sum(one.units for one in missing)
    rows = GraphRows(
        nodes={
            "Model": _model(
                network, composition, summary, name=name, keep=keep, without_inputs=without
            ),
            "Layer": layers,
            "Feature": features,
            "Import": load_provenance(
                model=name,
                source=network.source,
                fingerprint=network.fingerprint,
                keep=keep,
                started=start,
                counts={
                    "layers": len(composition.layers),
                    "features": sum(layer.channels for layer in composition.layers),
                    "connections": len(composition.connections),
                    "edges": summary.edges,
                    "edges_kept": summary.weights.num_rows,
                    "not_composed": len(composition.not_composed),
                    "missing_inputs": [one.to_record() for one in missing],
                    "check": verified.summary(),
                },
            ),
        },
        relations=[
            Relations("IN_MODEL", "Layer", "Model", _lives_in(layers, "model")),
            Relations("IN_LAYER", "Feature", "Layer", _lives_in(features, "layer")),
            Relations("WEIGHT", "Feature", "Feature", summary.weights),
        ],
        kernels={name: composition.connections},
    )
    progress("Summarising edges", 1.0)
    return rows


def layers_of(network: Network, *, name: str) -> list[dict[str, Any]]:
    """Return a network's layers as records of the graph, without composing kernels.

    Raises
    ------
    TraceError
        The network cannot be traced.
    """
    traced = trace(network.module, network.example)
    found: list[dict[str, Any]] = _layers(Composer(traced, edges=False).compose(), name).to_pylist()
    return found


def compose_and_verify(network: Network, progress: Progress) -> Verified:
    """Compose a network, and compare what was composed with the network itself."""
    traced = trace(network.module, network.example)
    composer = Composer(traced)
    composition = composer.compose(within(progress, 0.0, COMPOSING))
    return verify(
        traced,
        composer.sites,
        composition,
        network.pixels,
        within(progress, COMPOSING, CHECKING),
    )


def check_keep(keep: int) -> None:
    """Raise :class:`SourceError` unless at least one input of each unit is to be kept."""
    if keep < 1:
        raise SourceError(f"keep is {keep}: keep at least 1 input of each unit.")


def _model(
    network: Network,
    composition: Composition,
    summary: EdgeSummary,
    *,
    name: str,
    keep: int,
    without_inputs: int,
) -> pa.Table:
    record = {
        "id": name,
        "fingerprint": network.fingerprint,
        "computation": network.computation,
        "source": network.source,
        "architecture": network.architecture,
        "input_shape": "x".join(map(str, network.example.shape)),
        "weights": network.weights,
        "features": sum(layer.channels for layer in composition.layers),
        "edges": summary.edges,
        "edges_kept": summary.weights.num_rows,
        "keep": keep,
        "without_inputs": without_inputs,
        "not_composed": list(composition.not_composed),
        "linearisation": composition.linearisation,
        "tool": tool(),
        "license": network.license,
        "attribution": network.attribution,
    }
    return node_table("Model", rows_of([record]))


def _layers(composition: Composition, model: str) -> pa.Table:
    return node_table(
        "Layer",
        rows_of(
            [
                {
                    "id": str(LayerId(model, layer.name)),
                    "model": model,
                    "name": layer.name,
                    "position": position,
                    "kind": layer.kind,
                    "channels": layer.channels,
                    "height": layer.height,
                    "width": layer.width,
                }
                for position, layer in enumerate(composition.layers)
            ]
        ),
    )


def _features(composition: Composition, summary: EdgeSummary, model: str) -> pa.Table:
    tables = [
        _layer_features(layer, summary.layers.get(layer.name), model)
        for layer in composition.layers
    ]
    return pa.concat_tables(tables).combine_chunks()


def _layer_features(layer: ComposedLayer, inputs: UnitInputs | None, model: str) -> pa.Table:
    units = pa.array(np.arange(layer.channels))
    prefix = pa.scalar(f"{LayerId(model, layer.name)}:")
    columns: dict[str, Any] = {
        "id": pc.binary_join_element_wise(prefix, units.cast(pa.string()), ""),
        "model": pa.repeat(model, layer.channels),
        "layer": pa.repeat(layer.name, layer.channels),
        "unit": units,
    }
    if layer.bias is not None:
        columns["bias"] = layer.bias
    if inputs is not None:
        for column in _ACCOUNT:
            columns[column] = _spread(getattr(inputs, column), inputs.unit, layer.channels)
    elif layer.kind == "input" or layer.bias is not None:
        # Nothing leads into it; elsewhere what leads into it is not known, which is null.
        columns |= {column: np.zeros(layer.channels) for column in _ACCOUNT}
        columns["inputs"] = np.zeros(layer.channels, np.int64)
    return node_table("Feature", columns)


_ACCOUNT = (
    "inputs",
    "input_l1",
    "input_l2_squared",
    "left_out_l1",
    "left_out_l2_squared",
)


def _spread(values: NDArray[Any], units: NDArray[Any], channels: int) -> NDArray[Any]:
    found = np.zeros(channels, values.dtype)
    found[units] = values
    return found


def _lives_in(table: pa.Table, place: Literal["model", "layer"]) -> pa.Table:
    target = table["model"]
    if place == "layer":
        target = pc.binary_join_element_wise(target, table["layer"], "/")
    relation = "IN_LAYER" if place == "layer" else "IN_MODEL"
    columns = {"source": table["id"].combine_chunks(), "target": target.combine_chunks()}
    return relation_table(relation, columns)
