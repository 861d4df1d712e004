"""Random edits of one kind, seeded: what predictions are calibrated and judged on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.trials.edits import Edit
from circuitkb.trials.single_changes import (
    Ablate,
    Change,
    Flip,
    Mirror,
    Put,
    Remove,
    Rotate,
    Scale,
    Swap,
    Unit,
)

STRONGEST = 16
"""Inputs of a target, by the l1 of their kernels, among which a source is drawn."""


class _Input(NamedTuple):
    """An input of a unit, and the kernel that another unit has there."""

    unit: Unit
    other: Floats


_EDGES: dict[str, Callable[[_Input, Unit, np.random.Generator], Change]] = {
    "remove": lambda one, target, draw: Remove(one.unit, target),
    "flip": lambda one, target, draw: Flip(one.unit, target),
    "scale": lambda one, target, draw: Scale(one.unit, target, round(draw.uniform(-1, 2), 3)),
    "mirror": lambda one, target, draw: Mirror(one.unit, target, "left-right"),
    "rotate": lambda one, target, draw: Rotate(one.unit, target, 90),
    "set": lambda one, target, draw: Put(one.unit, target, tuple(map(tuple, one.other.tolist()))),
}

KINDS = (*_EDGES, "swap", "ablate")

JOINED = "+"
"""Joins the kinds of changes of one target that are made together, as in ``remove+scale``."""


def kind_of(edit: Edit) -> tuple[str, bool]:
    """Return the kind of random edits that an edit is like, and whether it really is like them.

    Changes of edges into several targets, and ablations together with something else, are like none
    that are drawn: single ones stand for them.

    Examples
    --------
    >>> kind_of(Edit.parse("remove a:0; remove a:1", "b:0")), kind_of(Edit.parse("ablate b:0"))
    (('remove+remove', True), ('ablate', True))
    >>> kind_of(Edit.parse("remove a:0 into b:1; remove a:0 into b:2"))
    ('remove', False)
    """
    verbs = sorted(one.verb for one in edit.changes)
    several = len({target for _, target in edit.edges}) > 1 or len(edit.edges) > STRONGEST // 2
    if several or (edit.ablated and len(verbs) > 1):
        return (verbs[0] if len(set(verbs)) == 1 else "scale"), False
    return JOINED.join(verbs), True


def random_edits(
    connections: Sequence[Connection],
    kind: str,
    count: int,
    *,
    seed: int | Sequence[int],
    targets: Collection[str] | None = None,
    fewer: bool = False,
) -> list[Edit]:
    """Draw edits of one kind.

    Parameters
    ----------
    kind
        One of :data:`KINDS`, or several changes of one target, as in ``remove+scale``.
    targets
        Layers that the targets lie in, or the ablated features; all that have kernels if None.
    fewer
        Whether fewer will do, where there are not so many.

    Returns
    -------
    list of Edit
        Of edges: the target is drawn evenly over all units, its source evenly over its
        :data:`STRONGEST` strongest inputs; no edge comes twice. Kernels of one position, which
        no mirror or rotation changes, are left out of those kinds. What is set is the kernel that
        another target has there.

    Raises
    ------
    TrialError
        No such kind, or not so many edges.
    """
    verbs = kind.split(JOINED)
    if not set(verbs) <= set(KINDS if len(verbs) == 1 else (*_EDGES, "swap")):
        raise TrialError(
            f"{kind!r} is no kind of edit: {', '.join(KINDS)}; or several changes of one target, "
            "as in remove+scale."
        )
    turned = not {"mirror", "rotate"}.isdisjoint(verbs)
    into: dict[str, list[Connection]] = defaultdict(list)
    for one in connections:
        if (targets is None or one.target in targets) and (not turned or _square(one)):
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
        inputs = _inputs(into[layer], int(unit))
        changes = _changes(verbs, inputs, target, draw)
        if changes:
            edits[Edit.of(changes)] = None
    if len(edits) < count and not fewer:
        raise TrialError(f"There are no {count} edits of the kind {kind!r} to draw.")
    return list(edits)


def _square(one: Connection) -> bool:
    rows, columns = one.kernel.shape[3:]
    return bool(rows == columns > 1)


def _changes(
    verbs: Sequence[str], inputs: list[_Input], target: Unit, draw: np.random.Generator
) -> list[Change]:
    """Draw a change of each kind, each of other inputs; none where there are too few."""
    found: list[Change] = []
    for verb in verbs:
        drawn: list[_Input] = []
        while inputs and len(drawn) < (2 if verb == "swap" else 1):
            drawn.append(inputs[int(draw.integers(len(inputs)))])
            inputs = [one for one in inputs if one.unit != drawn[-1].unit]
        if len(drawn) < (2 if verb == "swap" else 1):
            return []
        if verb == "swap":
            found.append(Swap(drawn[0].unit, drawn[1].unit, target))
        else:
            found.append(_EDGES[verb](drawn[0], target, draw))
    return found


def _inputs(found: Sequence[Connection], unit: int) -> list[_Input]:
    """Return the strongest inputs of a unit, the strongest first."""
    places: list[tuple[Connection, int, int, int]] = []
    sizes: list[NDArray[np.floating]] = []
    for one in found:
        for group, out in np.argwhere(one.target_units == unit).tolist():
            sizes.append(np.abs(one.kernel[group, out]).sum(axis=(1, 2)))
            places += [(one, group, out, into) for into in range(len(sizes[-1]))]
    if not places:
        return []
    size = np.concatenate(sizes)
    order = np.argsort(-size, kind="stable")[:STRONGEST]
    return [_input(*places[place]) for place in order.tolist() if size[place] > 0]


def _input(one: Connection, group: int, out: int, into: int) -> _Input:
    groups, outs = one.kernel.shape[:2]
    following = (group * outs + out + 1) % (groups * outs)
    return _Input(
        Unit(one.source, int(one.source_units[group, into])),
        one.kernel[divmod(following, outs)][into],
    )
