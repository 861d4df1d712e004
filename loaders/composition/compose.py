"""Compose a network: from its traced operations to exact kernels between layers of features.

A feature is what a nonlinearity puts out. Walking once over the operations, every tensor in
between is kept as a :class:`~circuitkb.loaders.composition.linear_form.LinearForm`; where a
nonlinearity reads one, its parts are the kernels of all edges into that layer. The method follows
'Visualizing Weights' (Voss et al., Distill 2021), which expands weights through linear paths.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.fx import Node

from circuitkb.loaders.composition import linear_form
from circuitkb.loaders.composition.backward_pass import TooMuchWorkError, parts_at_centre
from circuitkb.loaders.composition.composed import ComposedLayer, Composition
from circuitkb.loaders.composition.exactness import at_centre
from circuitkb.loaders.composition.kernel_algebra import merge
from circuitkb.loaders.composition.layer_parts import connection, constant_at_centre, layer_margin
from circuitkb.loaders.composition.linear_form import (
    KernelTooLargeError,
    LinearForm,
    SourceLayer,
    features,
)
from circuitkb.loaders.composition.operations import MOVING, apply
from circuitkb.loaders.composition.rules.context import (
    NONLINEARITIES,
    RuleContext,
    argument,
    operation_name,
    shape_of,
    without_edges,
)
from circuitkb.loaders.composition.sites import Site, certain_layout
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from circuitkb.schema.ids import nearest_layer_name
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent

__all__ = ["LINEARISATION", "Composer", "Site", "compose", "find_sites"]

LINEARISATION = (
    "squeeze-excite gates and layer-norm denominators are held at their values, at the centre of "
    "the map, on the reference image (one seeded pink-noise image)"
)

_SOFTMAX = {"softmax": "softmax", "_softmax": "softmax"} | dict.fromkeys(
    ("log_softmax", "_log_softmax"), "log_softmax"
)


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
        Called with how far it is.

    Returns
    -------
    Composition
        For each target unit at the centre of its map, ``bias + sum of kernels * activations``
        equals the pre-activation, for all paths that are not ``gated`` (there: on the reference
        image) and as far as ``not_composed`` does not name a path into its layer. So it does at
        all positions that the layer's ``margin`` leaves.

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
        self._context = context = RuleContext(network)
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
            elif self._is_head(node, values):
                before = node.all_input_nodes[0]
                kind = _SOFTMAX[operation_name(node)]
                values[node] = self._add_layer(node, before, _form(values, before), kind)
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
            "; ".join([LINEARISATION, *sorted(context.also_held)]) if gated else None,
            self._reasons(),
        )

    def _add_input(self) -> LinearForm:
        node = self.network.input
        channels, rows, columns = self.network.example.shape[1:]
        self.sites["input"] = Site("input", node, None, "ncyx", rows, columns)
        self._names["input"] = 1
        self._layers.append(ComposedLayer("input", "input", channels, rows, columns, None))
        return self._features(node, SourceLayer("input", rows, columns), channels, "ncyx")

    def _features(self, node: Node, source: SourceLayer, channels: int, layout: str) -> LinearForm:
        form = features(source, channels, layout, shape_of(node))
        self._context.leaves[node] = replace(form, constant=None)
        return form

    def _is_head(self, node: Node, values: dict[Node, object]) -> bool:
        """Whether it is a softmax over classes that the network ends in."""
        if operation_name(node) not in _SOFTMAX:
            return False
        form = _form(values, node.all_input_nodes[0])
        layout = form.layout or certain_layout(self.network, node)
        axis = argument(node.args, 1)
        if layout is None or layout[axis % len(layout)] != "c":
            return False
        return _leads_to_outputs(self.network, node)

    def _add_layer(
        self, node: Node, before: Node, form: LinearForm, kind: str | None = None
    ) -> LinearForm:
        """Register what a nonlinearity puts out, with all edges into it; return its features."""
        kind = kind or NONLINEARITIES.get(operation_name(node), "max_pool")
        if kind in ("hardtanh", "clamp"):
            kind = _bounded_kind(kind, node)
        shape = shape_of(node)
        form = self._with_layout(before, form)
        layout = form.layout
        if layout is None or "c" not in layout or shape[0] != 1:
            place = self.network.place(node)
            self._context.blocked.add(node)
            reason = f"{place} ({kind} of a tensor whose channel axis is not certain: no features)"
            return replace(without_edges([], ""), missing=form.missing | {reason})
        size = dict(zip(layout, shape, strict=True))
        channels = size["c"]
        rows, columns = size.get("y", size.get("t", 1)), size.get("x", 1)
        if "t" in layout:
            rows, columns = form.rows, form.columns
        name = self._unique(nearest_layer_name(self._layer_name(node, kind)))
        self.sites[name] = Site(name, node, before, layout, rows, columns)
        mapped = "y" in layout or "t" in layout
        self._finish(name, kind, before, form, channels, (rows, columns) if mapped else None)
        return self._features(node, SourceLayer(name, rows, columns), channels, layout)

    def _with_layout(self, node: Node, form: LinearForm) -> LinearForm:
        """Give a tensor whose axes were lost on the way a layout, where it is sure."""
        if form.layout is not None or (form.index is not None and form.index.ndim != 4):
            return form
        layout = certain_layout(self.network, node)
        if layout is None:
            return form
        size = dict(zip(layout, shape_of(node), strict=True))
        rows, columns = size.get("y", size.get("t", 1)), size.get("x", 1)
        return replace(
            form,
            channels=size["c"],
            rows=rows,
            columns=columns,
            layout=layout,
            index=None,
            parts=(),
            untracked=form.sources,
        )

    def _add_output(self, node: Node, form: LinearForm) -> None:
        if any(site.after is node for site in self.sites.values()):
            return
        name = self._unique(nearest_layer_name(self.network.module_path(node) or "output"))
        form = self._with_layout(node, form)
        if form.layout is None:
            reason = f"{name} (its channel axis is not certain: no features)"
            form = replace(without_edges([], ""), missing=form.missing | {reason})
        self.sites[name] = Site(name, node, node, form.layout or "", form.rows, form.columns)
        mapped = form.rows * form.columns > 1
        size = (form.rows, form.columns) if mapped else None
        self._finish(name, "output", node, form, form.channels, size)

    def _finish(
        self,
        name: str,
        kind: str,
        before: Node,
        form: LinearForm,
        channels: int,
        size: tuple[int, int] | None,
    ) -> None:
        rows, columns = size or (None, None)
        if self._edges:
            form = self._exact_at_centre(before, form)
        parts = merge(form.parts) if self._edges else ()
        bias = None if form.missing else constant_at_centre(form)
        self._layers.append(
            ComposedLayer(
                name,
                kind,
                channels,
                rows,
                columns,
                None if bias is None else bias.numpy(),
                layer_margin(form, parts),
            )
        )
        for reason in sorted(form.missing):
            self._missing.setdefault(reason, []).append(name)
        for part in parts:
            self._connections.append(connection(f"c{len(self._connections):04d}", part, name))

    def _exact_at_centre(self, before: Node, form: LinearForm) -> LinearForm:
        """Return a form whose parts are exact at the centre of the map, the rest listed."""
        inexact = [part for part in form.parts if not at_centre(part.exact)]
        layers = form.untracked | {part.source.layer for part in inexact}
        if not layers or form.layout is None:
            return form
        try:
            found = parts_at_centre(self._context, before, form, layers)
        except KernelTooLargeError as error:
            why = (
                "would take too long to find"
                if isinstance(error, TooMuchWorkError)
                else f"have more than {linear_form.LARGEST_COMPOSED:,} values"
            )
            reason = (
                f"{self.network.place(before)} (from some layers: kernels that are exact at the "
                f"centre of its map {why})"
            )
            kept = tuple(part for part in form.parts if at_centre(part.exact))
            return replace(form, parts=kept, missing=form.missing | {reason}, untracked=frozenset())
        kept = tuple(part for part in form.parts if part.source.layer not in layers)
        return replace(form, parts=(*kept, *found), untracked=frozenset())

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
        return f"{name[:120]}_{calls}" if calls else name


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


def _leads_to_outputs(network: TracedNetwork, node: Node) -> bool:
    """Whether a tensor is only moved about on its way to the network's outputs."""
    pending, seen = [node], {node}
    while pending:
        for user in pending.pop().users:
            if user.op == "call_function" and user not in seen:
                if operation_name(user) not in MOVING:
                    return False
                seen.add(user)
                pending.append(user)
    return True


def _bounded_kind(kind: str, node: Node) -> str:
    """Return ``relu`` or ``relu6`` where the bounds are theirs."""
    default = (-1.0, 1.0) if kind == "hardtanh" else (None, None)
    bounds = tuple(argument(node.args, place, default[place - 1]) for place in (1, 2))
    return {(0, 6): "relu6", (0, None): "relu"}.get(bounds, kind)
