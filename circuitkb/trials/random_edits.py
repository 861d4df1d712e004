"""Random edits of one kind, seeded: what predictions are calibrated and judged on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

import numpy as np

from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection
from circuitkb.trials.edits import Edit
from circuitkb.trials.single_changes import (
    Ablate,
    Change,
    Flip,
    Mirror,
    Remove,
    Rotate,
    Scale,
    Unit,
)

STRONGEST = 16
"""Inputs of a target, by the l1 of their kernels, among which a source is drawn."""

_EDGES: dict[str, Callable[[Unit, Unit, np.random.Generator], Change]] = {
    "remove": lambda source, target, draw: Remove(source, target),
    "flip": lambda source, target, draw: Flip(source, target),
    "scale": lambda source, target, draw: Scale(source, target, round(draw.uniform(-1, 2), 3)),
    "mirror": lambda source, target, draw: Mirror(source, target, "left-right"),
    "rotate": lambda source, target, draw: Rotate(source, target, 90),
}

KINDS = (*_EDGES, "ablate")


def random_edits(
    connections: Sequence[Connection],
    kind: str,
    count: int,
    *,
    seed: int,
    targets: Collection[str] | None = None,
    fewer: bool = False,
) -> list[Edit]:
    """Draw edits of one kind.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    targets
        Layers that the targets lie in, or the ablated features; all that have kernels if None.
    fewer
        Whether fewer will do, where there are not so many.

    Returns
    -------
    list of Edit
        Of edges: the target is drawn evenly over all units, its source evenly over its
        :data:`STRONGEST` strongest inputs; no edge comes twice. Kernels of one position, which
        no mirror or rotation changes, are left out of those kinds.

    Raises
    ------
    TrialError
        No such kind, or not so many edges.
    """
    if kind not in KINDS:
        raise TrialError(f"{kind!r} is no kind of edit: {', '.join(KINDS)}.")
    into: dict[str, list[Connection]] = defaultdict(list)
    for one in connections:
        if (targets is None or one.target in targets) and (
            kind not in ("mirror", "rotate") or _square(one)
        ):
            into[one.target].append(one)
    draw = np.random.default_rng(seed)
    units = [
        (layer, unit)
        for layer, found in into.items()
        for unit in np.unique(np.concatenate([one.target_units.reshape(-1) for one in found]))
    ]
    edits: dict[Edit, None] = {}
    for _ in range(20 * count):
        if len(edits) == count or not units:
            break
        layer, unit = units[draw.integers(len(units))]
        target = Unit(layer, int(unit))
        if kind == "ablate":
            edits[Edit.of([Ablate(target)])] = None
            continue
        source = _source(into[layer], int(unit), draw)
        if source is not None:
            edits[Edit.of([_EDGES[kind](source, target, draw)])] = None
    if len(edits) < count and not fewer:
        raise TrialError(f"There are no {count} edits of the kind {kind!r} to draw.")
    return list(edits)


def _square(one: Connection) -> bool:
    rows, columns = one.kernel.shape[3:]
    return bool(rows == columns > 1)


def _source(found: Sequence[Connection], unit: int, draw: np.random.Generator) -> Unit | None:
    """Draw one of the strongest inputs of a unit."""
    layers: list[str] = []
    sources: list[np.ndarray] = []
    sizes: list[np.ndarray] = []
    for one in found:
        for group, out in zip(*np.nonzero(one.target_units == unit), strict=True):
            sources.append(one.source_units[group])
            sizes.append(np.abs(one.kernel[group, out]).sum(axis=(1, 2)))
            layers += [one.source] * len(sources[-1])
    if not sources:
        return None
    size, source = np.concatenate(sizes), np.concatenate(sources)
    strongest = np.argsort(-size, kind="stable")[:STRONGEST]
    strongest = strongest[size[strongest] > 0]
    if not len(strongest):
        return None
    chosen = int(strongest[draw.integers(len(strongest))])
    return Unit(layers[chosen], int(source[chosen]))
