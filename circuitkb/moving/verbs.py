"""The verbs of a knowledge base that move it: part of :class:`circuitkb.KnowledgeBase`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.moving.copies.report import CopyReport
    from circuitkb.moving.files.formats import ExportReport
    from circuitkb.moving.releases.release import Pages, ReleaseReport


class Moving:
    """What a knowledge base can do with other stores and with files."""

    store: Store

    def push(
        self,
        address: str | os.PathLike[str],
        *,
        models: Sequence[str] | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> CopyReport:
        """Copy this knowledge base, or some of its models, into another store.

        What is there already stays; an interrupted copy goes on where it stopped when it is made
        again. Every kind is read back and compared by its count and hash.

        Parameters
        ----------
        address
            A path, or the URL of a server; made if nothing is there.
        models
            Names of the models to copy, with all that speaks of them; everything if not given.
        dry_run
            Whether to look only, and write nothing.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            No such model.
        ModelConflictError
            Other weights stand there under the same name; nothing was written.
        StoreError
            What was read back differs, or a store cannot be read or written.
        """
        from circuitkb.moving.copies.copy import copy
        from circuitkb.stores import open_store

        with closing(open_store(address)) as other:
            return copy(self.store, other, models, dry_run=dry_run, progress=progress)

    def pull(
        self,
        address: str | os.PathLike[str],
        *,
        models: Sequence[str] | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> CopyReport:
        """Copy another knowledge base, or some of its models, into this one; as :meth:`push`.

        Raises
        ------
        StoreNotFoundError
            There is no knowledge base at the address.
        """
        from circuitkb.moving.copies.copy import copy
        from circuitkb.stores import open_store

        with closing(open_store(address, create=False)) as other:
            return copy(other, self.store, models, dry_run=dry_run, progress=progress)

    def export(
        self,
        format: str,
        directory: str | os.PathLike[str],
        *,
        models: Sequence[str] | None = None,
        max_rank: int | None = None,
        force: bool = False,
        progress: Progress = silent,
    ) -> ExportReport:
        """Write this knowledge base, or some of its models, into files, whole or not at all.

        Parameters
        ----------
        format
            ``"parquet"``, which :meth:`circuitkb.KnowledgeBase.load` reads back without loss, or
            ``"neo4j-admin"``, for Neo4j's offline import; ``"graphml"``, ``"gexf"`` or ``"json"``
            (node-link), one file for graph libraries and viewers.
        directory
            The folder, or the file; made if it is not there.
        models
            Names of the models, with all that speaks of them; everything if not given.
        max_rank
            For graph files: rank up to which weights are written; all that the graph keeps if
            not given.
        force
            Whether an export that is there already is replaced; nothing else ever is.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        SchemaError
            No such format.
        NotFoundError
            No such model.
        StoreError, StoreFullError
            The folder holds something, or cannot be written; nothing was changed.
        """
        from circuitkb.moving.files.formats import export

        return export(
            self.store,
            format,
            directory,
            models=models,
            max_rank=max_rank,
            force=force,
            progress=progress,
        )

    def release(
        self,
        name: str,
        output: str | os.PathLike[str] | None = None,
        *,
        version: str = "1",
        models: Sequence[str] | None = None,
        authors: Sequence[str] = (),
        license: str | None = None,
        with_unlicensed: bool = False,
        pages: Pages | None = None,
        progress: Progress = silent,
    ) -> ReleaseReport:
        """Write this knowledge base as data to publish: hashes, licences, how to cite, Croissant.

        :meth:`circuitkb.KnowledgeBase.load` reads the folder back. It is there whole or not at
        all, is never changed, and tells no folder of this machine.

        Parameters
        ----------
        name, version
            What it is called.
        output
            A folder that is not there yet; ``NAME-VERSION`` if not given.
        models
            Names of the models, with all that speaks of them; everything if not given.
        authors
            Whom to cite.
        license
            Of what circuitkb measured and found in it (SPDX); networks and labels have their own.
        with_unlicensed
            Whether labels go along whose authors gave no licence.
        pages
            Writes pages into a folder, as
            ``lambda folder, progress: write_atlas(kb, folder, progress=progress)`` does.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        ReleaseError
            The folder is there, labels have no licence, or a name is none; nothing was written.
        NotFoundError
            No such model.
        StoreError, StoreFullError
            The folder cannot be written.
        """
        from pathlib import Path

        from circuitkb.moving.releases.release import release

        return release(
            self.store,
            name,
            output=None if output is None else Path(output),
            version=version,
            models=models,
            authors=authors,
            license=license,
            with_unlicensed=with_unlicensed,
            pages=pages,
            progress=progress,
        )
