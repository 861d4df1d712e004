"""Which chosen edges lie on a path from the input to the output."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.subsets.edges import Chosen, Edges

Units = dict[str, NDArray[np.bool_]]


def joined(
    edges: Edges,
    chosen: Chosen,
    layers: Mapping[str, int],
    *,
    known: Collection[str],
    output: str | None,
) -> tuple[Chosen, Units]:
    """Return the chosen edges that carry something, and the units that do.

    A unit that no chosen edge reaches from the input gives its mean, so an edge from it gives
    nothing; and what leads nowhere need not be computed.

    Parameters
    ----------
    layers
        Number of units of each layer, in order of computation.
    known
        Layers whose units are reached whatever is chosen, as those of the input are.
    output
        Where paths must lead; anywhere if None.

    Examples
    --------
    >>> from circuitkb.schema.kernels import Connection
    >>> units, kernel = np.array([[0, 1]], np.int32), np.ones((1, 2, 2, 1, 1), np.float32)
    >>> like = units, units, kernel
    >>> into, out = (Connection(k, a, b, "direct", *like) for k, a, b in ("0ab", "1bc"))
    >>> edges = Edges([into, out])
    >>> chosen = np.array([1, 0, 0, 0, 1, 1, 0, 0], bool)  # a0-b0, b0-c0, b1-c0
    >>> found, live = joined(edges, chosen, {"a": 2, "b": 2, "c": 2}, known={"a"}, output="c")
    >>> found.tolist(), live["b"].tolist()
    ([True, False, False, False, True, False, False, False], [True, False])
    """
    found = chosen.copy()
    reached = {name: np.full(count, name in known) for name, count in layers.items()}
    order = {name: number for number, name in enumerate(layers)}
    forth = sorted(
        range(len(edges.connections)), key=lambda place: order[edges.connections[place].target]
    )
    for place in forth:
        one = edges.connections[place]
        own = found[edges.of(place)].reshape(one.kernel.shape[:3])
        own &= reached[one.source][one.source_units][:, None, :]
        np.logical_or.at(reached[one.target], one.target_units, own.any(axis=2))
    if output is None:
        return found, reached
    wanted = {name: np.full(count, name == output) for name, count in layers.items()}
    for place in reversed(forth):
        one = edges.connections[place]
        own = found[edges.of(place)].reshape(one.kernel.shape[:3])
        own &= wanted[one.target][one.target_units][:, :, None]
        np.logical_or.at(wanted[one.source], one.source_units, own.any(axis=1))
    return found, {name: reached[name] & wanted[name] for name in layers}
