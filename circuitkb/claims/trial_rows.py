"""Trials of claims as rows of the graph: made here, or brought along by a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.claims.carried_proofs import speaking
from circuitkb.claims.deciding import decide, null_of
from circuitkb.claims.reading import Line
from circuitkb.claims.ways.way import Run
from circuitkb.schema.errors import ClaimError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_table, rows_of
from circuitkb.trials.trial import Trial, trial_rows

KIND = "claim"
"""``Trial.kind`` of the test of a claim."""


@dataclass(frozen=True)
class Prepared:
    """A claim before it is tested: what was predicted, and under which conditions.

    Attributes
    ----------
    claim, model
        Id of the claim; the model that it is about.
    prediction, tolerance
        As the claim has them.
    conditions
        Weights, battery and searches that the outcome depends on.
    method, version
        What is done.
    """

    claim: str
    model: str
    prediction: Mapping[str, Any]
    tolerance: float
    conditions: Mapping[str, Any]
    method: str
    version: str

    @property
    def hash(self) -> str:
        """Of what is predicted: made before anything is measured."""
        return prediction_hash(self.prediction, self.tolerance)


def prediction_hash(prediction: Mapping[str, Any], tolerance: float) -> str:
    """Return the hash of a prediction with its tolerance.

    Examples
    --------
    >>> prediction_hash({"at_least": 1}, 0.1) == prediction_hash({"at_least": 1}, 0.2)
    False
    """
    return content_hash([dict(prediction), tolerance])


def tried(prepared: Prepared, run: Run, seconds: float) -> Trial:
    """Return the trial that a run of a prepared claim is."""
    decision = decide(prepared.prediction, prepared.tolerance, run)
    mean, count = null_of(run)
    return Trial(
        kind=KIND,
        model=prepared.model,
        fingerprint=str(prepared.conditions["weights"].get(prepared.model)),
        edit=f"claim {prepared.claim}",
        method=f"claim: {prepared.method}",
        version=prepared.version,
        measure=run.what,
        inputs=str(prepared.conditions.get("battery") or "weights alone"),
        about=(),
        settings={
            "claim": prepared.claim,
            "prediction": dict(prepared.prediction),
            "tolerance": prepared.tolerance,
            "conditions": dict(prepared.conditions),
        },
        predicted=prepared.prediction.get("about"),
        low=decision.low,
        high=decision.high,
        prediction_hash=prepared.hash,
        measured=run.value,
        outcome=decision.outcome,
        null_mean=mean,
        null_count=count,
        null_method=run.control,
        p=decision.p,
        seconds=seconds,
        detail={
            "why": decision.why,
            "again": list(run.again),
            "stability": run.stability,
            **(run.detail or {}),
        },
    )


def claim_trial_rows(trials: Iterable[Trial]) -> GraphRows:
    """Return trials as rows: ABOUT their claim and their model, SUPPORTS or REFUTES the claim.

    So are the proofs that they name, which are there already.
    """
    trials = list(trials)
    ends = [(one.id, str(one.settings["claim"]), one.model, one.outcome) for one in trials]
    proofs = [
        (str(one.detail["proof"]), str(one.settings["claim"]), one.outcome)
        for one in trials
        if "proof" in one.detail
    ]
    return GraphRows(
        nodes=trial_rows(trials).nodes, relations=[*_relations(ends), *speaking(proofs)]
    )


def _relations(ends: Sequence[tuple[str, str, str | None, str]]) -> list[Relations]:
    speaks = {"held": "SUPPORTS", "failed": "REFUTES"}
    found = []
    for label, place, role in (("Claim", 1, "claim"), ("Model", 2, "network")):
        rows = [
            {"source": one[0], "target": one[place], "role": role} for one in ends if one[place]
        ]
        if rows:
            found.append(Relations("ABOUT", "Trial", label, relation_table("ABOUT", rows_of(rows))))
    for outcome, name in speaks.items():
        rows = [{"source": one[0], "target": one[1]} for one in ends if one[3] == outcome]
        if rows:
            found.append(Relations(name, "Trial", "Claim", relation_table(name, rows_of(rows))))
    return found


def carried_rows(trials: Sequence[Mapping[str, Any]], lines: Sequence[Line]) -> GraphRows:
    """Return the trials that a bundle brings; each must be of a claim in it, as it stands there.

    Raises
    ------
    ClaimError
        One is not: its id or its prediction's hash is another one.
    """
    from circuitkb.schema.tables import node_table

    if not trials:
        return GraphRows()
    said = {line.record["id"]: line.record for line in lines}
    known = set(node_schema("Trial").names)
    ends = []
    for row in trials:
        if not isinstance(row.get("id"), str) or row.get("kind") != KIND or set(row) - known:
            raise ClaimError("trials.jsonl: this is no trial of a claim. Nothing was written.")
        try:
            settings = json.loads(row["detail"])["settings"]
            claim = said[settings["claim"]]
            predicted = prediction_hash(claim["prediction"], claim["tolerance"])
            right = predicted == row["prediction_hash"] and _id(row, settings) == row["id"]
        except (KeyError, TypeError, ValueError):
            right = False
        if not right:
            raise ClaimError(
                f"trials.jsonl: {row['id'][:60]} is not what its claim predicts here. Nothing was "
                "written."
            )
        ends.append((row["id"], settings["claim"], None, row.get("outcome", "undecided")))
    nodes = {
        "Trial": node_table("Trial", rows_of(list({row["id"]: row for row in trials}.values())))
    }
    return GraphRows(nodes=nodes, relations=_relations(list(dict.fromkeys(ends))))


def _id(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    what: list[Any] = [row["kind"], json.loads(row["detail"])["fingerprint"], row["network"]]
    what += [row["edit"], row["method"], row["version"], row["measure"], row["inputs"], None]
    return f"trial-{content_hash([*what, row['seed'], dict(settings)])[:16]}"
