"""What a list of trials came to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from circuitkb.results.result import Result

NAMED = 3
"""So many edits are named in a note; the others are counted."""


class Ended(NamedTuple):
    """How one trial of a list ended.

    Attributes
    ----------
    in_interval
        Whether what was measured lies in the interval that was predicted.
    searched
        Whether its stimuli were searched to break the prediction.
    there
        Whether it was there before.
    """

    id: str
    model: str
    outcome: str
    in_interval: bool
    searched: bool
    there: bool


@dataclass(frozen=True)
class TrialList:
    """A list of trials that was run.

    Attributes
    ----------
    trials
        Each once, in order.
    repeated
        Lines that asked for a trial that another line asks for, too.
    exploded
        Edits, in words, that make their network respond with NaN or infinity: they have no trial.
    batch
        So many trials are written together.
    seconds
        How long it took.
    remarks
        Of what was shown.

    Examples
    --------
    >>> found = TrialList([Ended("trial-0", "m", "held", True, False, False)], 0, (), 500, 1.0)
    >>> found.to_result().to_dicts()[0]["coverage"]
    1.0
    """

    trials: Sequence[Ended]
    repeated: int
    exploded: tuple[str, ...]
    batch: int
    seconds: float
    remarks: tuple[str, ...] = ()

    @property
    def there(self) -> int:
        """Trials that were there before, and were not run."""
        return sum(one.there for one in self.trials)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        notes = [
            "coverage: share of the trials whose measured change lies in the interval predicted; "
            "the intervals are made to hold in 95% of random edits of the kind"
        ]
        if any(one.searched for one in self.trials):
            notes.append(
                "searched: pixels were moved so that the prediction fails, if it can; for these no "
                "interval is promised to hold"
            )
        if self.there:
            notes.append(f"{self.there} trials were there before, and were not run again")
        if self.repeated:
            notes.append(f"{self.repeated} lines ask for what an earlier one asks for")
        if self.exploded:
            more = f" and {len(self.exploded) - NAMED} more" if len(self.exploded) > NAMED else ""
            notes.append(
                "the network responds with NaN or infinity, so there is no trial of: "
                f"{', '.join(self.exploded[:NAMED])}{more}"
            )
        return (*notes, *self.remarks)

    def to_result(self) -> Result:
        """Return a row for each model and for stimuli as they are and searched."""
        kinds = dict.fromkeys(sorted((one.model, one.searched) for one in self.trials))
        rows = [
            _row(*kind, [one for one in self.trials if (one.model, one.searched) == kind])
            for kind in kinds
        ]
        return Result.of_records(rows, seconds=self.seconds, notes=self.notes)


def _row(model: str, searched: bool, trials: Sequence[Ended]) -> dict[str, Any]:
    outcomes = Counter(one.outcome for one in trials)
    share = sum(one.in_interval for one in trials) / len(trials)
    return {
        "model": model,
        "stimuli": "searched" if searched else "as they are",
        "trials": len(trials),
        "there_before": sum(one.there for one in trials),
        "held": outcomes["held"],
        "failed": outcomes["failed"],
        "undecided": outcomes["undecided"],
        "coverage": round(share, 4),
        "coverage_error": round(math.sqrt(share * (1 - share) / len(trials)), 4),
    }
