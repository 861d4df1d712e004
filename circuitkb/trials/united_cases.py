"""Trials of the circuits that a search of two cases found: predicted, run, judged.

Of each circuit the network is run without either case's edge, without both, and without each of the
inputs that stand in for them; see :mod:`circuitkb.trials.dissociation`. All edits act at the
target's pre-activation and only the target is read, so each stimulus is shown once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from circuitkb.loaders.activations.editing.runs import EditedRun, Readings
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.observation.kept import images_under
from circuitkb.schema.ids import content_hash
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.responses import Responses
from circuitkb.trials.changes import Kernels
from circuitkb.trials.dissociation import (
    CONTROLS,
    PARTS,
    Measured,
    Plan,
    Suspect,
    Usual,
    Verdict,
    judge,
    plans,
    predicted,
    usual_of,
)
from circuitkb.trials.edits import Edit
from circuitkb.trials.false_discovery import q_values
from circuitkb.trials.showing import Shown
from circuitkb.trials.single_changes import Remove, Unit
from circuitkb.trials.trial import CircuitOnTrial, Outcome, Trial

METHOD = "edges of both cases taken away: dissociation, peak, sufficiency"

VERSION = "1"

MEASURE = (
    "what taking a case's edge away costs the target on the case's ten best stimuli, less what it "
    "costs on the other case's; the smaller of both, in standard deviations of the target"
)

NULL = (
    f"{CONTROLS} other inputs of neighbouring rank and {CONTROLS} of equal l1, taken away instead; "
    "the larger p of both, of both cases, and of all parts"
)

PLANNED, RUN = 0.1, 0.9
"""Shares of the work after which these are done, for progress."""


def try_circuits(
    circuits: Sequence[CircuitOnTrial],
    shown: Shown,
    connections: Sequence[Connection],
    responses: Responses,
    *,
    kind: str,
    of: str,
    model: str,
    fingerprint: str,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Trial]:
    """Try every circuit of a model, in the order given.

    Parameters
    ----------
    connections, responses
        All kernels of the model, and what its units respond with.
    kind, of
        The motif, and the transform that relates the cases, as in ``mirror left-right``.

    Raises
    ------
    TrialError
        The network cannot be run with these edges changed.
    """
    started = time.perf_counter()
    progress(f"{model}: planning trials", 0.0)
    first, second = couples(images_under(responses, of), len(responses.stimuli), of)
    coupled = CoupledResponses.of(responses.after, responses.rows, first, second)
    suspects = [
        Suspect(one.circuit, responses.row(one.target), _both(one.cases, responses))
        for one in circuits
    ]
    planned = plans(connections, coupled, suspects)
    before = [predicted(plan, coupled, responses.before) for plan in planned]
    usual = [usual_of(plan, coupled, responses.before) for plan in planned]
    expected = [judge(*given) for given in zip(planned, before, usual, strict=True)]
    tell = within(progress, PLANNED, RUN, f"{model}: {{}}")
    verdicts = run_plans(planned, usual, coupled, connections, shown, tell)
    progress(f"{model}: comparing", RUN)
    q = larger_q(verdicts)
    seconds = (time.perf_counter() - started) / max(1, len(planned))
    by_circuit = {
        plan.suspect.circuit: _trial(
            plan,
            coupled,
            expected[place],
            verdicts[place],
            q[place],
            kind=kind,
            of=of,
            model=model,
            fingerprint=fingerprint,
            seed=seed,
            battery=responses.battery,
            tested=len(planned),
            seconds=seconds,
        )
        for place, plan in enumerate(planned)
    }
    progress(f"{model}: tried {len(circuits)} circuits", 1.0)
    return [by_circuit[one.circuit] for one in circuits]


def run_plans(
    planned: Sequence[Plan],
    usual: Sequence[Usual],
    coupled: CoupledResponses,
    connections: Sequence[Connection],
    shown: Shown,
    progress: Progress = silent,
) -> list[Verdict]:
    """Run the network without what each plan takes away, and judge what that costs.

    Raises
    ------
    TrialError
        It cannot be run with these edges changed.
    """
    runs, counts = _runs(planned, coupled, Kernels(connections))
    readings = iter(shown.edited.run(runs, shown.images, progress=progress))
    verdicts = []
    for plan, count, own in zip(planned, counts, usual, strict=True):
        found = [next(readings) for _ in range(count)]
        verdicts.append(judge(plan, _measured(found), own))
    return verdicts


def _both(cases: tuple[str, str], responses: Responses) -> tuple[int, int]:
    one, other = map(responses.row, cases)
    return one, other


def _runs(
    planned: Sequence[Plan], coupled: CoupledResponses, kernels: Kernels
) -> tuple[list[EditedRun], list[int]]:
    """Return all runs: of each plan one for each input, then one without both cases."""
    runs, counts = [], []
    for plan in planned:
        target = Unit(*coupled.unit_of(plan.suspect.target))
        read = {target.layer: np.array([target.unit], np.intp)}
        removed = [
            kernels.changed(Edit.of([Remove(Unit(*coupled.unit_of(row)), target)])).kernels
            for row in plan.inputs.tolist()
        ]
        removed.append((*removed[0], *removed[1]))
        runs += [EditedRun(changes, (), plan.stimuli, read) for changes in removed]
        counts.append(len(removed))
    return runs, counts


def _measured(found: Sequence[Readings]) -> Measured:
    """Put the runs of one plan together."""
    before = found[0].base_before[:, 0].astype(np.float64)
    without = np.stack([reading.after[:, 0] for reading in found[:-1]]).astype(np.float64)
    gives = before - np.stack([reading.before[:, 0] for reading in found[:-1]])
    return Measured(
        before,
        found[0].base_after[:, 0].astype(np.float64),
        gives,
        without,
        found[-1].after[:, 0].astype(np.float64),
    )


def larger_q(verdicts: Sequence[Verdict]) -> list[float]:
    """Return for each trial the larger q of its parts that have a p."""
    each = []
    for part in PARTS:
        p = [verdict.parts[part].p for verdict in verdicts]
        if p and None not in p:
            each.append(q_values([value for value in p if value is not None]))
    found: list[float] = np.max(each, axis=0).tolist() if each else []
    return found


def _trial(
    plan: Plan,
    coupled: CoupledResponses,
    expected: Verdict,
    found: Verdict,
    q: float,
    *,
    kind: str,
    of: str,
    model: str,
    fingerprint: str,
    seed: int,
    battery: str,
    tested: int,
    seconds: float,
) -> Trial:
    target, *cases = (
        Unit(*coupled.unit_of(row)) for row in (plan.suspect.target, *plan.suspect.cases)
    )
    edit = str(Edit.of(Remove(case, target) for case in cases))
    part, value = found.parts["dissociation"], expected.parts["dissociation"].value
    features = [f"{model}/{unit}" for unit in (target, *cases)]
    p = max(one.p for one in found.parts.values() if one.p is not None)
    return Trial(
        kind=kind,
        model=model,
        fingerprint=fingerprint,
        edit=edit,
        method=METHOD,
        version=VERSION,
        measure=MEASURE,
        inputs=f"{battery}: the ten stimuli that each case and the target respond to most",
        predicted=value,
        low=value,
        high=value,
        prediction_hash=content_hash([edit, battery, value, METHOD, VERSION]),
        measured=part.value,
        outcome=outcome_of(found, q),
        about=tuple(zip(features, ("target", "edited", "edited"), strict=True)),
        settings={"of": of, "controls": CONTROLS},
        null_mean=part.null_mean,
        null_count=min(found.controls.values()),
        null_method=NULL,
        p=p,
        q=q,
        tested=tested,
        circuit=plan.suspect.circuit,
        decides=True,
        seed=seed,
        seconds=seconds,
        detail={
            "parts": {
                name: {
                    "value": round(one.value, 4),
                    "null_mean": round(one.null_mean, 4),
                    "p": one.p,
                    "held": one.passed,
                }
                for name, one in found.parts.items()
            },
            "dissociation": [round(value, 4) for value in found.dissociation],
            "lost": [round(value, 4) for value in found.lost],
            "crossed": [round(value, 4) for value in found.crossed],
        },
    )


def outcome_of(found: Verdict, q: float) -> Outcome:
    """Return how a trial ended: all parts must hold, and q be 5% or less."""
    if not found.decidable:
        return "undecided"
    return "held" if q <= 0.05 and all(part.passed for part in found.parts.values()) else "failed"
