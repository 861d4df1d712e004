"""What people claim, in Python: ``kb.claims``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from circuitkb.results.result import Result
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from circuitkb.claims.adding import AddReport
    from circuitkb.claims.testing import ClaimsReport
    from circuitkb.claims.ways.way import Bench

PathName = str | os.PathLike[str]


class Claiming:
    """Gives a knowledge base its ``claims``."""

    @property
    def claims(self) -> Claims:
        """Add, list, test, compare and share statements that can fail."""
        return Claims(cast("Bench", self))


class Claims:
    """Claims of a knowledge base: see ``docs/claims.md``."""

    def __init__(self, kb: Bench) -> None:
        self._kb = kb

    def add(
        self,
        *paths: PathName,
        shipped: bool = False,
        wait: bool = False,
        author: str | None = None,
    ) -> AddReport:
        """Take in claims from files, all or none; in any order, any number of times.

        Parameters
        ----------
        paths
            YAML, JSON Lines, or bundles.
        shipped
            Whether to take in the claims that come with circuitkb; those on models that are not
            here wait for them.
        wait
            Whether claims on models that are not here are kept until these come.
        author
            Who says it, where a file names nobody; else what ``CIRCUITKB_AUTHOR`` names, or the
            user.

        Raises
        ------
        ClaimError
            Claims are refused, or a file cannot be read; nothing was written.
        """
        from circuitkb.annotations.importing import importer_name
        from circuitkb.claims.adding import add_claims
        from circuitkb.claims.reading import read_claims, shipped_claims
        from circuitkb.schema.errors import ClaimError

        if not paths and not shipped:
            raise ClaimError("Name a file of claims, or take those that come along: --shipped.")
        by = author or importer_name()
        files = [read_claims(Path(path), by) for path in paths]
        if shipped:
            files.append(shipped_claims())
        return add_claims(self._kb.store, files, wait=wait or shipped)

    def list(
        self,
        *,
        model: str | None = None,
        standing: str | None = None,
        aspect: str | None = None,
        limit: int | None = None,
    ) -> Result:
        """Return the claims with their standings: those that are about a model, stand so, ...

        Raises
        ------
        ClaimError
            There is no such standing or aspect.
        """
        from circuitkb.claims.listing import listed

        return listed(self._kb.store, model, standing, aspect, limit)

    def show(self, id: str) -> dict[str, Any]:
        """Return all that is known of a claim: its record, standing, parts, wholes and trials.

        Raises
        ------
        ClaimError
            There is no such claim.
        """
        from circuitkb.claims.listing import shown

        return shown(self._kb.store, id)

    def test(
        self,
        *ids: str,
        model: str | None = None,
        all: bool = False,
        again: bool = False,
        progress: Progress = silent,
    ) -> ClaimsReport:
        """Test claims and their parts that have no trial that counts, and keep what comes of it.

        Parameters
        ----------
        ids
            Which; all if none is named.
        model
            Only those about this model.
        all
            Whether those are tested too that have one.
        again
            Whether to repeat the trials that count and compare, and write nothing.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        ClaimError
            There is no such claim.
        """
        from circuitkb.claims.testing import try_claims

        return try_claims(self._kb, ids, model=model, all=all, again=again, progress=progress)

    def export(
        self,
        *ids: str,
        format: str = "jsonl",
        output: PathName | None = None,
    ) -> str:
        """Return claims, with their parts, as text; or write them into a new file.

        Parameters
        ----------
        format
            ``jsonl``, ``yaml``, ``bundle``: a zip with their trials and what it takes to repeat
            them; or ``vnnlib``: a folder with the statement of one that predicts a proof.

        Raises
        ------
        ClaimError
            No such claim or format, or the file is there.
        """
        from circuitkb.claims.exporting import export_claims, export_statement

        if format == "vnnlib":
            export_statement(self._kb, ids, None if output is None else Path(output))
            return ""
        return export_claims(self._kb.store, ids, format, None if output is None else Path(output))[
            0
        ]
