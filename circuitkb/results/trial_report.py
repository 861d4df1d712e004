"""What one trial came to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from circuitkb.results.result import Result

if TYPE_CHECKING:
    from circuitkb.trials.trial import Trial

SAME = 1e-4
"""Share of what was measured by which two runs may differ: sums depend on the threads."""


@dataclass(frozen=True)
class TrialReport:
    """A trial that was run.

    Attributes
    ----------
    trial
        What was predicted and measured.
    written
        Whether it is kept; one that was run again is not.
    before
        What an earlier run of it measured, and how that ended.
    remarks
        Of what was shown; not kept.
    """

    trial: Trial
    written: bool = True
    before: tuple[float, str] | None = None
    remarks: tuple[str, ...] = ()

    def compared(self, measured: float, outcome: str) -> Self:
        """Return the same, beside what an earlier run of it gave."""
        return replace(self, before=(measured, outcome))

    @property
    def same(self) -> bool | None:
        """Whether an earlier run gave the same; None if there was none."""
        if self.before is None:
            return None
        earlier, _ = self.before
        near = abs(self.trial.measured - earlier) <= SAME * max(1.0, abs(earlier))
        # q is over all trials of a search, which one trial alone does not repeat.
        return near

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        trial = self.trial
        detail = trial.detail
        notes = [f"measured: {trial.measure}; shown: {trial.inputs}"]
        if trial.null_method:
            notes.append(f"controls: {trial.null_method}")
        parts = detail.get("parts", {})
        notes += [
            f"{name} {'held' if part['held'] else 'failed'}: {part['value']:.3g}, controls "
            f"{part['null_mean']:.3g}" + (f", p {part['p']:.2g}" if part["p"] else "")
            for name, part in parts.items()
        ]
        notes += detail.get("left_in_place", [])
        if self.before is not None:
            said = "the same" if self.same else "SOMETHING ELSE"
            notes.append(f"run again, it gives {said}: {self.before[0]:.6g} before")
        return (*notes, *self.remarks)

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as JSON can hold it."""
        trial = self.trial
        row = {
            "trial": trial.id,
            "outcome": trial.outcome,
            "edit": trial.edit,
            "measure": trial.measure,
            "predicted": trial.predicted,
            "low": trial.low,
            "high": trial.high,
            "measured": trial.measured,
            "null_mean": trial.null_mean,
            "null_count": trial.null_count,
            "p": trial.p,
            "q": trial.q,
            "circuit": trial.circuit,
            "seconds": round(trial.seconds, 2),
            "detail": dict(trial.detail),
        }
        return row if self.before is None else row | {"same": self.same}

    def to_result(self) -> Result:
        """Return one row."""
        return Result.of_records([self.to_dict()], seconds=self.trial.seconds, notes=self.notes)
