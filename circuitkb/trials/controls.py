"""The same edit of other inputs: what a trial's change is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from circuitkb.schema.errors import TrialError
from circuitkb.trials.dissociation import KINDS, L1, RANK, nearest
from circuitkb.trials.edits import Edit
from circuitkb.trials.effects import Effects
from circuitkb.trials.inputs import inputs_of, unit_of
from circuitkb.trials.single_changes import Ablate, EdgeChange, Swap, Unit


def controls(effects: Effects, edit: Edit) -> dict[str, list[Edit]]:
    """Return the same edit of other inputs: of neighbouring rank, and of equal l1.

    Of an ablated feature: others of its layer whose spread is nearest. Several changes at once, and
    swaps, have no controls.
    """
    if len(edit.changes) != 1 or isinstance(edit.changes[0], Swap):
        return {}
    (change,) = edit.changes
    assert not isinstance(change, Swap)
    if isinstance(change, Ablate):
        units = range(effects.units(change.unit.layer))
        spread = [float(np.std(effects.stored(change.unit.layer, unit))) for unit in units]
        order = np.argsort(-np.array(spread), kind="stable")
        near = nearest(order, change.unit.unit, (change.unit.unit,))
        ablated = [replace(change, unit=Unit(change.unit.layer, int(unit))) for unit in near]
        return {RANK: [Edit.of([one]) for one in ablated]}
    responses = effects.responses
    inputs = inputs_of(effects.connections, responses, change.target)
    sizes = {RANK: inputs.strength, L1: inputs.l1}
    row = responses.rows[change.source.layer].start + change.source.unit
    if row not in inputs.rows:
        return {}
    own = int(np.flatnonzero(inputs.rows == row)[0])
    found: dict[str, list[Edit]] = {}
    for kind in KINDS:
        order = np.argsort(-sizes[kind], kind="stable")
        near = nearest(order, own, (own,))
        others = [unit_of(responses, row) for row in inputs.rows[near].tolist()]
        made = [_instead(change, other, effects) for other in others]
        found[kind] = [edit for edit in made if edit is not None]
    return found


def in_words(others: Mapping[str, Sequence[Edit]]) -> str:
    """Return what the controls are."""
    kinds = " and ".join(f"{len(rows)} of {kind}" for kind, rows in others.items() if rows)
    return f"the same edit of others instead: {kinds}; p: share of them that change as much"


def _instead(change: EdgeChange, source: Unit, effects: Effects) -> Edit | None:
    """Return the same change of another source, where its kernel allows it."""
    edit = Edit.of([replace(change, source=source)])
    try:
        effects.kernels.changed(edit)
    except TrialError:
        return None
    return edit
