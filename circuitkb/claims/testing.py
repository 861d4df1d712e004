"""Claims tested: each prediction hashed, its test run, the outcome written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from circuitkb.claims.standing import Standing, counts
from circuitkb.claims.stored import StoredClaim, StoredClaims
from circuitkb.claims.trial_rows import claim_trial_rows, tried
from circuitkb.claims.ways.registry import WAYS
from circuitkb.claims.ways.way import Asked, Bench
from circuitkb.results.result import Result
from circuitkb.schema.errors import CircuitKBError
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.tables import GraphRows, node_table, rows_of
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.trials.trial import Trial

LOST = 5.0
"""Seconds of work that a kill may lose: trials are written when so many went by."""

SAME = 1e-6
"""How far a repeated value may be from the first, relative to its size."""


@dataclass(frozen=True)
class ClaimTested:
    """A claim that was to be tested.

    Attributes
    ----------
    claim
        Its id.
    trial
        What came of it; None where it could not be tested.
    why_not
        Why it could not.
    before
        What was measured before, where it was tested again.
    """

    claim: str
    trial: Trial | None
    why_not: str = ""
    before: float | None = None

    @property
    def repeated(self) -> bool | None:
        """Whether a second test gave the same; None where there was none."""
        if self.before is None or self.trial is None:
            return None
        return abs(self.trial.measured - self.before) <= SAME * max(1.0, abs(self.before))


@dataclass(frozen=True)
class ClaimsReport:
    """What became of some claims, and how these and what they are parts of stand now."""

    tested: tuple[ClaimTested, ...]
    standings: dict[str, Standing]
    said: dict[str, dict[str, Any]]
    again: bool = False

    def to_result(self) -> Result:
        """Return a row for each claim."""
        by_id = {one.claim: one for one in self.tested}
        rows = [self._row(id, by_id.get(id)) for id in self.standings]
        total = ", ".join(f"{count} {name}" for name, count in counts(self.standings).items())
        notes = [f"{len(rows)} claims: {total}; of a whole the weakest part decides"]
        if self.again:
            same = [one.repeated for one in self.tested if one.repeated is not None]
            notes.append(f"tested again: {sum(same)} of {len(same)} gave the same value")
        return Result.of_records(rows, notes=tuple(notes))

    def _row(self, id: str, one: ClaimTested | None) -> dict[str, Any]:
        trial = one.trial if one else None
        row = {
            "claim": id,
            "standing": self.standings[id].standing,
            "subject": self.said[id]["subject"],
            "test": self.said[id]["test"],
            "low": trial.low if trial else None,
            "high": trial.high if trial else None,
            "measured": trial.measured if trial else None,
            "null_mean": trial.null_mean if trial else None,
            "p": trial.p if trial else None,
            "why": self.standings[id].why,
        }
        return row | ({"repeated": one.repeated if one else None} if self.again else {})


def try_claims(
    kb: Bench,
    ids: Sequence[str] = (),
    *,
    model: str | None = None,
    all: bool = False,
    again: bool = False,
    progress: Progress = silent,
) -> ClaimsReport:
    """Test claims; see :meth:`circuitkb.claims.verbs.Claims.test`."""
    stored = StoredClaims.of(kb.store)
    chosen = _chosen(stored, ids, model)
    tested: list[ClaimTested] = []
    kept: list[Trial] = []
    written = perf_counter()
    due = [id for id in chosen if again or all or stored.current(stored.claim(id)) is None]
    for number, id in enumerate(due):
        share = within(progress, number / len(due), (number + 1) / len(due), f"{id}: {{}}")
        share("testing", 0.0)
        one = _tested(kb, stored, stored.claim(id), share, again=again)
        if one is None:
            continue
        tested.append(one)
        if one.trial is not None and not again:
            kept.append(one.trial)
        if kept and perf_counter() - written > LOST:
            kb.store.write(claim_trial_rows(kept))
            kept, written = [], perf_counter()
    if kept:
        kb.store.write(claim_trial_rows(kept))
    after = StoredClaims.of(kb.store)
    if not again:
        keep_standings(kb.store, after)
    progress("tested", 1.0)
    why_not = {one.claim: one.why_not for one in tested if one.why_not}
    standings = {
        id: Standing("untested", why_not[id])
        if id in why_not and after.standings[id].standing == "untested"
        else after.standings[id]
        for id in chosen
    }
    said = {id: dict(after.claims[id].node) for id in chosen}
    return ClaimsReport(tuple(tested), standings, said, again)


def _chosen(stored: StoredClaims, ids: Sequence[str], model: str | None) -> list[str]:
    """Return the claims that are named, with all their parts; or all, or those of a model."""
    wanted = [stored.claim(id).id for id in ids] or [
        id for id, claim in stored.claims.items() if model is None or claim.model == model
    ]
    found: dict[str, None] = {}
    while wanted:
        id = wanted.pop(0)
        if id not in found and id in stored.claims:
            found[id] = None
            wanted += stored.claims[id].node["parts"] or ()
    return list(found)


def _tested(
    kb: Bench, stored: StoredClaims, claim: StoredClaim, progress: Progress, *, again: bool
) -> ClaimTested | None:
    prepared = stored.prepared(claim)
    if prepared is None:
        return None
    first = stored.current(claim)
    if again and first is None:
        return ClaimTested(claim.id, None, "it was not tested under these conditions")
    started = perf_counter()
    asked = Asked(
        kb, prepared.model, claim.record["subject"], prepared.prediction, progress, not again
    )
    try:
        run = WAYS[prepared.method].run(asked)
    except CircuitKBError as error:
        return ClaimTested(claim.id, None, str(error).splitlines()[0])
    trial = tried(prepared, run, perf_counter() - started)
    before = None if first is None or not again else first["measured"]
    return ClaimTested(claim.id, trial, before=before)


def keep_standings(store: Store, stored: StoredClaims) -> None:
    """Write how claims stand on their nodes, where that changed, for queries in Cypher."""
    rows = list(_changed(stored))
    if rows:
        store.write(GraphRows(nodes={"Claim": node_table("Claim", rows_of(rows))}))


def _changed(stored: StoredClaims) -> Iterator[dict[str, Any]]:
    for id, claim in stored.claims.items():
        now = stored.standings[id].standing
        if claim.node["standing"] != now:
            yield {"id": id, "text": claim.node["text"], "standing": now}
