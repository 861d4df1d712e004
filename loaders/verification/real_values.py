"""What a traced network really computes for an image, as units at positions."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.schema.kernels import Floats


class NetworkFailedError(Exception):
    """The network itself cannot run on an image."""


def values_of(network: TracedNetwork, image: Tensor) -> Iterator[tuple[Node, object]]:
    """Yield each node with its value; raise :class:`NetworkFailedError` where the network fails."""
    values: Iterator[tuple[Node, object]] | None = None
    while True:
        try:
            values = network.values(image) if values is None else values
            given = next(values, None)
        except Exception as error:  # What a network does with an image is up to its author.
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise NetworkFailedError(reason) from error
        if given is None:
            return
        yield given


def as_map(value: object, site: Site, channels: int) -> Floats | None:
    """Return a node's value with the axes (unit, row, column); None if it has no such units."""
    if not isinstance(value, Tensor) or value.ndim == 0 or len(value) != 1:
        return None
    layout = site.layout
    if "f" in layout:
        value, layout = value.reshape(1, -1, site.rows, site.columns), "ncyx"
    if len(layout) != value.ndim or "c" not in layout:
        return None
    moved = value[0].movedim(layout.index("c") - 1, 0)
    if "t" in layout:
        if moved.shape[1] != site.rows * site.columns:
            return None
        moved = moved.reshape(len(moved), site.rows, site.columns)
    elif moved.ndim == 1:
        moved = moved[:, None, None]
    if moved.ndim != 3 or len(moved) != channels:
        return None
    found: Floats = moved.float().numpy()
    return found


def first_line(error: Exception) -> str:
    """Return what an error says, in one line of at most 160 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
