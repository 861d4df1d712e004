"""An observation: a network shown the battery, its responses kept, their measures written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, overload

from circuitkb.kb.observing import Known, Wanted, observe
from circuitkb.kb.sharding import share
from circuitkb.kb.writing import Writing
from circuitkb.motifs.registry import DEFAULT
from circuitkb.results.composites_report import CompositesReport
from circuitkb.results.photographs_report import PhotographsReport
from circuitkb.results.reports import ObserveReport
from circuitkb.schema.errors import ObservationError, StoreError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.progress import Progress, silent, together, within
from circuitkb.stores import known_names
from circuitkb.stores.base import Store
from circuitkb.workers.tasks import Task

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.sources.pixels import Level
    from circuitkb.results.result import Result

SIZES, OCCLUSIONS, ROTATIONS = (0.5, 0.25, 0.75), (0.0, 0.4), (0.0,)
"""Of cut-outs, unless they are given."""

MOST_CUT_OUTS, BACKGROUNDS = 60, 2
"""Cut-outs that are shown, and backgrounds for each, unless they are given."""

MEASURED = 0.9
"""Share of an observation that all but writing takes, for progress."""


class Observing(Writing):
    """Gives a knowledge base its ``observe``."""

    @overload
    def observe(
        self,
        model: str,
        *,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> ObserveReport: ...

    @overload
    def observe(
        self,
        model: list[str] | tuple[str, ...],
        *,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        shard: str | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> list[ObserveReport]: ...

    @overload
    def observe(
        self,
        model: str,
        *,
        images: str | os.PathLike[str],
        thumbnails: bool = True,
        license: str | None = None,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> PhotographsReport: ...

    @overload
    def observe(
        self,
        model: list[str] | tuple[str, ...],
        *,
        images: str | os.PathLike[str],
        thumbnails: bool = True,
        license: str | None = None,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        shard: str | None = None,
        progress: Progress = silent,
    ) -> list[PhotographsReport]: ...

    @overload
    def observe(
        self,
        model: str,
        *,
        cut_outs: str | os.PathLike[str],
        backgrounds: str | os.PathLike[str],
        sizes: Sequence[float] = SIZES,
        occlusions: Sequence[float] = OCCLUSIONS,
        rotations: Sequence[float] = ROTATIONS,
        most: int = MOST_CUT_OUTS,
        on: int = BACKGROUNDS,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> CompositesReport: ...

    @overload
    def observe(
        self,
        model: list[str] | tuple[str, ...],
        *,
        cut_outs: str | os.PathLike[str],
        backgrounds: str | os.PathLike[str],
        sizes: Sequence[float] = SIZES,
        occlusions: Sequence[float] = OCCLUSIONS,
        rotations: Sequence[float] = ROTATIONS,
        most: int = MOST_CUT_OUTS,
        on: int = BACKGROUNDS,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        shard: str | None = None,
        progress: Progress = silent,
    ) -> list[CompositesReport]: ...

    def observe(
        self,
        model: str | list[str] | tuple[str, ...],
        *,
        images: str | os.PathLike[str] | None = None,
        thumbnails: bool = True,
        license: str | None = None,
        cut_outs: str | os.PathLike[str] | None = None,
        backgrounds: str | os.PathLike[str] | None = None,
        sizes: Sequence[float] = SIZES,
        occlusions: Sequence[float] = OCCLUSIONS,
        rotations: Sequence[float] = ROTATIONS,
        most: int = MOST_CUT_OUTS,
        on: int = BACKGROUNDS,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        shard: str | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> (
        ObserveReport
        | list[ObserveReport]
        | PhotographsReport
        | list[PhotographsReport]
        | CompositesReport
        | list[CompositesReport]
    ):
        """Show the battery of stimuli to a model and write what its units answer.

        An interrupted observation writes nothing, and goes on where it stopped. The same
        observation again changes nothing.

        Parameters
        ----------
        model
            Name of a model with weights; or of several, which gives a report for each.
        images
            A folder of pictures to be shown instead: of each unit the best are kept, and where
            folders within name classes, what it answers to them. Files that cannot be read are left
            out. Other pictures are another observation, and both stay.
        thumbnails
            Whether small copies of the best pictures are kept; of the others nothing is.
        license
            Of the pictures (SPDX), as in ``CC0-1.0``: without one their copies are not published.
        cut_outs, backgrounds
            A folder of pictures with an alpha channel, to be pasted on pictures of another folder
            and shown instead: unions and mirrored inputs that were found are tested on them. Other
            pictures, or other settings, are another observation, and all stay.
        sizes, occlusions, rotations
            Of the cut-outs: longer side, as a share of the image's smaller side; share of their
            area that is hidden; degrees counter-clockwise. The first of each together, then each of
            the others with all else as in the first.
        most, on
            How many cut-outs are drawn from their folder, and backgrounds for each from theirs.
        source
            Where its weights are now; where they were loaded from if not given. A Python file
            (``FILE.py:FUNCTION``) runs only where it is given here.
        architecture
            What a checkpoint is a checkpoint of; as it was loaded if not given, but for a Python
            file, which runs only where it is given here.
        module
            The network itself, where it was loaded from a ``torch.nn.Module``.
        pixels
            What the network reads for black and for white, each a number or one number for each
            channel, as in ``((0, 0, 0), (255, 255, 1))``; what its source says if not given.
        seed
            Seed of the shuffled weights and of random draws.
        shard
            ``3/40``: take the third, the 43rd, ... of the models; one job of a batch system.
        workers
            Who shows several models the battery, as for :meth:`load`; none for pictures.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            No such model.
        ObservationError
            It cannot be observed: it has no weights, or reads no images; or there are no pictures.
        SourceError
            Its weights are not where they were.
        WorkerError
            A worker died twice, or there is no such cluster.
        """
        store = self.store
        names = [model] if isinstance(model, str) else list(dict.fromkeys(model))
        if len(names) != 1 and (source is not None or module is not None):
            raise ObservationError("A source, or a module, goes with one model.")
        known_names.check_models(store, names)
        names = share(names, shard)
        stored = [stored_model(store, name) for name in names]
        for each in stored:
            refuse_without_weights(each)
        given = None if source is None else os.fspath(source)
        wanted = Wanted(given, architecture, module, pixels, seed)
        if images is not None:
            if workers is not None:
                raise ObservationError("Pictures are shown without workers.")
            shown = self._photograph(
                stored, Path(images), wanted, thumbnails=thumbnails, license=license, tell=progress
            )
            return shown[0] if isinstance(model, str) else shown
        if cut_outs is not None or backgrounds is not None:
            if cut_outs is None or backgrounds is None:
                raise ObservationError("Cut-outs and backgrounds go together: give both folders.")
            if workers is not None:
                raise ObservationError("Composites are shown without workers.")
            dials = sizes, occlusions, rotations
            tested = self._show_composites(
                stored, Path(cut_outs), Path(backgrounds), dials, most, on, wanted, progress
            )
            return tested[0] if isinstance(model, str) else tested
        tells = [progress] if len(names) == 1 else together(progress, len(names))
        tasks = (Task(each["id"], observe, _known(store, each, wanted)) for each in stored)
        observing = [within(tell, 0.0, MEASURED) for tell in tells]
        reports = []
        with self._done(tasks, observing, 1 if module is not None else workers) as results:
            for name, tell, (rows, report) in zip(names, tells, results, strict=True):
                if rows is not None:
                    start = perf_counter()
                    tell(f"{name}: writing", MEASURED)
                    self._write(rows)
                    report = replace(report, seconds=report.seconds + perf_counter() - start)
                _forget(self.store, name)
                tell(f"{name}: observed", 1.0)
                reports.append(report)
        return reports[0] if isinstance(model, str) else reports

    def _show_composites(
        self,
        stored: list[dict[str, Any]],
        cut_outs: Path,
        backgrounds: Path,
        dials: tuple[Sequence[float], ...],
        most: int,
        on: int,
        wanted: Wanted,
        tell: Progress,
    ) -> list[CompositesReport]:
        from circuitkb.kb.compositing import show_composites
        from circuitkb.observation.stimuli.composites import Composites
        from circuitkb.observation.stimuli.cut_outs import placements

        composites = Composites.of_folders(
            cut_outs,
            backgrounds,
            placements=placements(*dials),
            most=most,
            on=on,
            seed=wanted.seed,
            progress=within(tell, 0.0, 0.02),
        )
        tells = [within(tell, 0.02, 1.0)] if len(stored) == 1 else together(tell, len(stored))
        folders = cut_outs.resolve().name[:100], backgrounds.resolve().name[:100]
        return [
            show_composites(
                self.store, self._write, each, composites, wanted, folders=folders, progress=one
            )
            for each, one in zip(stored, tells, strict=True)
        ]

    def composites(self, model: str | Sequence[str] | None = None) -> Result:
        """Return what found circuits did on composites, as :meth:`observe` with cut-outs tested.

        One row for each observation, placement, group of circuits and measure.

        Parameters
        ----------
        model
            Name of a model, or names; all if None.

        Raises
        ------
        NotFoundError
            No such model.
        """
        from circuitkb.kb.compositing import kept_table

        given = [model] if isinstance(model, str) else model
        names = known_names.models(self.store) if given is None else list(given)
        known_names.check_models(self.store, names)
        return kept_table(self.store, names)

    def _photograph(
        self,
        stored: list[dict[str, Any]],
        images: Path,
        wanted: Wanted,
        *,
        thumbnails: bool,
        license: str | None,
        tell: Progress,
    ) -> list[PhotographsReport]:
        from circuitkb.kb.photographing import Folder, photograph

        folder = Folder.read(images, within(tell, 0.0, 0.05))
        tells = [tell] if len(stored) == 1 else together(tell, len(stored))
        given: dict[str, Any] = {"thumbnails": thumbnails, "license": license}
        return [
            photograph(self.store, self._write, each, folder, wanted, **given, progress=one)
            for each, one in zip(stored, tells, strict=True)
        ]


def stored_model(store: Store, model: str) -> dict[str, Any]:
    """Return what the graph says of a model that is to be opened again."""
    answer = store.read(
        "MATCH (m:Model {id: $id}) RETURN m.id AS id, m.source AS source, m.weights AS weights, "
        "m.architecture AS architecture, m.fingerprint AS fingerprint, "
        "m.computation AS computation, m.input_shape AS input_shape",
        {"id": model},
    )
    return answer.to_dicts()[0]


def refuse_without_weights(stored: Mapping[str, Any]) -> None:
    """Refuse a model that is circuits without its network.

    Raises
    ------
    ObservationError
        It is.
    """
    if stored["weights"] == "published":
        raise ObservationError(
            f"{stored['id']!r} is published circuits without its network's weights: it cannot be "
            f"shown stimuli.\nSearch its kernels (circuitkb find {DEFAULT}), or load and observe a "
            "network, as in: circuitkb load efficientnet_lite0"
        )


def _known(store: Store, stored: Mapping[str, Any], wanted: Wanted) -> Known:
    """Return what the graph says of a model."""
    from circuitkb.observation.measures.measure import measures
    from circuitkb.observation.measuring import missing

    model = stored["id"]
    before = None
    with suppress(StoreError):  # its file is lost or damaged
        before = store.responses(model)
    layers = store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.id AS id, l.model AS model, l.name AS name, "
        "l.position AS position, l.kind AS kind, l.channels AS channels ORDER BY position, id",
        {"model": model},
        limit=None,
    ).to_dicts()
    summary = store.read(
        "MATCH (i:Import {id: $id}) RETURN i.summary AS summary, i.seconds AS seconds",
        {"id": f"observe:{model}"},
    ).rows
    said = json.loads(summary[0][0]) if summary else {}
    return Known(
        wanted,
        stored,
        layers,
        battery=before.battery if before else "",
        stimuli=before.stimuli if before else (),
        settings=before.settings if before else {},
        summary=said,
        workspace=_workspace(store, model),
        seconds=summary[0][1] or 0.0 if summary else 0.0,
        responses=before if missing(measures(), said) else None,  # large, for another process
    )


def _workspace(store: Store, model: str) -> Path:
    """Return the folder of unfinished work; one that holds none is removed again."""
    # A model's name may have the greatest length that a name can have.
    folder = store.workspace(f"observe-{content_hash(model)[:16]}").absolute()
    with suppress(OSError):
        folder.rmdir()
    return folder


def _forget(store: Store, model: str) -> None:
    from circuitkb.observation.recording import forget

    forget(_workspace(store, model))
