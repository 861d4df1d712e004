"""What an edit of the network changes: a trial, run twice.

The value is the mean change of a unit over the ten stimuli that excite most what is edited. Null:
the same edit of other inputs. Stability: the trial with a second seed, which calibrates its
interval and chooses its controls anew; what is measured should not move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitkb.claims.ways.way import Asked, NotTestableError, Run
from circuitkb.kb.on_trial import circuit_on_trial, target_of
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import within
from circuitkb.stores.base import Store


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse an edit of what is in another model, or nowhere."""
    circuit = circuit_on_trial(store, prediction["tried"])
    target = FeatureId.parse(target_of(circuit) if circuit else prediction["tried"])
    if target.model != model:
        raise QueryError(f"tried: {prediction['about']} is not of {model}")


def run(asked: Asked) -> Run:
    """Run the trial with two seeds."""
    tried, edit = asked.prediction["tried"], asked.prediction["edit"]
    first, second = (
        asked.kb.trial(
            tried,
            edit,
            read=asked.prediction.get("read"),
            seed=seed,
            keep=asked.keep,
            progress=within(asked.progress, seed / 2, (seed + 1) / 2),
        ).trial
        for seed in (0, 1)
    )
    if first.p is None:
        raise NotTestableError("it has no controls: there are no other inputs")
    return Run(
        first.measured,
        (second.measured,),
        first.measure,
        first.null_method or "the same edit of other inputs",
        "a second seed",
        p=max(first.p, second.p or 1.0),
        null_mean=first.null_mean,
        null_count=first.null_count,
        detail={"trials": [first.id, second.id], "predicted": first.predicted},
    )
