"""Layer-to-layer arrays of kernels: the form that loaders make, stores keep, searches read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import SchemaError

ConnectionPath = Literal["direct", "residual", "pooled", "gated"]

Integers = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Connection:
    """All kernels from one layer to another that share a grid, in groups.

    Target unit ``target_units[g, o]`` at position ``p`` gets from source unit
    ``source_units[g, i]`` the value ``sum over k of kernel[g, o, i, k] * x[stride * p + offset +
    k]``, where positions and ``k`` are (row, column) and values outside of the map count as zero.
    A dense convolution is one group; a depthwise one has as many groups as channels with one unit
    on each side; a published list of single kernels has one group for each kernel.

    Attributes
    ----------
    key
        Short name, unique in its model; ``WEIGHT.connection`` in the graph.
    source, target
        Names of the layers.
    path
        ``direct``; ``residual`` (through an addition), ``pooled`` (``x`` is the source after
        pooling, with the source's own channels), ``gated`` (linear only near a reference input).
    target_units, source_units
        int32, axes (group, out) and (group, in).
    kernel
        float32, axes (group, out, in, row, column); positive excites.
    stride, offset
        Steps and origin on the source's map, (rows, columns); None for published kernels.
    origin
        Figure that published kernels were read from.
    pooling
        For ``pooled`` paths, the poolings that the source goes through before the kernel, in
        order: ``max 3x3 stride 2x2 pad 1x1`` or ``mean`` (over the whole map).
    margin
        Rows at the top and bottom, columns at the left and right of the target's map where the
        kernel is not exact, as at the border behind two padded convolutions. The centre (row
        ``height // 2``, column ``width // 2``) never lies in it.
    """

    key: str
    source: str
    target: str
    path: ConnectionPath
    target_units: Integers
    source_units: Integers
    kernel: Floats
    stride: tuple[int, int] | None = None
    offset: tuple[int, int] | None = None
    origin: str | None = None
    pooling: tuple[str, ...] = ()
    margin: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        groups, out, into = self.kernel.shape[:3]
        if (
            self.kernel.ndim != 5
            or self.target_units.shape != (groups, out)
            or self.source_units.shape != (groups, into)
        ):
            raise SchemaError(
                f"Connection {self.key!r}: a kernel of shape {self.kernel.shape} does not fit "
                f"{self.target_units.shape} target and {self.source_units.shape} source units."
            )

    @property
    def spatial(self) -> bool:
        """Whether a kernel covers more than one position."""
        return bool(self.kernel.shape[3] * self.kernel.shape[4] > 1)

    def find(self, source_unit: int, target_unit: int) -> Floats | None:
        """Return the kernel between two units, axes (row, column), or None.

        Examples
        --------
        >>> units = np.array([[0, 1]], np.int32)
        >>> kernel = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1, 1)
        >>> c = Connection("c0", "a", "b", "direct", units, units, kernel)
        >>> c.find(source_unit=0, target_unit=1)
        array([[2.]], dtype=float32)
        """
        group, out = np.nonzero(self.target_units == target_unit)
        for g, o in zip(group.tolist(), out.tolist(), strict=True):
            (into,) = np.nonzero(self.source_units[g] == source_unit)
            if len(into):
                found: Floats = self.kernel[g, o, int(into[0])]
                return found
        return None

    def header(self) -> dict[str, Any]:
        """Return everything but the arrays, as JSON can hold it."""
        header = {
            "key": self.key,
            "source": self.source,
            "target": self.target,
            "path": self.path,
            "stride": self.stride,
            "offset": self.offset,
            "origin": self.origin,
            "pooling": self.pooling,
        }
        # Left out where there is none, so that such kernels have the header they always had.
        return header | ({"margin": self.margin} if any(self.margin) else {})


def by_target(connections: Iterable[Connection]) -> dict[str, list[Connection]]:
    """Return the connections into each layer, in the order in which layers and connections come.

    Examples
    --------
    >>> units = np.zeros((1, 1), np.int32)
    >>> kernel = np.ones((1, 1, 1, 1, 1), np.float32)
    >>> every = [Connection(e, e[0], e[1], "direct", units, units, kernel) for e in ("ac", "bc")]
    >>> {target: [one.source for one in into] for target, into in by_target(every).items()}
    {'c': ['a', 'b']}
    """
    found: dict[str, list[Connection]] = {}
    for one in connections:
        found.setdefault(one.target, []).append(one)
    return found
