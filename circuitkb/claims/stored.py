"""The claims of a store, with the trials that count now and those that counted before.

A trial counts while what it depended on is what is here: the weights, the battery, the searches,
the method and the prediction. So standings change by themselves when any of these does; what
counted before stays as history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from circuitkb.claims.naming import is_feature
from circuitkb.claims.standing import ClaimState, Standing, standings
from circuitkb.claims.trial_rows import KIND, Prepared
from circuitkb.claims.ways.registry import WAYS
from circuitkb.schema.errors import ClaimError
from circuitkb.schema.ids import FeatureId, content_hash
from circuitkb.schema.near_matches import did_you_mean
from circuitkb.stores.base import Store

_CLAIMS = """\
MATCH (c:Claim) RETURN c.id AS id, c.text AS text, c.aspect AS aspect, c.subject AS subject,
  c.said_of AS said_of, c.test AS test, c.standing AS standing, c.refuted_by AS refuted_by,
  c.source AS source, c.created AS created, c.license AS license, c.state AS state,
  c.parts AS parts, c.records AS records ORDER BY id"""

_TRIALS = """\
MATCH (t:Trial {kind: $kind})-[:ABOUT]->(c:Claim) RETURN c.id AS claim, properties(t) AS trial
ORDER BY claim, trial.created DESC, trial.id"""

_IMPORTS = """\
MATCH (i:Import) WHERE i.kind IN $kinds
RETURN i.kind AS kind, i.model AS model, i.source AS source, i.summary AS summary ORDER BY i.id"""

_KEPT = {
    "observe": ("battery", "stimuli", "images"),
    "find": ("motif", "of", "by", "search", "seed"),
    "match": ("models", "battery", "seed"),
}
"""Of the summary of an Import, what outcomes depend on."""


@dataclass(frozen=True)
class StoredClaim:
    """A claim, its first record, and its trials, newest first.

    Attributes
    ----------
    node
        Its properties.
    record
        What it says; the one that is shown, where two contest it.
    trials
        Properties of its trials.
    model
        The model that it is about; None for a whole.
    missing
        Why it cannot be tested: its model, or what it is about, is not here.
    """

    node: Mapping[str, Any]
    record: Mapping[str, Any]
    trials: Sequence[Mapping[str, Any]]
    model: str | None
    missing: str = ""

    @property
    def id(self) -> str:
        """Of the node."""
        return str(self.node["id"])


@dataclass(frozen=True)
class StoredClaims:
    """All claims of a store and what their trials depend on.

    Attributes
    ----------
    claims
        By id.
    weights
        Fingerprint of each model.
    imports
        Kind, model, source and summary of what was done.
    """

    claims: Mapping[str, StoredClaim]
    weights: Mapping[str, str]
    imports: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @classmethod
    def of(cls, store: Store) -> StoredClaims:
        """Read them."""
        weights = dict(
            store.read("MATCH (m:Model) RETURN m.id AS id, m.fingerprint AS f", limit=None).rows
        )
        circuits: dict[str, str] = {}
        trials: dict[str, list[Mapping[str, Any]]] = {}
        for row in store.read(_TRIALS, {"kind": KIND}, limit=None).to_dicts():
            trials.setdefault(row["claim"], []).append(row["trial"])
        nodes = store.read(_CLAIMS, limit=None).to_dicts()
        others = sorted({node["subject"] for node in nodes if node["subject"]} - set(weights))
        if others:
            text = "UNWIND $ids AS id MATCH (c:Circuit {id: id}) RETURN c.id AS id, c.model AS m"
            circuits = dict(store.read(text, {"ids": others}, limit=None).rows)
        kinds = sorted({kind for way in WAYS.values() for kind in way.reads})
        imports = store.read(_IMPORTS, {"kinds": kinds}, limit=None).to_dicts()
        found = {}
        for node in nodes:
            if not node["records"]:
                continue
            records = [json.loads(text) for text in node["records"]]
            record = next((one for one in records if one["statement"] == node["text"]), records[0])
            model, missing = _model(node["subject"], weights, circuits)
            own = trials.get(node["id"], ())
            found[node["id"]] = StoredClaim(node, record, own, model, missing)
        return cls(found, weights, imports)

    def claim(self, id: str) -> StoredClaim:
        """Return a claim; raises :class:`ClaimError` with near matches."""
        if id in self.claims:
            return self.claims[id]
        near = did_you_mean(id, self.claims) if self.claims else ""
        raise ClaimError(f"There is no claim {id!r} here: circuitkb claim list shows them.{near}")

    def prepared(self, claim: StoredClaim) -> Prepared | None:
        """Return what a test of a claim is, now; None where it cannot be tested."""
        prediction = claim.record.get("prediction")
        if prediction is None or claim.model is None or claim.missing:
            return None
        way = WAYS[prediction["test"]]
        models = [claim.model, *([prediction["with"]] if "with" in prediction else [])]
        conditions: dict[str, Any] = {
            "weights": {name: self.weights.get(name) for name in models},
        }
        settings = []
        for done in self._done:
            if done["kind"] in way.reads and done["model"] in models and _same(done, prediction):
                settings.append({"kind": done["kind"], "model": done["model"], **done["kept"]})
                if done["kind"] == "observe":
                    conditions["battery"] = done["kept"].get("battery")
        conditions["settings"] = content_hash(settings)[:16]
        return Prepared(
            claim.id,
            claim.model,
            prediction,
            claim.record["tolerance"],
            conditions,
            way.name,
            way.version,
        )

    @cached_property
    def _done(self) -> list[dict[str, Any]]:
        found = []
        for row in self.imports:
            summary = json.loads(row["summary"])
            kept = {name: summary[name] for name in _KEPT[row["kind"]] if name in summary}
            if kept:
                found.append({"kind": row["kind"], "model": row["model"], "kept": kept})
        return found

    def current(self, claim: StoredClaim) -> Mapping[str, Any] | None:
        """Return the trial that counts now, or None."""
        prepared = self.prepared(claim)
        if prepared is None:
            return None
        for trial in claim.trials:
            settings = json.loads(trial["detail"])["settings"]
            if (
                settings["conditions"] == prepared.conditions
                and trial["prediction_hash"] == prepared.hash
                and trial.get("version") == prepared.version
                and trial.get("method") == f"claim: {prepared.method}"
            ):
                return trial
        return None

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """How each claim stands."""
        return standings({id: self._tested(claim) for id, claim in self.claims.items()})

    def _tested(self, claim: StoredClaim) -> ClaimState:
        trial = self.current(claim)
        not_tested = claim.missing or "not tested yet"
        if trial is None and claim.trials and not claim.missing:
            last = claim.trials[0]
            not_tested = (
                f"{last['outcome']} when it was last tested; weights, battery, searches or method "
                "changed since"
            )
        return ClaimState(
            claim.node["state"] or "live",
            claim.node["parts"] or (),
            predicts="prediction" in claim.record,
            outcome=None if trial is None else trial["outcome"],
            why="" if trial is None else _why(claim, trial),
            not_tested=not_tested,
        )


def _why(claim: StoredClaim, trial: Mapping[str, Any]) -> str:
    why: str = json.loads(trial["detail"]).get("why", "")
    said_of = claim.record.get("said_of")
    if trial["outcome"] == "failed" and said_of is not None:
        return f"{why}; not transferred from {said_of}"
    return why


def _model(
    subject: str | None, weights: Mapping[str, str], circuits: Mapping[str, str]
) -> tuple[str | None, str]:
    """Return the model of a subject, and why it cannot be tested."""
    if subject is None:
        return None, ""
    model = FeatureId.parse(subject).model if is_feature(subject) else subject
    model = circuits.get(subject, model)
    return model, "" if model in weights else f"{model} is not here"


def _same(done: Mapping[str, Any], prediction: Mapping[str, Any]) -> bool:
    """Tell whether an Import is about what a prediction asks: a search for its motif, a match."""
    if done["kind"] == "find":
        motif, of = prediction.get("motif"), prediction.get("of")
        kept = done["kept"]
        return kept.get("motif") == motif and of in (None, kept.get("of"))
    if done["kind"] == "match":
        return prediction.get("with") in done["kept"].get("models", ())
    return True
