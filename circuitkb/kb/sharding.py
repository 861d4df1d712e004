"""A load that many jobs of a batch system share: each writes a part, and all parts are merged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from circuitkb.kb.composing import Opened, Stored, Wanted, task_of
from circuitkb.kb.writing import Writing
from circuitkb.results.reports import LoadReport
from circuitkb.schema.errors import ModelConflictError, SourceError
from circuitkb.schema.progress import Progress, together, within
from circuitkb.stores.model_identity import check_same
from circuitkb.workers.choosing import workers_for

if TYPE_CHECKING:
    from circuitkb.moving.files import parts
    from circuitkb.schema.tables import GraphRows

T = TypeVar("T")

_CHECKING = 0.2
"""Share of a merge that looking at the parts takes."""


def share(items: Sequence[T], shard: str | None) -> list[T]:
    """Return what one of several jobs takes of what all of them are given; all without a shard.

    Examples
    --------
    >>> share(["a", "b", "c"], "1/2"), share(["a"], "2/2"), share(["a"], None)
    (['a', 'c'], [], ['a'])
    """
    if shard is None:
        return list(items)
    from circuitkb.moving.files.parts import Shard

    return [items[place] for place in Shard.parse(shard).places(len(items))]


class Sharding(Writing):
    """Gives a knowledge base what loads of several jobs need."""

    def _write_part(
        self,
        sources: Sequence[str],
        part: str | os.PathLike[str],
        shard: str,
        wanted: Wanted,
        workers: int | str | None,
        progress: Progress,
    ) -> LoadReport:
        """Compose a shard of the sources into a folder; the store is not asked."""
        from circuitkb.moving.files import parts

        start = perf_counter()
        job, folder = parts.Shard.parse(shard), Path(part).expanduser().absolute()
        places = job.places(len(sources))
        tasks = [task_of(sources[place], wanted) for place in places]
        tells = together(progress, len(tasks))
        folder.parent.mkdir(parents=True, exist_ok=True)
        chosen = workers_for(workers, len(tasks), lambda: folder.parent, share_threads=True)
        models: dict[str, bool] = {}
        counts: dict[str, int] = {}
        with closing(chosen.map(tasks, tells)) as results:  # type: ignore[type-var]

            def done() -> Iterator[tuple[parts.Model, GraphRows]]:
                for place, (rows, opened) in zip(places, results, strict=True):
                    if rows is None or not isinstance(opened, Opened):
                        raise SourceError(
                            f"{sources[place]} is an exported folder, which is loaded by itself: "
                            "shards are of networks and published circuits."
                        )
                    models[opened.name] = True
                    for kind, count in rows.counts().items():
                        counts[kind] = counts.get(kind, 0) + count
                    yield _model(place, opened), rows

            settings = {
                "keep": wanted.keep,
                "architecture": wanted.architecture,
                "input_shape": str(wanted.input_shape),
            }
            parts.write_part(folder, job, sources, settings, done())
        seconds = perf_counter() - start
        return LoadReport(str(part), True, None, None, counts, seconds, models)

    def _merge_parts(
        self, folders: Sequence[str | os.PathLike[str]], there: dict[str, Stored], tell: Progress
    ) -> LoadReport:
        """Write the models of all parts, or none of them."""
        from circuitkb.annotations.resolving import resolve
        from circuitkb.moving.files import parts

        start = perf_counter()
        paths = [Path(folder).expanduser() for folder in folders]
        models: dict[str, bool] = {}
        new: list[Path] = []
        notes: list[str] = []
        known = {name: stored.identity for name, stored in there.items()}
        for model, folder in parts.read_parts(paths, within(tell, 0.0, _CHECKING)):
            before = known.setdefault(model.name, model.identity)
            if not check_same(model.name, before, model.identity):
                raise ModelConflictError(
                    f"{model.name!r} is here already, and does not say what it computes: load "
                    "its source itself, which compares the layers."
                )
            if model.name in models:
                continue
            models[model.name] = model.name not in there
            notes += model.notes
            if model.name not in there or not there[model.name].has_kernels:
                new.append(folder)
        merge = parts.PartsMerge(new)
        counts: dict[str, int] = {}
        if new:
            self.store.merge(merge, within(tell, _CHECKING, 1.0))
            resolve(self.store)
            counts = merge.counts
        return LoadReport(
            str(folders[0]) if len(folders) == 1 else f"{len(folders)} parts",
            bool(new),
            None,
            None,
            counts,
            perf_counter() - start,
            models,
            tuple(notes),
        )


def _model(place: int, opened: Opened) -> parts.Model:
    from circuitkb.moving.files import parts

    return parts.Model(
        place=place,
        name=opened.name,
        fingerprint=opened.identity.fingerprint,
        computation=opened.identity.computation,
        notes=list(opened.notes),
    )
