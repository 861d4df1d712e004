"""Trials of circuits that claim two arms: predicted, run, judged; what they ask is a value.

All edits act at the pre-activation of the arm's target, and only the target is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitkb.loaders.activations.editing.runs import EditedRun, Readings
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.observation.kept import images_under
from circuitkb.schema.ids import content_hash
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, within
from circuitkb.schema.responses import Responses
from circuitkb.trials.arms import (
    Arm,
    ArmEnd,
    ArmPlan,
    Given,
    dissociation,
    end_of,
    plan_arms,
    predicted_arm,
    usual_of_arm,
)
from circuitkb.trials.changes import Kernels
from circuitkb.trials.dissociation import CONTROLS, LEAST_CONTROLS, Part
from circuitkb.trials.edits import Edit
from circuitkb.trials.false_discovery import q_values
from circuitkb.trials.showing import Shown
from circuitkb.trials.single_changes import Remove, Unit
from circuitkb.trials.trial import Outcome, Trial

PLANNED, RUN = 0.1, 0.9
"""Shares of the work after which these are done, for progress."""

NULL = (
    f"sets of other inputs of the target, {CONTROLS} of neighbouring rank and {CONTROLS} of equal "
    "l1 for each edge, taken away instead; the larger p of both, and of both sides"
)

Both = tuple[Arm, Arm]
Ends = tuple[ArmEnd, ArmEnd]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What circuits of a motif claim, and how that is told.

    Attributes
    ----------
    method, version, measure, inputs
        As a :class:`~circuitkb.trials.trial.Trial` has them.
    parts
        What must hold besides the dissociation, from both arms.
    """

    method: str
    version: str = "1"
    measure: str
    inputs: str
    parts: Callable[[Ends], Mapping[str, Part]]

    def ended(self, ends: Ends) -> dict[str, Part]:
        """Return all parts by name."""
        return {"dissociation": dissociation(ends), **self.parts(ends)}


def try_arms(
    claim: Claim,
    circuits: Sequence[str],
    arms: Callable[[CoupledResponses], Sequence[Both]],
    shown: Shown,
    connections: Sequence[Connection],
    responses: Responses,
    *,
    kind: str,
    of: str,
    model: str,
    fingerprint: str,
    seed: int,
    progress: Progress,
) -> list[Trial]:
    """Try circuits of a model, in the order given.

    Parameters
    ----------
    circuits
        Their ids.
    arms
        Gives the arms of each, from what all units respond to the couples of the transform.
    shown, connections, responses, kind, of, model, fingerprint, seed, progress
        As :func:`circuitkb.trials.united_cases.try_circuits` takes them.

    Raises
    ------
    TrialError
        The network cannot be run with these edges changed.
    """
    started = time.perf_counter()
    progress(f"{model}: planning trials", 0.0)
    first, second = couples(images_under(responses, of), len(responses.stimuli), of)
    coupled = CoupledResponses.of(responses.after, responses.rows, first, second)
    flat = [arm for both in arms(coupled) for arm in both]
    plans = plan_arms(connections, coupled, flat)
    usual = [usual_of_arm(plan, coupled, responses.before) for plan in plans]
    expected = [
        end_of(plan, predicted_arm(plan, coupled, own), own)
        for plan, own in zip(plans, usual, strict=True)
    ]
    runs, counts = _runs(plans, coupled, Kernels(connections))
    tell = within(progress, PLANNED, RUN, f"{model}: {{}}")
    readings = iter(shown.edited.run(runs, shown.images, progress=tell))
    ends = [
        end_of(plan, _given([next(readings) for _ in range(count)], len(plan.arm.edges)), own)
        for plan, count, own in zip(plans, counts, usual, strict=True)
    ]
    progress(f"{model}: comparing", RUN)
    pairs = [_pairs(each) for each in (plans, expected, ends)]
    ended = [claim.ended(both) for both in pairs[2]]
    q = q_values([parts["dissociation"].p or 0.0 for parts in ended])
    seconds = (time.perf_counter() - started) / max(1, len(circuits))
    found = []
    for number, circuit in enumerate(circuits):
        both, before, after = (each[number] for each in pairs)
        found.append(
            _trial(
                claim,
                circuit,
                both,
                coupled,
                before,
                after,
                float(q[number]),
                battery=responses.battery,
                kind=kind,
                of=of,
                model=model,
                fingerprint=fingerprint,
                seed=seed,
                tested=len(circuits),
                seconds=seconds,
            )
        )
    progress(f"{model}: tried {len(circuits)} circuits", 1.0)
    return found


def _pairs(each: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(each[::2], each[1::2], strict=True))


def _runs(
    plans: Sequence[ArmPlan], coupled: CoupledResponses, kernels: Kernels
) -> tuple[list[EditedRun], list[int]]:
    """Return all runs: of each arm one for each input, then one without all its edges."""
    runs, counts = [], []
    for plan in plans:
        target = Unit(*coupled.unit_of(plan.arm.target))
        read = {target.layer: np.array([target.unit], np.intp)}
        removed = [
            kernels.changed(Edit.of([Remove(Unit(*coupled.unit_of(row)), target)])).kernels
            for row in plan.inputs.tolist()
        ]
        edges = removed[: len(plan.arm.edges)]
        removed.append(tuple(change for each in edges for change in each))
        runs += [EditedRun(changes, (), plan.stimuli, read) for changes in removed]
        counts.append(len(removed))
    return runs, counts


def _given(found: Sequence[Readings], edges: int) -> Given:
    """Put the runs of one arm together."""
    before = found[0].base_before[:, 0].astype(np.float64)
    gives = before - np.stack([one.before[:, 0] for one in found[:-1]])
    whole = found[0] if edges == 1 else found[-1]
    after = found[0].base_after[:, 0].astype(np.float64)
    return Given(before, after, gives, whole.after[:, 0].astype(np.float64))


def _trial(
    claim: Claim,
    circuit: str,
    plans: tuple[ArmPlan, ArmPlan],
    coupled: CoupledResponses,
    expected: Ends,
    found: Ends,
    q: float,
    *,
    of: str,
    battery: str,
    **told: Any,
) -> Trial:
    changes: list[Remove] = []
    about: list[tuple[Unit, str]] = []
    for plan in plans:
        target = Unit(*coupled.unit_of(plan.arm.target))
        sources = [Unit(*coupled.unit_of(row)) for row in plan.arm.edges]
        changes += [Remove(source, target) for source in sources]
        about += [(target, "target"), *((source, "edited") for source in sources)]
    edit = str(Edit.of(changes))
    parts = claim.ended(found)
    part, value = parts["dissociation"], claim.ended(expected)["dissociation"].value
    return Trial(
        edit=edit,
        method=claim.method,
        version=claim.version,
        measure=claim.measure,
        inputs=f"{battery}: {claim.inputs}",
        predicted=value,
        low=value,
        high=value,
        prediction_hash=content_hash([edit, battery, value, claim.method, claim.version]),
        measured=part.value,
        outcome=_outcome(parts, found, q),
        about=tuple((f"{told['model']}/{unit}", role) for unit, role in about),
        settings={"of": of, "controls": CONTROLS},
        null_mean=part.null_mean,
        null_count=min(end.controls for end in found),
        null_method=NULL,
        p=part.p,
        q=q,
        circuit=circuit,
        decides=True,
        detail={
            "parts": {
                name: {
                    "value": round(one.value, 4),
                    "null_mean": round(one.null_mean, 4),
                    "p": one.p,
                    "held": one.passed,
                }
                for name, one in parts.items()
            },
            "own": [round(end.own, 4) for end in found],
            "other": [round(end.other, 4) for end in found],
            "instead": [round(end.instead, 4) for end in found],
        },
        **told,
    )


def _outcome(parts: Mapping[str, Part], ends: Ends, q: float) -> Outcome:
    if min(end.controls for end in ends) < LEAST_CONTROLS:
        return "undecided"
    return "held" if q <= 0.05 and all(part.passed for part in parts.values()) else "failed"
