"""What people say, in Python: ``kb.annotate``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from circuitkb.results.result import Result
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.annotations.comparing.agreement import AgreementReport
    from circuitkb.annotations.comparing.vocabulary import VocabularyReport
    from circuitkb.annotations.report import ImportReport
    from circuitkb.annotations.sharing.exporting import ExportFormat, ExportReport
    from circuitkb.annotations.sharing.syncing import SyncReport
    from circuitkb.loaders.annotation_formats.lines import AuthorType

PathName = str | os.PathLike[str]


class Annotating:
    """Gives a knowledge base its ``annotate``."""

    store: Store

    @property
    def annotate(self) -> Annotate:
        """Import, add, compare and share what people say of features and circuits."""
        return Annotate(self.store)


class Annotate:
    """Annotations of a knowledge base: import, add, compare, share.

    Nothing here changes or removes what somebody said: an edit supersedes, a retraction takes back,
    and both are annotations too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def import_files(
        self,
        *paths: PathName,
        format: str | None = None,
        author: str | None = None,
        author_type: AuthorType | None = None,
        model: str | None = None,
        layer: str | None = None,
        vocabulary: str | None = None,
        license: str | None = None,
        created: str | None = None,
        source: str | None = None,
        unit_base: Literal[0, 1] | None = None,
        partial: bool = False,
        dry_run: bool = False,
        importer: str | None = None,
        progress: Progress = silent,
    ) -> ImportReport:
        """Read annotations from files, all or none; in any order, any number of times.

        Parameters
        ----------
        paths
            Files; ``docs/annotation_formats.md`` has the formats.
        format
            Name of the format; recognised if not given.
        author, author_type, model, layer, vocabulary, license, created, source, unit_base
            What the files leave out. ``unit_base`` is the number of a layer's first unit.
        partial
            Whether to leave out records that are refused, and write the others.
        dry_run
            Whether to look only, and write nothing.
        importer
            Who imports; else what ``CIRCUITKB_AUTHOR`` names, else the user's name.
        progress
            Called with what is being done and how far it is.

        Returns
        -------
        ImportReport
            Counts, and every conflict with its line. A dry run raises nothing for refused records
            but reports them.

        Raises
        ------
        AnnotationError
            Records are refused, and nothing was written; its ``rejections`` has each.
        AnnotationFileError
            A file cannot be read at all.
        """
        from circuitkb.annotations.importing import import_annotations, raise_if_refused
        from circuitkb.loaders.annotation_formats.lines import Defaults

        report = import_annotations(
            self._store,
            [Path(path) for path in paths],
            format=format,
            defaults=Defaults(
                author=author,
                author_type=author_type,
                model=model,
                layer=layer,
                vocabulary=vocabulary,
                license=license,
                created=created,
                source=source,
                unit_base=unit_base,
            ),
            partial=partial,
            dry_run=dry_run,
            importer=importer,
            progress=progress,
        )
        if not dry_run:
            raise_if_refused(report)
        return report

    def add(
        self,
        target: str | FeatureId,
        label: str,
        *,
        author: str | None = None,
        author_type: AuthorType = "human",
        vocabulary: str | None = None,
        confidence: float | None = None,
        sign: Literal["excitatory", "inhibitory", "mixed"] | None = None,
        license: str | None = None,
        supersedes: Sequence[str] = (),
    ) -> ImportReport:
        """Label a feature, an edge (``"A -> B"``) or a circuit, on the weights that are here.

        Parameters
        ----------
        author, license
            Else what ``CIRCUITKB_AUTHOR`` and ``CIRCUITKB_LICENSE`` name.
        confidence
            From 0 to 1; leave it out where nobody said one.
        supersedes
            Ids of labels of the same author that it takes the place of.

        Raises
        ------
        NotFoundError
            There is no such feature or circuit.
        AnnotationError
            Nobody says it, or the label cannot be taken.
        """
        from circuitkb.annotations.adding import add_label

        return add_label(
            self._store,
            str(target),
            label,
            author=author,
            author_type=author_type,
            vocabulary=vocabulary,
            confidence=confidence,
            sign=sign,
            license=license,
            supersedes=supersedes,
        )

    def review(
        self,
        annotation: str,
        verdict: Literal["agree", "disagree", "unsure"],
        *,
        text: str | None = None,
        author: str | None = None,
        license: str | None = None,
    ) -> ImportReport:
        """Say whether an annotation of anybody is right; it supersedes one's earlier review of it.

        Raises
        ------
        NotFoundError
            There is no such annotation.
        """
        from circuitkb.annotations.adding import review

        return review(self._store, annotation, verdict, text=text, author=author, license=license)

    def retract(
        self,
        annotation: str,
        *,
        text: str | None = None,
        author: str | None = None,
        license: str | None = None,
    ) -> ImportReport:
        """Take back an annotation of one's own; no import brings it to life again.

        Raises
        ------
        AnnotationError
            It is another author's.
        """
        from circuitkb.annotations.adding import retract

        return retract(self._store, annotation, text=text, author=author, license=license)

    def history(self, id: str | FeatureId) -> Result:
        """Return everything that was said under an id, or of a feature or circuit, oldest first.

        Raises
        ------
        NotFoundError
            There is no such thing.
        """
        from circuitkb.annotations.history import history

        return history(self._store, str(id))

    def agreement(
        self,
        *,
        models: Sequence[str] | None = None,
        layers: Sequence[str] | None = None,
        seed: int = 0,
        resamples: int = 1000,
    ) -> AgreementReport:
        """Return Krippendorff's alpha for each concept and overall, with bootstrap intervals.

        Raises
        ------
        NotFoundError
            No such model or layer.
        """
        from circuitkb.annotations.comparing.agreement import agreement

        return agreement(self._store, models=models, layers=layers, seed=seed, resamples=resamples)

    def consensus(
        self,
        *,
        models: Sequence[str] | None = None,
        layers: Sequence[str] | None = None,
        rule: Literal["majority", "unanimous", "any"] = "majority",
        least_raters: int = 2,
    ) -> Result:
        """Return what raters agree on by a stated rule; a view, never stored.

        Raises
        ------
        NotFoundError
            No such model or layer.
        """
        from circuitkb.annotations.comparing.consensus import consensus

        return consensus(
            self._store, models=models, layers=layers, rule=rule, least_raters=least_raters
        )

    def waiting(
        self, *, models: Sequence[str] | None = None, layers: Sequence[str] | None = None
    ) -> tuple[str, ...]:
        """Return a line for each model that labels wait for, with the command that loads it."""
        from circuitkb.annotations.comparing.waiting import waiting

        return waiting(self._store, models, layers).notes

    def declare(self, vocabulary: PathName) -> VocabularyReport:
        """Take in a vocabulary file: which labels mean which concept, and what would measure it.

        Raises
        ------
        AnnotationFileError
            The file has mistakes; each is listed with its line, and nothing was written.
        """
        from circuitkb.annotations.comparing.vocabulary import declare

        return declare(self._store, Path(vocabulary))

    def suggestions(self) -> Result:
        """Return labels that look alike and share no concept, for people to declare or not."""
        from circuitkb.annotations.comparing.vocabulary import suggestions

        return suggestions(self._store)

    def export(
        self,
        target: PathName,
        format: ExportFormat = "jsonl",
        *,
        models: Sequence[str] | None = None,
        layers: Sequence[str] | None = None,
        authors: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        licenses: Sequence[str] | None = None,
        with_noassertion: bool = False,
        overwrite: bool = False,
        progress: Progress = silent,
    ) -> ExportReport:
        """Write annotations into a file: ``jsonl``, ``csv``, ``web-annotation`` or ``bundle``.

        Records that nobody gave a licence (NOASSERTION) stay behind unless asked for.

        Raises
        ------
        StoreError
            The file is there already, or cannot be written.
        """
        from circuitkb.annotations.sharing.exporting import export_annotations
        from circuitkb.annotations.sharing.stored_records import Selection

        selection = Selection(
            models=models,
            layers=layers,
            authors=authors,
            kinds=kinds,
            licenses=licenses,
            with_noassertion=with_noassertion,
        )
        return export_annotations(
            self._store, Path(target), format, selection, overwrite=overwrite, progress=progress
        )

    def sync(
        self,
        folder: PathName,
        *,
        with_noassertion: bool = False,
        importer: str | None = None,
        progress: Progress = silent,
    ) -> SyncReport:
        """Import what a folder of JSON Lines files has, and write into it what was added here.

        Raises
        ------
        AnnotationError
            A record in the folder is refused; nothing was changed.
        """
        from circuitkb.annotations.sharing.syncing import sync

        return sync(
            self._store,
            Path(folder),
            with_noassertion=with_noassertion,
            importer=importer,
            progress=progress,
        )
