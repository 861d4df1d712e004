"""Compose a network: from its traced operations to exact kernels between layers of features.

A feature is what a nonlinearity puts out. Walking once over the operations, every tensor in
between is kept as a :class:`~circuitkb.loaders.linear_form.LinearForm`; where a nonlinearity
reads one, its parts are the kernels of all edges into that layer. The method follows
'Visualizing Weights' (Voss et al., Distill 2021), which expands weights through linear paths.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Node

from circuitkb.schema.kernels import Connection, Floats, Path
from circuitkb.schema.progress import Progress, silent

from .composed import ComposedLayer, Composition
from .linear_form import LinearForm, Part, Source, features, merge
from .operations import apply
from .rule_context import (
    NONLINEARITIES,
    RuleContext,
    argument,
    operation_name,
    shape_of,
    without_edges,
)
from .tracing import TracedNetwork, trace

LINEARISATION = (
    "squeeze-excite gates and layer-norm denominators are held at their values, at the centre of "
    "the map, on the reference image (one seeded pink-noise image)"
)

SPILL_BYTES = 2**24
"""Kernel arrays of this size and more wait on disk for the store."""

_LAYOUTS = {4: "ncyx", 3: "ntc", 2: "nc"}
"""Layouts of tensors whose way from the last features is not linear, by their number of axes."""


@dataclass(frozen=True)
class Site:
    """Where a layer of features stands in a traced network.

    Attributes
    ----------
    layer
        Name of the layer.
    after
        The node that puts its features out.
    before
        The node of its pre-activation; None for the input. Where a pooling makes the features,
        this is what it pools, on a finer grid; for the output it is the same node.
    layout
        Which axis of ``after`` is what, as in :class:`~circuitkb.loaders.linear_form.LinearForm`:
        ``n`` batch, ``c`` channel, ``y`` row, ``x`` column, ``t`` a list of positions.
    rows, columns
        Size of the map, 1 and 1 where there is none. A list of positions that is no whole map (one
        with a class token) counts as so many rows of one column.
    """

    layer: str
    after: Node
    before: Node | None
    layout: str
    rows: int
    columns: int

    def units(self, value: Tensor, index: Sequence[int]) -> Tensor:
        """Return the features at one position of a node's value, axes (image, unit).

        ``index`` has one number for each axis of positions, as (row, column) of a map.
        """
        if "f" in self.layout and self.rows * self.columns > 1:
            value = value.reshape(len(value), -1, self.rows, self.columns)
            return value[:, :, index[0], index[1]]
        places = iter(index)
        return value[tuple(next(places) if axis in "yxt" else slice(None) for axis in self.layout)]


def find_sites(network: TracedNetwork) -> dict[str, Site]:
    """Find the layers of a traced network, in order of computation, without composing kernels.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    >>> sites = find_sites(trace(network, torch.zeros(1, 3, 8, 8)))
    >>> [(site.layer, site.layout, site.rows, site.columns) for site in sites.values()]
    [('input', 'ncyx', 8, 8), ('1', 'ncyx', 6, 6), ('2', 'ncyx', 6, 6)]
    """
    composer = Composer(network, edges=False)
    composer.compose()
    return composer.sites


@torch.no_grad()
def compose(module: nn.Module, example: Tensor, *, progress: Progress = silent) -> Composition:
    """Compose all linear paths of a network into kernels between its layers of features.

    Parameters
    ----------
    module
        The network in evaluation mode; it takes one image.
    example
        Image of shape (1, channel, row, column): fixes the sizes of all maps, and is the reference
        at which gated paths are made linear.
    progress
        Told how far it is.

    Returns
    -------
    Composition
        For each target unit at the centre of its map, ``bias + sum of kernels * activations``
        equals the pre-activation, for all paths that are not ``gated`` (there: on the reference
        image) and as far as ``not_composed`` does not name a path into its layer.

    Raises
    ------
    TraceError
        If the network cannot be traced.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    >>> found = compose(network, torch.zeros(1, 3, 8, 8))
    >>> [(c.source, c.target, c.kernel.shape) for c in found.connections]
    [('input', '1', (1, 4, 3, 3, 3)), ('1', '2', (1, 2, 4, 1, 1))]
    """
    return Composer(trace(module, example)).compose(progress)


class Composer:
    """One walk over a traced network.

    Parameters
    ----------
    network
        What to walk over.
    edges
        Whether to compose kernels; without them the walk finds the layers only, quickly.

    Attributes
    ----------
    sites
        Where each layer stands, by its name, in order of computation.
    """

    def __init__(self, network: TracedNetwork, *, edges: bool = True) -> None:
        self.network = network
        self.sites: dict[str, Site] = {}
        self._edges = edges
        self._layers: list[ComposedLayer] = []
        self._connections: list[Connection] = []
        self._missing: dict[str, list[str]] = {}
        self._names: dict[str, int] = {}

    @torch.no_grad()
    def compose(self, progress: Progress = silent) -> Composition:
        """Walk over all operations and return what was found."""
        network = self.network
        context = RuleContext(network)
        values: dict[Node, object] = dict(network.constants)
        values[network.input] = self._add_input()
        nodes = list(network.operations())
        for done, node in enumerate(nodes):
            if done % 16 == 0:
                progress("Composing kernels", done / len(nodes))
            if node not in network.dynamic:
                values[node] = network.value_of(node, values.__getitem__)
            elif node in context.self_gates:
                values[node] = None
            elif node in context.self_gated:
                before, kind = context.self_gated[node]
                values[node] = self._add_layer(node, before, _form(values, before), kind)
            elif operation_name(node) in NONLINEARITIES:
                before = node.all_input_nodes[0]
                values[node] = self._add_layer(node, before, _form(values, before))
            else:
                result = apply(context, node, values if self._edges else _lighter(node, values))
                if isinstance(result, Node):
                    # A pooling of something that is no feature yet: its output is one.
                    result = self._add_layer(node, result, _form(values, result))
                values[node] = result if self._edges else _without_kernels(result)
            # What a written-out nonlinearity reads is wanted again where its formula ends.
            if node not in context.self_gates:
                for before in node.all_input_nodes:
                    if network.last_use[before] is node and before not in network.outputs:
                        values.pop(before, None)
        for node in network.outputs:
            self._add_output(node, _form(values, node))
        progress("Composing kernels", 1.0)
        gated = any(connection.path == "gated" for connection in self._connections)
        return Composition(
            tuple(self._layers),
            tuple(self._connections),
            tuple(self._sentences()),
            LINEARISATION if gated else None,
            self._reasons(),
        )

    def _add_input(self) -> LinearForm:
        node = self.network.input
        channels, rows, columns = self.network.example.shape[1:]
        self.sites["input"] = Site("input", node, None, "ncyx", rows, columns)
        self._names["input"] = 1
        self._layers.append(ComposedLayer("input", "input", channels, rows, columns, None))
        source = Source("input", rows, columns)
        return features(source, channels, "ncyx", self.network.example.shape)

    def _add_layer(
        self, node: Node, before: Node, form: LinearForm, kind: str | None = None
    ) -> LinearForm:
        """Register what a nonlinearity puts out, with all edges into it; return its features."""
        kind = kind or NONLINEARITIES.get(operation_name(node), "max_pool")
        if kind in ("hardtanh", "clamp"):
            kind = _bounded_kind(kind, node)
        shape = shape_of(node)
        layout = form.layout or _LAYOUTS.get(len(shape))
        if layout is None or "c" not in layout or form.index is not None or shape[0] != 1:
            place = self.network.place(node)
            return without_edges([form], f"{place} ({kind} of a tensor without a channel axis)")
        size = dict(zip(layout, shape, strict=True))
        channels = size["c"]
        rows, columns = size.get("y", size.get("t", 1)), size.get("x", 1)
        if "t" in layout and form.layout is not None:
            rows, columns = form.rows, form.columns
        name = self._unique(self._layer_name(node, kind))
        self.sites[name] = Site(name, node, before, layout, rows, columns)
        mapped = "y" in layout or "t" in layout
        self._finish(name, kind, form, channels, (rows, columns) if mapped else None)
        return features(Source(name, rows, columns), channels, layout, shape)

    def _add_output(self, node: Node, form: LinearForm) -> None:
        if any(site.after is node for site in self.sites.values()):
            return
        name = self._unique(self.network.module_path(node) or "output")
        layout = form.layout or _LAYOUTS.get(len(shape_of(node)), "")
        self.sites[name] = Site(name, node, node, layout, form.rows, form.columns)
        mapped = form.rows * form.columns > 1
        self._finish(
            name, "output", form, form.channels, (form.rows, form.columns) if mapped else None
        )

    def _finish(
        self,
        name: str,
        kind: str,
        form: LinearForm,
        channels: int,
        size: tuple[int, int] | None,
    ) -> None:
        rows, columns = size or (None, None)
        bias = None if form.missing else _at_centre(form)
        self._layers.append(
            ComposedLayer(
                name, kind, channels, rows, columns, None if bias is None else bias.numpy()
            )
        )
        for reason in sorted(form.missing):
            self._missing.setdefault(reason, []).append(name)
        for part in merge(form.parts) if self._edges else ():
            self._connections.append(_connection(f"c{len(self._connections):04d}", part, name))

    def _reasons(self) -> dict[str, tuple[str, ...]]:
        """Return why paths into each layer are missing, by layer."""
        reasons: dict[str, tuple[str, ...]] = {}
        for reason, layers in self._missing.items():
            for layer in layers:
                reasons[layer] = (*reasons.get(layer, ()), reason)
        return reasons

    def _sentences(self) -> list[str]:
        sentences = []
        for reason, layers in self._missing.items():
            more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
            sentences.append(f"no edges through {reason}, on the way to {layers[0]}{more}")
        return sentences

    def _layer_name(self, node: Node, kind: str) -> str:
        """The path of the activation module, or of the module that called the function, dot kind.

        Names follow torchvision's feature extraction, which users of these networks know.
        """
        path = self.network.module_path(node)
        if path and path in self.network.leaf_modules:
            return path
        return f"{path}.{kind}" if path else kind

    def _unique(self, name: str) -> str:
        calls = self._names.get(name, 0)
        self._names[name] = calls + 1
        return f"{name}_{calls}" if calls else name


def _form(values: dict[Node, object], node: Node) -> LinearForm:
    value = values[node]
    if isinstance(value, LinearForm):
        return value
    return LinearForm(0, 1, 1, None, missing=frozenset({f"{node.name} (several tensors)"}))


def _lighter(node: Node, values: dict[Node, object]) -> dict[Node, object]:
    """Return values without the parts that would copy a whole matrix of weights."""
    if operation_name(node) not in ("linear", "addmm", "mm", "matmul"):
        return values
    forms = {read: value for read in node.all_input_nodes if _has_parts(value := values[read])}
    return values | {read: replace(form, parts=()) for read, form in forms.items()}


def _has_parts(value: object) -> TypeGuard[LinearForm]:
    return isinstance(value, LinearForm) and bool(value.parts)


def _without_kernels(result: object) -> object:
    """Drop the parts of a form, or of several, but for features that it passes on as they are."""
    if isinstance(result, list):
        return [_without_kernels(item) for item in result]
    if isinstance(result, LinearForm) and not result.passes_channels_on:
        return replace(result, parts=())
    return result


def _at_centre(form: LinearForm) -> Tensor | None:
    """Return the constant at the centre of the map, float32 (channels,)."""
    if form.constant is None or form.layout is None or "c" not in form.layout:
        return None
    by_channel = form.constant[0].movedim(form.layout.index("c") - 1, 0)
    flat = by_channel.reshape(form.channels, form.rows, form.columns)
    return flat[:, form.rows // 2, form.columns // 2].float().contiguous()


def _bounded_kind(kind: str, node: Node) -> str:
    """Return ``relu`` or ``relu6`` where the bounds are theirs."""
    default = (-1.0, 1.0) if kind == "hardtanh" else (None, None)
    bounds = tuple(argument(node.args, place, default[place - 1]) for place in (1, 2))
    return {(0, 6): "relu6", (0, None): "relu"}.get(bounds, kind)


def _connection(key: str, part: Part, target: str) -> Connection:
    path: Path = "direct"
    if part.gated:
        path = "gated"
    elif part.source.pooling:
        path = "pooled"
    elif part.residual:
        path = "residual"
    return Connection(
        key=key,
        source=part.source.layer,
        target=target,
        path=path,
        target_units=part.targets.to(torch.int32).numpy(),
        source_units=part.sources.to(torch.int32).numpy(),
        kernel=_at_rest(part.kernel.float().contiguous().numpy()),
        stride=part.stride,
        offset=part.offset,
        pooling=part.source.pooling,
    )


def _at_rest(kernel: Floats) -> Floats:
    """Move a large kernel to an unnamed temporary file, so that memory holds few at a time."""
    if kernel.nbytes < SPILL_BYTES:
        return kernel
    with tempfile.TemporaryFile() as file:
        kernel.tofile(file)
        file.flush()
        mapped: Floats = np.memmap(file, dtype=np.float32, mode="r", shape=kernel.shape)
    return mapped
