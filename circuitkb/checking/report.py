"""What a check of a knowledge base found, as rows to print."""

from __future__ import annotations

from dataclasses import dataclass

from circuitkb.results.result import Result
from circuitkb.stores.findings import Finding


@dataclass(frozen=True)
class CheckReport:
    """What was looked at, and what was found.

    Attributes
    ----------
    address
        The knowledge base.
    findings
        Part by part, in the order in which they were looked at.
    repaired
        What a repair did, one sentence each.
    seconds
        How long it took.

    Examples
    --------
    >>> report = CheckReport("zoo.ckb", (Finding("nodes", "12 nodes"),), (), 0.1)
    >>> report.whole, report.to_result()["found"]
    (True, ['whole'])
    """

    address: str
    findings: tuple[Finding, ...]
    repaired: tuple[str, ...]
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.damage for finding in self.findings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired, and what it comes to."""
        damaged = sum(finding.damage for finding in self.findings)
        if damaged:
            return (*self.repaired, f"{self.address} is damaged: {damaged:,} of the rows above.")
        return (*self.repaired, f"{self.address} is whole ({self.seconds:.1f} s).")

    def to_result(self) -> Result:
        """Return one row for each part: what it is, how much of it, what was found, what to do."""
        rows = tuple(
            (
                item.part,
                item.looked_at or None,
                item.found,
                "damaged" if item.damage else "good",
                item.remedy or None,
            )
            for item in self.findings
        )
        names = ("part", "looked_at", "found", "state", "to_do")
        return Result(names, rows, seconds=self.seconds, notes=self.notes)
