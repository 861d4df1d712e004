"""What composing a network gives, before it becomes rows of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from circuitkb.schema.kernels import Connection, Floats


@dataclass(frozen=True, eq=False)
class ComposedLayer:
    """A set of features: what one nonlinearity puts out, the input, or the output.

    ``bias`` is the constant part of each unit's pre-activation, float32 (channels,); None where
    the pre-activation was not composed. ``margin`` counts rows at the top and bottom, columns at
    the left and right of the pre-activation's map where bias and kernels together are not exact.
    """

    name: str
    kind: str
    channels: int
    height: int | None
    width: int | None
    bias: Floats | None
    margin: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Composition:
    """Layers in order of computation, the kernels between them, and what has none.

    ``not_composed`` holds one sentence for each path without a linear edge; ``linearisation``
    says how gated paths were made linear, or is None where there are none; ``missing`` has the
    reasons for each layer that some path into was not composed of.
    """

    layers: tuple[ComposedLayer, ...]
    connections: tuple[Connection, ...]
    not_composed: tuple[str, ...]
    linearisation: str | None
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
