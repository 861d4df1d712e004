"""What became of claims between two knowledge bases, or bundles: a science that remembers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from circuitkb.claims.reading import read_claims
from circuitkb.claims.standing import SUPPORTED, UNTESTED, Standing
from circuitkb.claims.stored import StoredClaims
from circuitkb.results.result import Result


@dataclass(frozen=True)
class ClaimsDiff:
    """Standings before and after, of every claim in either."""

    before: Mapping[str, Standing]
    after: Mapping[str, Standing]

    @property
    def lost(self) -> tuple[str, ...]:
        """Claims that were supported and no longer are."""
        return tuple(
            id
            for id, one in sorted(self.before.items())
            if one.standing == SUPPORTED and self._now(id).standing != SUPPORTED
        )

    def _now(self, id: str) -> Standing:
        return self.after.get(id, Standing(UNTESTED, "it is not there"))

    def _then(self, id: str) -> Standing:
        return self.before.get(id, Standing(UNTESTED, "it is not there"))

    def to_result(self) -> Result:
        """Return what changed: first what was supported and no longer is."""
        changed = [
            id
            for id in sorted({*self.before, *self.after})
            if self._then(id).standing != self._now(id).standing
        ]
        lost = set(self.lost)
        rows = [
            {
                "claim": id,
                "before": self._then(id).standing,
                "after": self._now(id).standing,
                "why": self._now(id).why,
            }
            for id in sorted(changed, key=lambda id: (id not in lost, id))
        ]
        columns = ("claim", "before", "after", "why")
        notes = (
            f"{len(lost)} that were supported no longer are; {len(changed)} of "
            f"{len({*self.before, *self.after})} claims stand otherwise",
        )
        return Result.of_records(rows, columns=columns, notes=notes)


def diff(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> ClaimsDiff:
    """Compare the standings of two knowledge bases or bundles.

    Raises
    ------
    StoreNotFoundError, ClaimError
        One of them is nowhere, or cannot be read.
    """
    return ClaimsDiff(_standings(before), _standings(after))


def _standings(place: str | os.PathLike[str]) -> Mapping[str, Standing]:
    from circuitkb.stores import open_store

    path = Path(place)
    if path.suffix == ".zip" and path.is_file():
        rows = read_claims(path, "").standings
        return {id: Standing(row["standing"], row.get("why", "")) for id, row in rows.items()}
    with closing(open_store(place, create=False)) as store:
        return StoredClaims.of(store).standings
