"""The trial of cross-inhibition: one input excites the target, its mirror image holds it back.

- **dissociation**: without the exciting edge the target loses on that input's ten best stimuli,
  and less on those of the inhibiting one; without the inhibiting edge it *gains* on that one's, and
  less on the other's; both more than without other inputs of its rank, or of equal l1.
- **sufficiency**: on the exciting input's stimuli the target rises by one standard deviation, and
  with all else at its mean that input alone gives half of it.
- **release**: without the inhibiting edge the target begins to answer to the mirrored stimuli: it
  rises on them at least half as far above its mean as it does on those of the exciting input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses
from circuitkb.trials.arms import Arm, sufficiency
from circuitkb.trials.dissociation import ENOUGH, LEAST_RISE, Part, best_stimuli
from circuitkb.trials.showing import Shown
from circuitkb.trials.trial import CircuitOnTrial, Trial
from circuitkb.trials.two_arms import Both, Claim, Ends, try_arms


def _parts(ends: Ends) -> dict[str, Part]:
    exciting, inhibiting = ends
    rise = exciting.rise
    share, null = (
        each / rise if rise > 0 else 0.0 for each in (inhibiting.released, inhibiting.released_null)
    )
    held = rise >= LEAST_RISE and share >= ENOUGH
    return {
        "sufficiency": sufficiency([exciting]),
        "release": Part(share, null, None, held),
    }


CLAIM = Claim(
    method="exciting and inhibiting edge taken away: dissociation, sufficiency, release",
    measure="what taking the exciting edge away costs the target on that input's ten best stimuli, "
    "less what it costs on the inhibiting one's, and what it gains without the inhibiting edge "
    "likewise; the smaller of both, in standard deviations of the target",
    inputs="the ten stimuli that either input responds to most",
    parts=_parts,
)


def try_circuits(
    circuits: Sequence[CircuitOnTrial],
    shown: Shown,
    connections: Sequence[Connection],
    responses: Responses,
    *,
    progress: Progress = silent,
    **told: Any,
) -> list[Trial]:
    """Try every circuit of a model, in the order given; ``cases`` are exciting, inhibiting.

    Takes what :func:`circuitkb.trials.united_cases.try_circuits` does.
    """

    def arms(coupled: CoupledResponses) -> list[Both]:
        found = []
        for each in circuits:
            target, *rows = (responses.row(name) for name in (each.target, *each.cases))
            best = [best_stimuli(coupled, row) for row in rows]
            one, other = ((row,) for row in rows)
            exciting = Arm(target, one, best[0], best[1], instead=other)
            inhibiting = Arm(target, other, best[1], best[0], "inhibits", one)
            found.append((exciting, inhibiting))
        return found

    ids = [one.circuit for one in circuits]
    return try_arms(CLAIM, ids, arms, shown, connections, responses, progress=progress, **told)
