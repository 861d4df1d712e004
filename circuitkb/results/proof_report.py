"""What proofs came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitkb.results.result import Result
from circuitkb.schema.errors import ProofError

if TYPE_CHECKING:
    from circuitkb.proofs.proof import Proof

HIDDEN = ("asked", "target", "by", "variables", "free", "kinks", "nodes", "note", "detail")
"""Columns that a table shows only where all are wanted."""


@dataclass(frozen=True)
class ProofReport:
    """Statements that were decided.

    Attributes
    ----------
    proofs
        In the order asked.
    failed
        What could not be encoded, and why.
    seconds
        How long it took.
    written
        Whether they are kept; one that was decided again is not.
    before
        How a proof that was decided again ended before.
    """

    proofs: tuple[Proof, ...]
    failed: tuple[tuple[str, str], ...]
    seconds: float
    written: bool = True
    before: str | None = None

    @property
    def proof(self) -> Proof:
        """The one proof.

        Raises
        ------
        ProofError
            There is not just one.
        """
        if len(self.proofs) != 1:
            raise ProofError(f"There are {len(self.proofs)} proofs here, not one: see .proofs")
        return self.proofs[0]

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(one.outcome for one in self.proofs)

    @property
    def same(self) -> bool | None:
        """Whether a proof that was decided again ended the same; None if there was none."""
        return None if self.before is None else self.proof.outcome == self.before

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        notes = [f"{name}: {why}" for name, why in self.failed[:5]]
        if len(self.failed) > 5:
            notes.append(f"and {len(self.failed) - 5} more that could not be encoded")
        if len(self.proofs) == 1:
            notes += _said(self.proof)
        elif self.proofs:
            counts = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
            notes.append(f"{len(self.proofs)} statements: {counts}")
        if self.before is not None:
            notes.append(
                f"decided again, it ends {'the same' if self.same else 'OTHERWISE'}: {self.before} "
                "before"
            )
        return tuple(notes)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the proofs as JSON can hold them."""
        return [
            {**_row(one), "witness": None if one.witness is None else dict(one.witness)}
            | ({} if self.before is None else {"same": self.same})
            for one in self.proofs
        ]

    def to_result(self) -> Result:
        """Return a row for each proof."""
        return Result.of_records(
            [_row(one) for one in self.proofs], seconds=self.seconds, notes=self.notes
        )


def _row(one: Proof) -> dict[str, Any]:
    return {
        "proof": one.id,
        "outcome": one.outcome,
        "circuit": one.circuit,
        "target": one.target,
        "when": one.when,
        "then": one.then,
        "box": one.box,
        "bound": one.bound,
        "value": one.value,
        "measured": one.measured,
        "by": one.by,
        "asked": one.asked,
        "variables": one.variables,
        "free": one.free,
        "kinks": one.kinks,
        "nodes": one.nodes,
        "seconds": round(one.seconds, 2),
        "note": one.note,
    }


def _said(one: Proof) -> list[str]:
    over = f"over {one.free:,} free numbers of {one.variables:,}"
    sentences = {
        "proved": f"proved by {one.by} {over}: no values in the box break it",
        "refuted": f"refuted by {one.by}: a counterexample in the box",
        "undecided": f"undecided ({one.by}): {one.note}",
        "vacuous": "vacuous: nothing in the box fulfils what must hold",
    }
    notes = [sentences[one.outcome]]
    if one.measured is not None:
        notes.append(
            f"run on the network, the counterexample gives the target {one.measured:.6g}"
            + (f"; by kernels {one.value:.6g}" if one.value is not None else "")
        )
    if one.note and one.outcome in ("proved", "refuted"):
        notes.append(one.note)
    return notes
