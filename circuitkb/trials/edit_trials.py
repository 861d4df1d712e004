"""The trials of edits: predicted with intervals, run together, compared, each with its controls."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import TOP
from circuitkb.observation.stimuli.battery import NAME
from circuitkb.schema.errors import TrialError
from circuitkb.schema.progress import Progress, parts, silent, within
from circuitkb.trials.conformal import Calibration
from circuitkb.trials.controls import controls, in_words
from circuitkb.trials.edits import Edit
from circuitkb.trials.effects import Effects
from circuitkb.trials.predictions import (
    METHODS,
    Asked,
    Place,
    Prediction,
    calibrated,
    measured_changes,
    place_of,
    predict,
    strongest,
)
from circuitkb.trials.random_edits import kind_of
from circuitkb.trials.search import Found, Gap, Search, search
from circuitkb.trials.showing import Shown
from circuitkb.trials.single_changes import Unit
from circuitkb.trials.trial import EDIT, Outcome, Planned, Trial

METHOD = "mean change of a unit over stimuli, predicted before the edited network ran"

VERSION = "1"

CALIBRATING = 60
"""Random edits of the same kind whose errors make the interval: 38 are the least that can."""

SEARCHED = 5
"""Of so many trials of a list, the stimuli of one are searched, if nobody says otherwise."""

TOGETHER = 8
"""Trials with searched stimuli that run together: their images are held (of 255 x 255 pixels 8 MB
a trial), and as no other trial sees them a larger pass would gain nothing."""

CALIBRATED, SOUGHT = 0.6, 0.8
"""Shares of the work after which these are done, for progress, where they are to be done."""


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
    controls
        Whether the same edit of other inputs is run, too.
    search
        Whether stimuli are searched that break the prediction, or how.
    images
        Hash and name of the pictures that are shown, if not the battery.
    """

    model: str
    fingerprint: str
    edit: Edit
    read: Unit
    circuit: str | None = None
    seed: int = 0
    controls: bool = True
    search: bool | Search = False
    images: tuple[str, str] | None = None


@dataclass(frozen=True)
class Prepared:
    """A trial before it runs.

    Attributes
    ----------
    wanted
        The edit.
    trial
        All that its id is made of.
    place, kind
        Where the effect is read, and the kind of random edits that the interval is made from.
    search
        How stimuli are searched, if they are.
    notes
        What the edit leaves in place, and what its interval cannot say; a sentence each.
    """

    wanted: Wanted
    trial: Planned
    place: Place
    kind: str
    search: Search | None
    notes: tuple[str, ...]

    @property
    def purpose(self) -> str:
        """What its calibration is for; trials of one purpose share it."""
        battery = self.trial.inputs.partition(":")[0]
        shown = "" if battery == NAME else f", {battery}"
        seed = self.wanted.seed
        return f"{self.kind}, {self.place}, {TOP} stimuli, {CALIBRATING} edits, seed {seed}{shown}"


def prepare(wanted: Wanted, effects: Effects) -> Prepared:
    """Return what a trial will be; nothing runs.

    Raises
    ------
    TrialError
        The edit cannot be made, changes nothing of what is read, or has no stimuli to be searched.
    """
    edit, read = wanted.edit, wanted.read
    changed = effects.kernels.changed(edit)
    place = place_of(effects, edit, read)
    how = wanted.search
    search = how if isinstance(how, Search) else Search.of(place, wanted.seed) if how else None
    if search is not None and not searchable(edit, effects):
        raise TrialError(
            "No stimuli can be searched for an ablation by resampling, nor in a network whose "
            "layers are looked at in images of several sizes."
        )
    settings: dict[str, Any] = {"read": str(read)}
    if not wanted.controls:
        settings["controls"] = 0
    if search is not None:
        settings["search"] = search.settings()
    shown = f"{effects.responses.battery}: the {TOP} stimuli"
    if wanted.images is not None:
        settings["images"], name = wanted.images
        shown = f"{name}: the {TOP} of them"
    kind, alike = kind_of(edit)
    notes = changed.notes if alike else (*changed.notes, _unlike(kind))
    edited = dict.fromkeys(
        [source for source, _ in edit.edges] + [one.unit for one in edit.ablated]
    )
    roles = {read: "read"} | dict.fromkeys(edited, "edited")
    roles |= dict.fromkeys((target for _, target in edit.edges), "target")
    planned = Planned(
        kind=EDIT,
        model=wanted.model,
        fingerprint=wanted.fingerprint,
        edit=str(edit),
        method=f"{METHOD}; {METHODS[place]}",
        version=VERSION,
        measure=f"mean change of {read} after its nonlinearity",
        inputs=f"{shown} that excite what is edited most"
        f"{', searched to break the prediction' if search else ''}",
        about=tuple((f"{wanted.model}/{unit}", role) for unit, role in roles.items()),
        settings=settings,
        circuit=wanted.circuit,
        seed=wanted.seed,
    )
    return Prepared(wanted, planned, place, kind, search, notes)


def searchable(edit: Edit, effects: Effects) -> bool:
    """Whether stimuli can be searched: gradients flow, and one image shows all layers."""
    resampled = any(one.by == "resampling" for one in edit.ablated)
    return not resampled and len(effects.responses.settings["views"]) == 1


def is_of_the_fifth(prepared: Prepared) -> bool:
    """Whether a trial of a list is of the fifth whose stimuli are searched: its id says.

    Examples
    --------
    >>> trial = Planned(kind=EDIT, model="m", fingerprint="0", edit="remove c:0", method="",
    ...                 version="1", measure="", inputs="", about=())
    >>> wanted = Wanted("m", "0", Edit.parse("remove a:0", "b:0"), Unit("b", 0))
    >>> is_of_the_fifth(Prepared(wanted, trial, "target", "remove", None, ()))
    True
    """
    return int(prepared.trial.id.removeprefix("trial-"), 16) % SEARCHED == 0


def _unlike(kind: str) -> str:
    return (
        f"the interval was calibrated on single random edits of the kind {kind!r}, not on edits "
        "like this one: how often such intervals hold is not known"
    )


def try_edits(
    prepared: Sequence[Prepared],
    effects: Effects,
    shown: Shown,
    calibrations: MutableMapping[str, Calibration],
    progress: Progress = silent,
) -> list[Trial | None]:
    """Predict what edits change, run the edited networks in one pass of the stimuli, and compare.

    Parameters
    ----------
    calibrations
        Those that there are of the same network, by what they are for; what is missing is made, and
        added.

    Returns
    -------
    list
        None for an edit that makes the network respond with NaN or infinity.

    Raises
    ------
    TrialError
        There are too few edits of a kind to calibrate by.
    """
    missing = {one.purpose: one for one in prepared if one.purpose not in calibrations}
    begun = CALIBRATED if missing else 0.0
    tell = parts(within(progress, 0.0, begun, "calibrating: {}"), len(missing))
    for (purpose, one), calibrating in zip(missing.items(), tell, strict=True):
        calibrations[purpose] = calibrated(
            effects,
            shown.edited,
            shown.images,
            one.kind,
            one.place,
            strongest(effects, TOP),
            count=CALIBRATING,
            seed=one.wanted.seed,
            progress=calibrating,
        )
    trials: dict[int, Trial | None] = {}
    groups = _groups(prepared)
    tell = parts(within(progress, begun, 1.0), len(groups))
    for group, telling in zip(groups, tell, strict=True):
        found = _tried([prepared[n] for n in group], effects, shown, calibrations, telling)
        trials |= zip(group, found, strict=True)
    progress("tried", 1.0)
    return [trials[number] for number in range(len(prepared))]


def _groups(prepared: Sequence[Prepared]) -> list[list[int]]:
    """Return the numbers of trials that run together: all that are not searched; of others few."""
    plain = [number for number, one in enumerate(prepared) if one.search is None]
    searched = [number for number, one in enumerate(prepared) if one.search is not None]
    few = [searched[n : n + TOGETHER] for n in range(0, len(searched), TOGETHER)]
    return [*([plain] if plain else []), *few]


def _tried(
    prepared: Sequence[Prepared],
    effects: Effects,
    shown: Shown,
    calibrations: Mapping[str, Calibration],
    progress: Progress,
) -> list[Trial | None]:
    """Predict, run in one pass, and compare."""
    started = time.perf_counter()
    stimuli = strongest(effects, TOP)
    asked = [Asked(one.wanted.edit, one.wanted.read, stimuli(one.wanted.edit)) for one in prepared]
    found = _searched(prepared, asked, effects, shown, within(progress, 0.0, SOUGHT))
    asked = [_instead(one, number, found, shown) for number, one in enumerate(asked)]
    with np.errstate(over="ignore", invalid="ignore"):
        predictions = predict(effects, asked, [calibrations[one.purpose] for one in prepared])
    before = [one.hash if np.isfinite(one.value) else "" for one in predictions]
    others = [controls(effects, one.wanted.edit) if one.wanted.controls else {} for one in prepared]
    every = list(asked)
    for own, rows in zip(asked, others, strict=True):
        every += [own._replace(edit=edit) for kind in rows.values() for edit in kind]
    images = shown.beside([one.images for one in found.values()])
    ran = within(progress, SOUGHT if found else 0.0, 1.0)
    real = measured_changes(effects, shown.edited, images, every, "after", ran)
    measured, rest = real[: len(prepared)].tolist(), real[len(prepared) :]
    counts = [sum(map(len, rows.values())) for rows in others]
    drawn = np.split(rest, np.cumsum(counts)[:-1])
    seconds = (time.perf_counter() - started) / len(prepared)
    return [
        _trial(
            one,
            predictions[number],
            before[number],
            measured[number],
            others[number],
            drawn[number],
            seconds,
            calibrations[one.purpose],
            found.get(number),
        )
        for number, one in enumerate(prepared)
    ]


def _searched(
    prepared: Sequence[Prepared],
    asked: Sequence[Asked],
    effects: Effects,
    shown: Shown,
    progress: Progress,
) -> dict[int, Found]:
    """Search stimuli for those trials that want it; by number."""
    wanted = [(number, one.search) for number, one in enumerate(prepared) if one.search]
    if not wanted:
        return {}
    flow, (view,) = shown.edited.flow(), shown.edited.views
    found = {}
    for place, (number, how) in enumerate(wanted):
        progress("Searching stimuli", place / len(wanted))
        gap = Gap(effects, flow, shown.pixels, asked[number])
        found[number] = search(gap, shown.drawn(view, asked[number].stimuli), how)
    return found


def _instead(asked: Asked, number: int, found: dict[int, Found], shown: Shown) -> Asked:
    """Return what is asked of the stimuli that a search ended with, where there was one."""
    if number not in found:
        return asked
    first = len(shown.battery) + sum(len(found[n].images) for n in found if n < number)
    numbers = np.arange(first, first + len(asked.stimuli))
    return asked._replace(shown=numbers, answers=found[number].answers)


def _trial(
    prepared: Prepared,
    prediction: Prediction,
    made_before: str,
    measured: float,
    others: dict[str, list[Edit]],
    drawn: NDArray[np.float64],
    seconds: float,
    calibration: Calibration,
    found: Found | None,
) -> Trial | None:
    """Compare what was measured with what was predicted, and with the controls."""
    if not np.isfinite([measured, prediction.value]).all():
        return None
    ends = np.cumsum([len(rows) for rows in others.values()])[:-1]
    by_kind = dict(zip(others, np.split(drawn, ends), strict=True)) if others else {}
    drawn = drawn[np.isfinite(drawn)]
    p = float((1 + (np.abs(drawn) >= abs(measured) - 1e-9).sum()) / (1 + len(drawn)))
    return Trial(
        **{field.name: getattr(prepared.trial, field.name) for field in fields(Planned)},
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        prediction_hash=made_before,
        measured=measured,
        outcome=_outcome(prediction, measured),
        null_mean=float(drawn.mean()) if len(drawn) else None,
        null_count=len(drawn),
        null_method=in_words(others) if len(drawn) else None,
        p=p if len(drawn) else None,
        seconds=seconds,
        searched=found is not None,
        detail={
            **({} if found is None else {"search": _said(found)}),
            "stimuli": list(prediction.stimuli),
            "calibration": {"for": prepared.purpose, **asdict(calibration)},
            "controls": {
                kind: round(float(np.nanmean(values)), 6)
                for kind, values in by_kind.items()
                if np.isfinite(values).any()
            },
            "left_in_place": [
                *prepared.notes,
                *_weak(prediction),
                *([] if found is None else [_found_in_words(found)]),
            ],
        },
    )


def _outcome(prediction: Prediction, measured: float) -> Outcome:
    """Return how a trial ended: an interval that holds zero says nothing by holding."""
    if not prediction.holds(measured):
        return "failed"
    return "undecided" if prediction.low <= 0 <= prediction.high else "held"


def _weak(prediction: Prediction) -> list[str]:
    if prediction.low <= 0 <= prediction.high:
        return ["the interval holds zero: that nothing changes would have been in it, too"]
    return []


def _said(found: Found) -> dict[str, float]:
    return {"gap_before": found.gap_before, "gap_after": found.gap_after}


def _found_in_words(found: Found) -> str:
    return (
        "the stimuli were searched to break the prediction: its largest gap to what is measured "
        f"went from {found.gap_before:.3g} to {found.gap_after:.3g}; the interval was calibrated "
        "on stimuli as they are, and does not promise to hold here"
    )


def calibrations_of(details: Sequence[dict[str, Any]]) -> dict[str, Calibration]:
    """Return the calibrations that earlier trials of a network kept, by what they are for."""
    found = {}
    for detail in details:
        kept = dict(detail.get("calibration", {}))
        purpose = kept.pop("for", None)
        if purpose is not None:
            found[purpose] = Calibration(**kept)
    return found
