"""A traced network in steps: where each layer stands, and what later steps read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from circuitkb.loaders.activations.folding import fold
from circuitkb.loaders.activations.reading import allow_any_layout, batched
from circuitkb.loaders.composition.compose import find_sites
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.composition.rules.context import NONLINEARITIES, operation_name
from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.receptive_fields.views import View, sites_in


@dataclass(frozen=True, eq=False)
class Steps:
    """A network in steps, so that it can be left and entered between any two of them.

    Attributes
    ----------
    view
        Where layers are read.
    network
        Folded, for ``batch`` images at once.
    sites
        Where each layer stands, of all views.
    nodes
        What is computed, in order; the input first.
    before, after
        Number of the step of each layer's pre-activation, and of what it puts out.
    chains
        For each layer, the steps from its pre-activation to what it puts out.
    pointwise
        Layers whose nonlinearity takes each place of its map for itself.
    """

    view: View
    network: TracedNetwork
    batch: int
    sites: Mapping[str, Site]
    nodes: tuple[Node, ...]
    before: Mapping[str, int]
    after: Mapping[str, int]
    chains: Mapping[str, frozenset[Node]]
    pointwise: frozenset[str]
    order: Mapping[Node, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", {node: step for step, node in enumerate(self.nodes)})

    @classmethod
    def of(cls, network: Network, view: View) -> Steps:
        """Make a network ready to be edited, for images of a view's size."""
        sites = find_sites(view.network)
        traced, batch = batched(network, view)
        if batch > 1 and not _images_apart(traced, view.network):
            traced, batch = view.network, 1
        sites = sites_in(traced, sites)
        folded = fold(traced)
        network_now = folded.network
        allow_any_layout(network_now)
        by_name = {node.name: node for node in network_now.graph.nodes}
        nodes = (
            network_now.input,
            *(node for node in network_now.operations() if node in network_now.dynamic),
        )
        order = {node: step for step, node in enumerate(nodes)}
        after = {name: by_name[folded.names[site.after.name]] for name, site in sites.items()}
        before = {
            name: after[name] if site.before is None else by_name[folded.names[site.before.name]]
            for name, site in sites.items()
        }
        chains = {name: _chain(before[name], after[name], order) for name in sites}
        return cls(
            view,
            network_now,
            batch,
            sites,
            nodes,
            {name: order[node] for name, node in before.items()},
            {name: order[node] for name, node in after.items()},
            chains,
            frozenset(
                name
                for name, place in view.places.items()
                if place.before in (None, place.index) and _pointwise(network_now, chains[name])
            ),
        )

    def live(self, step: int) -> tuple[Node, ...]:
        """Return the nodes that are computed by the end of a step, and read after it."""
        order = self.order
        return tuple(
            node
            for node in self.nodes[: step + 1]
            if any(order.get(user, -1) > step for user in node.users) or order[node] == step
        )


def _images_apart(traced: TracedNetwork, single: TracedNetwork) -> bool:
    """Whether the first axis of every tensor is that of the images."""
    alone = {node.name: _shapes(node) for node in single.operations() if node in single.dynamic}
    several = {node.name: _shapes(node) for node in traced.operations() if node in traced.dynamic}
    batch = len(traced.example)
    return alone.keys() == several.keys() and all(
        (shape[:1], (batch, *shape[1:])) == ((1,), other)
        for name, shapes in alone.items()
        for shape, other in zip(shapes, several[name], strict=True)
    )


def _shapes(node: Node) -> list[tuple[int, ...]]:
    """Return the shapes of what a node gives, but for what is empty."""
    leaves = tree_leaves(node.meta.get("val"))
    shapes = [tuple(leaf.shape) if isinstance(leaf, Tensor) else () for leaf in leaves]
    return [shape for shape in shapes if 0 not in shape]


def _chain(before: Node, after: Node, order: Mapping[Node, int]) -> frozenset[Node]:
    """Return what is computed on the way from one node to another, that one included."""
    reached = {before}
    for node in list(order)[order[before] + 1 : order[after] + 1]:
        if any(read in reached for read in node.all_input_nodes):
            reached.add(node)
    wanted = {after}
    for node in reversed(list(order)[order[before] : order[after] + 1]):
        if any(user in wanted for user in node.users) and node in reached:
            wanted.add(node)
    return frozenset(wanted - {before})


_POINTWISE = {
    *NONLINEARITIES,
    *(f"{name}_" for name in NONLINEARITIES),
    *("add", "sub", "rsub", "mul", "div", "neg", "pow", "clone", "alias", "detach", "dropout"),
}


def _pointwise(network: TracedNetwork, chain: frozenset[Node]) -> bool:
    """Whether a chain computes value by value, with the same constants at every place."""
    inside = {read for node in chain for read in node.all_input_nodes} - chain
    constants = [network.constants.get(node) for node in inside if node not in network.dynamic]
    return (
        all(operation_name(node) in _POINTWISE for node in chain)
        and len([node for node in inside if node in network.dynamic]) <= 1
        and all(value is not None and value.ndim <= 1 for value in constants)
    )
