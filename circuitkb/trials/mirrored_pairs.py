"""The trial of mirrored targets: each needs the inputs that it is named with, for its own stimuli.

- **dissociation**: without its inputs' edges a target loses more on its own ten best stimuli than
  without any set of other inputs of their ranks, or of equal l1; and loses more there than on the
  other target's, compared in the same way; for both targets.
- **exchange**: without the edges from the *other* target's inputs it loses at most half as much.
- **sufficiency**: on its own stimuli either target rises by one standard deviation, and with all
  else at its mean its inputs alone give half of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses
from circuitkb.trials.arms import Arm, sufficiency
from circuitkb.trials.dissociation import ENOUGH, Part, best_stimuli
from circuitkb.trials.showing import Shown
from circuitkb.trials.trial import TargetsOnTrial, Trial
from circuitkb.trials.two_arms import Both, Claim, Ends, try_arms


def _parts(ends: Ends) -> dict[str, Part]:
    shares = [end.instead / end.own if end.own > 0 else 1.0 for end in ends]
    null = max(0.0, *(end.null_mean / end.own if end.own > 0 else 1.0 for end in ends))
    exchange = Part(max(shares), null, None, max(shares) <= ENOUGH)
    return {"exchange": exchange, "sufficiency": sufficiency(ends)}


CLAIM = Claim(
    method="edges of each target's inputs taken away: dissociation, exchange, sufficiency",
    measure="what taking its inputs' edges away costs a target on its own ten best stimuli, less "
    "what it costs on the other target's; the smaller of both, in standard deviations of it",
    inputs="the ten stimuli that either target responds to most",
    parts=_parts,
)


def try_circuits(
    circuits: Sequence[TargetsOnTrial],
    shown: Shown,
    connections: Sequence[Connection],
    responses: Responses,
    *,
    progress: Progress = silent,
    **told: Any,
) -> list[Trial]:
    """Try every circuit of a model, in the order given.

    Takes what :func:`circuitkb.trials.united_cases.try_circuits` does.
    """

    def arms(coupled: CoupledResponses) -> list[Both]:
        found = []
        for one in circuits:
            targets = [responses.row(name) for name in one.targets]
            inputs = [tuple(responses.row(name) for name in names) for names in one.inputs]
            best = [best_stimuli(coupled, row) for row in targets]
            first, second = (
                Arm(
                    targets[side],
                    inputs[side],
                    best[side],
                    best[1 - side],
                    instead=inputs[1 - side],
                )
                for side in (0, 1)
            )
            found.append((first, second))
        return found

    ids = [one.circuit for one in circuits]
    return try_arms(CLAIM, ids, arms, shown, connections, responses, progress=progress, **told)
