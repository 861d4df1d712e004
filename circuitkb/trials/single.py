"""The trial of one edit: predicted with an interval, run, compared, with its controls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from circuitkb.motifs.by_responses.coupled_responses import TOP
from circuitkb.schema.errors import TrialError
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.trials.conformal import Calibration
from circuitkb.trials.dissociation import KINDS, L1, RANK, nearest
from circuitkb.trials.edits import Edit
from circuitkb.trials.effects import Effects
from circuitkb.trials.inputs import inputs_of
from circuitkb.trials.predictions import (
    Asked,
    Prediction,
    calibrated,
    measured_changes,
    place_of,
    predict,
    strongest,
)
from circuitkb.trials.showing import Shown
from circuitkb.trials.single_changes import Ablate, EdgeChange, Swap, Unit
from circuitkb.trials.trial import EDIT, Outcome, Trial

METHOD = "mean change of a unit over stimuli, predicted before the edited network ran"

VERSION = "1"

CALIBRATING = 60
"""Random edits of the same kind whose errors make the interval: 38 are the least that can."""

CALIBRATED, RUN = 0.6, 0.95
"""Shares of the work after which these are done, for progress."""


@dataclass(frozen=True)
class Wanted:
    """One edit to be tried.

    Attributes
    ----------
    model, fingerprint
        Whose network it is.
    edit
        The edit.
    read
        The unit whose change is predicted and measured.
    circuit
        The circuit that it is about, if any.
    seed
        Of the calibrating edits.
    """

    model: str
    fingerprint: str
    edit: Edit
    read: Unit
    circuit: str | None = None
    seed: int = 0


def kind_of(edit: Edit) -> str:
    """Return the kind of random edits that an edit is like, for its interval.

    Examples
    --------
    >>> kind_of(Edit.parse("remove a:0; remove a:1", "b:0")), kind_of(Edit.parse("ablate b:0"))
    ('remove', 'ablate')
    >>> kind_of(Edit.parse("swap a:0 and a:1", "b:0"))
    'scale'
    """
    kinds = {"ablate" if isinstance(one, Ablate) else one.verb for one in _plain(edit)}
    (kind, *more) = kinds or {"scale"}
    # A kernel that becomes another one changes as one does that is scaled, at most to its double.
    return (
        kind if not more and kind in ("remove", "flip", "ablate", "mirror", "rotate") else "scale"
    )


def _plain(edit: Edit) -> list[Any]:
    return [one for one in edit.changes if not isinstance(one, Swap)]


def try_edit(
    wanted: Wanted,
    effects: Effects,
    shown: Shown,
    calibrations: Mapping[str, Calibration],
    progress: Progress = silent,
) -> Trial:
    """Predict what an edit changes, run the edited network, and compare.

    Parameters
    ----------
    calibrations
        Those that there are of the same network, by what they are for; another one is made where
        the one needed is missing.

    Raises
    ------
    TrialError
        The edit cannot be made, changes nothing of what is read, or makes the network explode.
    """
    started = time.perf_counter()
    edit, read = wanted.edit, wanted.read
    changed = effects.kernels.changed(edit)
    place = place_of(effects, edit, read)
    stimuli = strongest(effects, TOP)
    asked = Asked(edit, read, stimuli(edit))
    purpose = f"{kind_of(edit)}, {place}, {TOP} stimuli, {CALIBRATING} edits, seed {wanted.seed}"
    calibration = calibrations.get(purpose)
    if calibration is None:
        calibration = calibrated(
            effects,
            shown.edited,
            shown.images,
            kind_of(edit),
            place,
            stimuli,
            count=CALIBRATING,
            seed=wanted.seed,
            progress=within(progress, 0.0, CALIBRATED, "calibrating: {}"),
        )
    (prediction,) = predict(effects, [asked], {place: calibration})
    made_before = prediction.hash
    others = controls(effects, edit)
    every = [asked, *(Asked(one, read, asked.stimuli) for rows in others.values() for one in rows)]
    real = measured_changes(
        effects, shown.edited, shown.images, every, "after", within(progress, CALIBRATED, RUN)
    )
    measured, drawn = float(real[0]), real[1:]
    p = float((1 + (np.abs(drawn) >= abs(measured) - 1e-9).sum()) / (1 + len(drawn)))
    progress("tried", 1.0)
    edited = dict.fromkeys(
        [source for source, _ in edit.edges] + [one.unit for one in edit.ablated]
    )
    parts = {read: "read"} | dict.fromkeys(edited, "edited")
    parts |= dict.fromkeys((target for _, target in edit.edges), "target")
    return Trial(
        kind=EDIT,
        model=wanted.model,
        fingerprint=wanted.fingerprint,
        edit=str(edit),
        method=f"{METHOD}; {prediction.method}",
        version=VERSION,
        measure=f"mean change of {read} after its nonlinearity",
        inputs=f"{effects.responses.battery}: the {TOP} stimuli that excite what is edited most",
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        prediction_hash=made_before,
        measured=measured,
        outcome=_outcome(prediction, measured),
        about=tuple((f"{wanted.model}/{unit}", role) for unit, role in parts.items()),
        settings={"read": str(read)},
        null_mean=float(drawn.mean()) if len(drawn) else None,
        null_count=len(drawn),
        null_method=_said(others) if len(drawn) else None,
        p=p if len(drawn) else None,
        circuit=wanted.circuit,
        seed=wanted.seed,
        seconds=time.perf_counter() - started,
        detail={
            "stimuli": list(prediction.stimuli),
            "calibration": {"for": purpose, **asdict(calibration)},
            "controls": {
                kind: round(float(np.mean(values)), 6)
                for kind, values in _split(others, drawn).items()
                if len(values)
            },
            "left_in_place": [*changed.notes, *_weak(prediction)],
        },
    )


def _outcome(prediction: Prediction, measured: float) -> Outcome:
    """Return how a trial ended: an interval that holds zero says nothing by holding."""
    if not prediction.holds(measured):
        return "failed"
    return "undecided" if prediction.low <= 0 <= prediction.high else "held"


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
        others = [replace(change, unit=Unit(change.unit.layer, int(unit))) for unit in near]
        return {RANK: [Edit.of([one]) for one in others]}
    inputs = inputs_of(effects.connections, effects.responses, change.target)
    sizes = {RANK: inputs.strength, L1: inputs.l1}
    if change.source not in inputs.units:
        return {}
    own = inputs.units.index(change.source)
    found: dict[str, list[Edit]] = {}
    for kind in KINDS:
        order = np.argsort(-sizes[kind], kind="stable")
        near = nearest(order, own, (own,))
        found[kind] = [
            made for n in near.tolist() if (made := _instead(change, inputs.units[n], effects))
        ]
    return found


def _instead(change: EdgeChange, source: Unit, effects: Effects) -> Edit | None:
    """Return the same change of another source, where its kernel allows it."""
    edit = Edit.of([replace(change, source=source)])
    try:
        effects.kernels.changed(edit)
    except TrialError:
        return None
    return edit


def _weak(prediction: Prediction) -> list[str]:
    if prediction.low <= 0 <= prediction.high:
        return ["the interval holds zero: that nothing changes would have been in it, too"]
    return []


def _said(others: Mapping[str, Sequence[Edit]]) -> str:
    kinds = " and ".join(f"{len(rows)} of {kind}" for kind, rows in others.items() if rows)
    return f"the same edit of others instead: {kinds}; p: share of them that change as much"


def _split(others: Mapping[str, Sequence[Edit]], drawn: Any) -> dict[str, Any]:
    ends = np.cumsum([len(rows) for rows in others.values()])
    parts = np.split(drawn, ends[:-1]) if len(ends) else []
    return dict(zip(others, parts, strict=True))


def calibrations_of(details: Sequence[Mapping[str, Any]]) -> dict[str, Calibration]:
    """Return the calibrations that earlier trials of a network kept, by what they are for."""
    found = {}
    for detail in details:
        kept = dict(detail.get("calibration", {}))
        purpose = kept.pop("for", None)
        if purpose is not None:
            found[purpose] = Calibration(**kept)
    return found
