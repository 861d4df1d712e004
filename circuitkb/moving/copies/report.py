"""What a copy from one store into another did."""

from __future__ import annotations

from dataclasses import dataclass

from circuitkb.results.result import Result


@dataclass(frozen=True)
class CopiedKind:
    """What was copied of one kind.

    Attributes
    ----------
    kind, source, target
        A label; or a relation with the labels of its ends; or ``kernels`` or ``responses``, which
        count one row for each model.
    rows
        Rows to copy.
    copied
        Those that were not there, or otherwise; with a dry run, they still are not.
    there
        Those that the target holds now.
    hash
        Hash of the rows to copy (:mod:`circuitkb.moving.copies.row_hashes`).
    there_hash
        Hash of the same rows of the target.
    """

    kind: str
    source: str
    target: str
    rows: int
    copied: int
    there: int
    hash: str
    there_hash: str


@dataclass(frozen=True)
class CopyReport:
    """What a copy did, kind by kind.

    Attributes
    ----------
    source, target
        Addresses of the stores.
    models
        Models of the copy.
    written
        Those of which anything was written.
    dry_run
        Whether it only looked.
    kinds
        The kinds that there is anything of.
    seconds
        How long it took.
    """

    source: str
    target: str
    models: tuple[str, ...]
    written: tuple[str, ...]
    dry_run: bool
    kinds: tuple[CopiedKind, ...]
    seconds: float

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return sum(item.rows for item in self.kinds)

    @property
    def copied(self) -> int:
        """Rows of all kinds that were copied, or would be."""
        return sum(item.copied for item in self.kinds)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures.

        Examples
        --------
        >>> CopyReport("a.ckb", "b.ckb", (), (), False, (), 0.1).notes
        ('a.ckb is empty: there is nothing to copy.',)
        """
        models = f"{len(self.models)} model{'' if len(self.models) == 1 else 's'}"
        if not self.rows:
            return (f"{self.source} is empty: there is nothing to copy.",)
        if not self.copied:
            return (f"{self.target} holds all of it already: nothing changed.",)
        amount = f"{self.copied:,} of {self.rows:,} rows, {models},"
        if self.dry_run:
            return (f"{amount} would go from {self.source} to {self.target}: nothing was written.",)
        return (
            f"{amount} went from {self.source} to {self.target} in {self.seconds:.1f} s, "
            "and were read back: counts and hashes agree.",
        )

    def to_result(self) -> Result:
        """Return one row for each kind."""
        names = ("kind", "from", "to", "rows", "copied", "there", "hash", "there_hash")
        rows = tuple(
            (
                item.kind,
                item.source or None,
                item.target or None,
                item.rows,
                item.copied,
                item.there,
                item.hash,
                item.there_hash,
            )
            for item in self.kinds
        )
        return Result(names, rows, seconds=self.seconds, notes=self.notes)
