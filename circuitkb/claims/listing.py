"""Claims as they are listed and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from circuitkb.claims.checking import schema
from circuitkb.claims.standing import counts
from circuitkb.claims.stored import StoredClaims
from circuitkb.results.result import Result
from circuitkb.schema.claims import STANDINGS
from circuitkb.schema.errors import ClaimError
from circuitkb.schema.near_matches import did_you_mean
from circuitkb.stores.base import Store

_OF_TRIAL = (
    *("id", "created", "outcome", "low", "high", "measured", "null_mean", "null_count"),
    *("null_method", "p", "measure", "inputs", "prediction_hash", "seconds", "tool"),
)


def listed(
    store: Store, model: str | None, standing: str | None, aspect: str | None, limit: int | None
) -> Result:
    """Return claims as rows; see :meth:`circuitkb.claims.verbs.Claims.list`."""
    aspects = schema()["properties"]["aspect"]["enum"]
    for what, given, known in (("standing", standing, STANDINGS), ("aspect", aspect, aspects)):
        if given is not None and given not in known:
            raise ClaimError(f"{given!r} is no {what} of a claim.{did_you_mean(given, known)}")
    stored = StoredClaims.of(store)
    chosen = {
        id: claim
        for id, claim in stored.claims.items()
        if model in (None, claim.model)
        and standing in (None, stored.standings[id].standing)
        and aspect in (None, claim.node["aspect"])
    }
    rows = []
    for id, claim in chosen.items():
        trial = stored.current(claim)
        rows.append(
            {
                "claim": id,
                "standing": stored.standings[id].standing,
                "aspect": claim.node["aspect"],
                "subject": claim.node["subject"],
                "said_of": claim.node["said_of"],
                "test": claim.node["test"],
                "measured": None if trial is None else trial["measured"],
                "p": None if trial is None else trial.get("p"),
                "parts": len(claim.node["parts"] or ()) or None,
                "statement": claim.node["text"],
                "source": claim.node["source"],
                "why": stored.standings[id].why,
            }
        )
    total = counts({id: stored.standings[id] for id in chosen})
    notes = [", ".join(f"{count} {name}" for name, count in total.items())] if rows else []
    cut = len(rows) if limit is None else limit
    return Result.of_records(rows[:cut], truncated=len(rows) > cut, notes=tuple(notes))


def shown(store: Store, id: str) -> dict[str, Any]:
    """Return all of a claim; see :meth:`circuitkb.claims.verbs.Claims.show`."""
    stored = StoredClaims.of(store)
    claim = stored.claim(id)
    current = stored.current(claim)
    return {
        "claim": id,
        "standing": stored.standings[id].standing,
        "why": stored.standings[id].why,
        **{
            name: claim.record[name]
            for name in (
                *("statement", "aspect", "subject", "said_of", "prediction", "tolerance"),
                *("refuted_by", "source", "author", "created", "license"),
            )
            if name in claim.record
        },
        "parts": {
            part: stored.standings[part].standing if part in stored.standings else "not here"
            for part in claim.node["parts"] or ()
        },
        "part_of": [
            whole for whole, other in stored.claims.items() if id in (other.node["parts"] or ())
        ],
        "contested": claim.node["state"] == "contested",
        "trials": [
            _trial(trial, counted=current is not None and trial["id"] == current["id"])
            for trial in claim.trials
        ],
    }


def _trial(trial: Mapping[str, Any], *, counted: bool) -> dict[str, Any]:
    detail = json.loads(trial["detail"])
    said = {name: trial[name] for name in _OF_TRIAL if trial.get(name) is not None}
    further = {
        name: detail[name] for name in ("why", "again", "stability", "proof") if name in detail
    }
    return {
        **said,
        **further,
        "counts": counted,
        "weights": detail["settings"]["conditions"]["weights"],
    }
