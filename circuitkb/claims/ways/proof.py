"""Whether a statement about a circuit or feature is proved over a box of inputs: 1, or 0.

A counterexample gives 0. What is not decided in time is undecided. There is no control and no
second half: a proof is exact, and holds of the box alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitkb.claims.ways.way import Asked, Run
from circuitkb.kb.on_trial import circuit_on_trial, target_of
from circuitkb.proofs.box import Box
from circuitkb.proofs.statement import WHEN, Statement
from circuitkb.queries.lists.conditions import Mention
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

SECONDS = 60.0
"""Time, if a claim does not say."""

_VALUES = {"proved": 1.0, "refuted": 0.0}


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse what is of another model or nowhere, and a statement that cannot be read."""
    circuit = circuit_on_trial(store, prediction["tried"])
    target = FeatureId.parse(target_of(circuit) if circuit else prediction["tried"])
    if target.model != model:
        raise QueryError(f"tried: {prediction['tried']} is not of {model}")
    Box.parse(prediction.get("box", "range"), prediction.get("within", ()))
    said = Statement.parse(prediction.get("when", WHEN), prediction["then"], 2)
    names = {term.name for all_of in said.when for one in all_of for term in one.terms}
    features = (name.removeprefix(f"{model}/") for name in sorted(names) if ":" in name)
    known_names.check(store, [Mention("feature", f"{model}/{name}") for name in features])


def run(asked: Asked) -> Run:
    """Decide it."""
    prediction = asked.prediction
    report = asked.kb.prove(
        prediction["tried"],
        prediction.get("when"),
        prediction["then"],
        box=prediction.get("box", "range"),
        within=prediction.get("within", ()),
        seconds=prediction.get("seconds", SECONDS),
        keep=asked.keep,
        progress=asked.progress,
    )
    proof = report.proof
    value = _VALUES.get(proof.outcome)
    return Run(
        0.5 if value is None else value,
        (),
        "whether the statement is proved over its box",
        "none: a proof is exact",
        "exact",
        exact=True,
        left_open="" if value is not None else f"{proof.outcome}: not proved, not refuted",
        detail={"proof": proof.id, "by": proof.by},
    )
