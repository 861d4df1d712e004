"""Predictions of what an edit changes, with intervals, made before the network runs.

What is predicted is the mean change of one unit over some stimuli. Where the unit is the edit's one
target, that is the direct effect, from kernels and stored responses; elsewhere it is the total
effect, through all paths (:mod:`circuitkb.trials.effects`). Intervals are calibrated on random
edits of the same kind, whose networks ran (:mod:`circuitkb.trials.conformal`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.editing.runs import Images, Indices
from circuitkb.schema.errors import TrialError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.progress import Progress, silent
from circuitkb.trials.changes import run_of
from circuitkb.trials.conformal import LEVEL, Calibration, calibrate
from circuitkb.trials.edits import Edit
from circuitkb.trials.effects import Answers, Effects, Side, Wanted
from circuitkb.trials.random_edits import random_edits
from circuitkb.trials.single_changes import Ablate, Unit

if TYPE_CHECKING:
    from torch import Tensor

    from circuitkb.loaders.activations.editing.network import EditedNetwork

VERSION = "1"

Place = Literal["exact target", "target", "later", "output"]
"""Where an effect is read, which calibrations differ by.

``exact target``: the one target of an edit whose direct effect follows from what is kept;
``target``: of one whose effect does not; ``output``: the last layer; ``later``: any unit between.
"""

_DIRECT = "direct effect: difference of kernels times stored responses"
_TOTAL = "total effect: through all kernels, layer by layer, at stored pre-activations"

METHODS: Mapping[Place, str] = {
    "exact target": _DIRECT,
    "target": f"{_DIRECT} at one place of the map",
    "later": _TOTAL,
    "output": _TOTAL,
}

Inputs = Callable[[Edit], Indices]
"""Gives the stimuli that an edit is tried on."""


class Asked(NamedTuple):
    """An edit, the unit whose change is asked for, and the stimuli that it is asked over.

    Where other images are shown in the place of these stimuli, ``shown`` are their numbers, and
    ``answers`` what the unedited network answers to them.
    """

    edit: Edit
    unit: Unit
    stimuli: Indices
    shown: Indices | None = None
    answers: Answers | None = None


@dataclass(frozen=True)
class Prediction:
    """What an edit is said to change, before the edited network runs.

    Attributes
    ----------
    edit
        In words.
    unit, side
        What is read, before or after its nonlinearity.
    stimuli
        Ids of those that the change is the mean over.
    value, low, high
        The change predicted, and the interval around it.
    method, version
        How it was predicted.
    calibration
        Of the interval.
    """

    edit: str
    unit: str
    side: Side
    stimuli: tuple[str, ...]
    value: float
    low: float
    high: float
    method: str
    version: str
    calibration: Calibration

    @property
    def hash(self) -> str:
        """Hash of everything that was predicted, to be kept before the network runs."""
        return content_hash(asdict(self) | {"stimuli": list(self.stimuli)})

    def holds(self, measured: float) -> bool:
        """Whether what was measured lies in the interval."""
        return self.low <= measured <= self.high


def place_of(effects: Effects, edit: Edit, unit: Unit) -> Place:
    """Return where an effect is read.

    Raises
    ------
    TrialError
        The edit cannot change that unit.
    """
    targets = {target for _, target in edit.edges}
    if targets == {unit} and not edit.ablated:
        return "exact target" if effects.is_exact(edit) else "target"
    changed = targets | {one.unit for one in edit.ablated}
    first = min(effects.place(one.layer) for one in changed)
    if unit not in targets and effects.place(unit.layer) <= first:
        raise TrialError(f"{unit} is not reached from what is edited ({edit}): it cannot change.")
    return "output" if unit.layer == effects.layers[-1] else "later"


def raw_predictions(effects: Effects, asked: Sequence[Asked], side: Side) -> NDArray[np.float64]:
    """Return the mean change of each, as kernels and responses give it, without calibration."""
    return np.array([float(one.mean()) for one in raw_changes(effects, asked, side)])


def raw_changes(effects: Effects, asked: Sequence[Asked], side: Side) -> list[Tensor]:
    """Return the change of each under each stimulus."""
    direct = [place_of(effects, one.edit, one.unit) in ("target", "exact target") for one in asked]
    wanted = [
        Wanted(one.edit, one.stimuli, {one.unit.layer: np.array([one.unit.unit])}, one.answers)
        for one, at_target in zip(asked, direct, strict=True)
        if not at_target
    ]
    through = iter(effects.total(wanted))
    found = []
    for one, at_target in zip(asked, direct, strict=True):
        if at_target:
            effect = effects.direct(one.edit, one.stimuli, one.answers)
            found.append(getattr(effect[one.unit.layer, one.unit.unit], side))
        else:
            found.append(getattr(next(through), side)[:, 0])
    return found


def measured_changes(
    effects: Effects,
    edited: EditedNetwork,
    images: Images,
    asked: Sequence[Asked],
    side: Side,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """Run the edited networks and return the mean change of each.

    It is NaN where a network responds with NaN or infinity once edited.
    """
    runs = [
        run_of(
            one.edit,
            effects.kernels,
            effects.responses,
            one.stimuli,
            {one.unit.layer: np.array([one.unit.unit])},
            shown=one.shown,
        )
        for one in asked
    ]
    found = edited.run(runs, images, progress=progress)
    with np.errstate(invalid="ignore"):
        changes = np.array(
            [
                (getattr(one, side) - getattr(one, f"base_{side}")).astype(np.float64).mean()
                for one in found
            ]
        )
    changes[~np.isfinite(changes)] = np.nan
    return changes


def draw(
    effects: Effects, kind: str, place: Place, inputs: Inputs, count: int, *, seed: int
) -> list[Asked]:
    """Draw random edits of one kind, each with a unit that is read at a kind of place.

    Of later layers one is drawn evenly, and a unit of it; of the output a unit.

    Raises
    ------
    TrialError
        There are not so many.
    """
    random = np.random.default_rng([seed, len(kind)])
    asked: list[Asked] = []
    tried = count
    while len(asked) < count:
        edits = random_edits(effects.connections, kind, tried, seed=seed, fewer=True)
        asked = []
        for edit in edits:
            unit = _read(effects, edit, place, random)
            if unit is not None and len(asked) < count:
                asked.append(Asked(edit, unit, inputs(edit)))
        if len(asked) < count and len(edits) < tried:
            raise TrialError(
                f"There are {len(asked)} edits of the kind {kind!r} to calibrate by, and {count} "
                "are needed: the network is too small."
            )
        tried *= 4
    return asked


def _read(effects: Effects, edit: Edit, place: Place, random: np.random.Generator) -> Unit | None:
    """Draw a unit to read; None where the edit is none for the place, or cannot be made."""
    change = edit.changes[0]
    changed = change.unit if isinstance(change, Ablate) else change.target
    try:
        exact = not edit.ablated and effects.is_exact(edit)
    except TrialError:
        return None
    if place in ("target", "exact target"):
        return changed if not edit.ablated and exact == (place == "exact target") else None
    later = effects.layers[effects.place(changed.layer) + 1 :]
    if place == "later":
        later = later[:-1]
    if not later:
        return None
    layer = later[-1] if place == "output" else later[random.integers(len(later))]
    return Unit(layer, int(random.integers(effects.units(layer))))


def calibrated(
    effects: Effects,
    edited: EditedNetwork,
    images: Images,
    kind: str,
    place: Place,
    inputs: Inputs,
    *,
    side: Side = "after",
    count: int = 1000,
    seed: int = 0,
    level: float = LEVEL,
    progress: Progress = silent,
) -> Calibration:
    """Run random edits of a kind and calibrate what is predicted of such.

    Parameters
    ----------
    kind
        As ``remove`` or ``ablate``: see :data:`circuitkb.trials.random_edits.KINDS`.
    place
        Where effects are read.
    inputs
        How the stimuli of an edit are chosen: as they will be for those to be predicted.
    count
        Random edits; coverage is within .02 of the level for 1,000 as a rule.
    seed
        Of the draws.

    Raises
    ------
    TrialError
        There are not so many edits, or too few that do not make the network explode.
    """
    asked = draw(effects, kind, place, inputs, count, seed=seed)
    raw = raw_predictions(effects, asked, side)
    real = measured_changes(effects, edited, images, asked, side, progress)
    fine = np.isfinite(real)
    raw, real = raw[fine], real[fine]
    return calibrate(raw, real, seed=seed, level=level, scaled=place != "exact target")


def predict(
    effects: Effects,
    asked: Sequence[Asked],
    calibrations: Sequence[Calibration],
    side: Side = "after",
) -> list[Prediction]:
    """Predict what edits change; nothing runs.

    Parameters
    ----------
    calibrations
        One for each, of its kind of edit and the place where it is read.

    Raises
    ------
    TrialError
        A unit cannot change.
    """
    found = []
    raw = raw_predictions(effects, asked, side).tolist()
    for one, own, calibration in zip(asked, raw, calibrations, strict=True):
        value, low, high = calibration.interval(own)
        ids = tuple(effects.responses.stimuli[number] for number in one.stimuli.tolist())
        found.append(
            Prediction(
                edit=str(one.edit),
                unit=str(one.unit),
                side=side,
                stimuli=ids,
                value=value,
                low=low,
                high=high,
                method=METHODS[place_of(effects, one.edit, one.unit)],
                version=VERSION,
                calibration=calibration,
            )
        )
    return found


def strongest(effects: Effects, count: int) -> Inputs:
    """Return the rule that tries an edit on the stimuli its first source answers most to.

    For an ablation these are those of the feature itself.
    """

    def chosen(edit: Edit) -> Indices:
        unit = edit.edges[0][0] if edit.edges else edit.ablated[0].unit
        order = np.argsort(-effects.stored(unit.layer, unit.unit), kind="stable")
        return np.sort(order[:count])

    return chosen
