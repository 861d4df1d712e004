"""A load: is the model there already, under this name, with these weights? If not, write it.

A folder that ``circuitkb export parquet`` wrote is a source too: of all that is in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, overload

from circuitkb.kb.composing import Opened, Source, Stored, Wanted, task_of
from circuitkb.kb.sharding import Sharding
from circuitkb.results.reports import LoadReport
from circuitkb.schema.errors import SourceError, StoreError
from circuitkb.schema.progress import Progress, silent, together, within
from circuitkb.schema.uncollected import uncollected
from circuitkb.stores.base import Store
from circuitkb.stores.model_identity import Identity, check_layers, check_same

if TYPE_CHECKING:
    from circuitkb.loaders.composition.missing_inputs import MissingInputs
    from circuitkb.schema.tables import GraphRows

READING = 0.6
"""Share of a load that reading and composing takes; writing takes the rest."""


class Loading(Sharding):
    """Gives a knowledge base its ``load``."""

    @overload
    def load(
        self,
        source: Source,
        *,
        name: str | None = None,
        keep: int = 64,
        architecture: str | None = None,
        input_shape: str | Sequence[int] | None = None,
        shard: str | None = None,
        part: str | os.PathLike[str] | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> LoadReport: ...

    @overload
    def load(
        self,
        source: list[Source] | tuple[Source, ...],
        *,
        name: str | None = None,
        keep: int = 64,
        architecture: str | None = None,
        input_shape: str | Sequence[int] | None = None,
        shard: str | None = None,
        part: str | os.PathLike[str] | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> list[LoadReport]: ...

    def load(
        self,
        source: Source | list[Source] | tuple[Source, ...],
        *,
        name: str | None = None,
        keep: int = 64,
        architecture: str | None = None,
        input_shape: str | Sequence[int] | None = None,
        shard: str | None = None,
        part: str | os.PathLike[str] | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> LoadReport | list[LoadReport]:
        """Read a network or published circuits into the knowledge base, whole or not at all.

        A network that is there already changes nothing. Several are composed by several processes
        and written in the order given; an error ends it, and those before it stay.

        Parameters
        ----------
        source
            A name of the zoo, ``torchvision:NAME``, ``timm:NAME``, a file, ``published:NAME``;
            ``FILE.py:FUNCTION``, which runs that file; or a ``torch.nn.Module``, which is copied.
            Or several of them, which gives a report for each.
        name
            Name of the model; the source's own if not given.
        keep
            How many of the strongest inputs of each unit the graph keeps.
        architecture
            What a checkpoint is a checkpoint of, as in ``torchvision:resnet18`` or
            ``FILE.py:FUNCTION``.
        input_shape
            (channels, rows, columns) of the image that a network of your own reads; if not given
            what its function returns beside it, its attribute ``input_shape``, or 3x224x224.
        shard, part
            Which of several jobs this is, as in ``"3/40"``, and the folder that it writes instead
            of the knowledge base: what ``load`` takes when all of them are given. One report.
        workers
            Who composes several: a number of processes, ``"ray"`` or ``"ray:HOST:PORT"``; as many
            as the cores and the free memory allow if not given. Modules are composed here.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        SourceError
            The source cannot be read.
        ModelConflictError
            Other weights, or another network with the same weights, stand under the same name.
        WorkerError
            A worker died twice, or there is no such cluster.
        """
        one = not isinstance(source, list | tuple)
        sources = list(source) if isinstance(source, list | tuple) else [source]
        if name is not None and len(sources) != 1:
            raise SourceError("A name goes with one network: load the others without it.")
        if isinstance(keep, bool) or keep < 1:
            raise SourceError(f"keep is {keep!r}: it is a number of inputs from 1.")
        if not all(isinstance(each, str | os.PathLike) for each in sources):
            workers = 1  # its module is in the memory of this process
        given = [os.fspath(each) for each in sources if isinstance(each, str | os.PathLike)]
        if shard is not None or part is not None:
            if shard is None or part is None or len(given) < len(sources):
                raise SourceError(
                    "A shard of several sources goes into a part, as in: circuitkb load A B C "
                    "--shard 1/2 --part PART"
                )
            alone = Wanted("", name, keep, architecture, input_shape, _nowhere)
            report = self._write_part(given, part, shard, alone, workers, progress)
            return report if one else [report]
        parts = [each for each in given if _is_part(each)]
        if parts and len(parts) < len(sources):
            raise SourceError(
                f"{parts[0]} is a part of a load: give all of its parts, and nothing else."
            )
        if parts:
            report = self._merge_parts(parts, self._all_there(), progress)
            return report if one else [report]
        tells = [progress] if one else together(progress, len(sources))
        wanted = Wanted("", name, keep, architecture, input_shape, self._there)
        if len(sources) > 1 or isinstance(workers, str):  # others cannot ask the store
            wanted = replace(wanted, there=self._all_there().get)
        tasks = [task_of(each, wanted) for each in sources]
        readings = [
            within(tell, 0.0, READING, "{}" if one else f"{task.name}: {{}}")
            for task, tell in zip(tasks, tells, strict=True)
        ]
        reports = []
        with self._done(tasks, readings, workers, share_threads=True) as results:
            for tell, (rows, opened) in zip(tells, results, strict=True):
                reports.append(self._take_in(rows, opened, tell))
        return reports[0] if one else reports

    @uncollected()
    def _take_in(
        self, rows: GraphRows | None, opened: Opened | Path, progress: Progress
    ) -> LoadReport:
        """Write what was composed, if it is not there."""
        if isinstance(opened, Path):
            from circuitkb.moving.files.loading import load_folder

            return load_folder(self.store, self._write, opened, progress)
        start = perf_counter()
        there = self._there(opened.name)
        if there is not None and not check_same(opened.name, there.identity, opened.identity):
            progress(f"{opened.name}: comparing layers", READING)
            given = opened.layers if rows is None else rows.nodes["Layer"].to_pylist()
            check_layers(opened.name, _layers(self.store, opened.name), given or [])
        if rows is None or (there is not None and there.has_kernels):
            return LoadReport(
                opened.name,
                False,
                there.keep if there is not None else None,
                opened.keep,
                seconds=opened.seconds,
                notes=opened.notes,
            )
        self._write(rows, within(progress, READING, 1.0))
        progress(f"{opened.name}: loaded", 1.0)
        model, missing = rows.nodes["Model"].to_pylist()[0], _missing(rows)
        return LoadReport(
            opened.name,
            True,
            model["keep"],
            opened.keep,
            rows.counts(),
            opened.seconds + perf_counter() - start,
            notes=(*opened.notes, *_twins(self.store, opened), *_not_composed(model, missing)),
            without_inputs={one.layer: one.units for one in missing if one.units},
            not_composed=tuple(model["not_composed"] or ()),
        )

    def _there(self, model: str) -> Stored | None:
        return self._all_there(model).get(model)

    def _all_there(self, model: str | None = None) -> dict[str, Stored]:
        """Return what is known of the models that are there, or of one of them."""
        counts = self.store.recorded_counts()
        if counts is not None and not counts.get("Model"):
            return {}  # what is known without a question needs none
        rows = self.store.read(
            f"MATCH (m:Model{' {id: $id}' if model else ''}) RETURN m.id AS id, "
            "m.fingerprint AS fingerprint, m.computation AS computation, m.keep AS keep",
            {"id": model} if model else {},
            limit=None,
        ).rows
        return {
            name: Stored(Identity(fingerprint, computation), keep, _has_kernels(self.store, name))
            for name, fingerprint, computation, keep in rows
        }


def _nowhere(model: str) -> Stored | None:
    return None


def _is_part(source: str) -> bool:
    if not Path(source).expanduser().is_dir():
        return False
    from circuitkb.moving.files.parts import is_part

    return is_part(source)


def _missing(rows: GraphRows) -> tuple[MissingInputs, ...]:
    """Return the layers of a load that miss inputs."""
    from circuitkb.loaders.composition.missing_inputs import MissingInputs

    records = rows.nodes["Import"].to_pylist() if "Import" in rows.nodes else []
    found = (json.loads(one["summary"]).get("missing_inputs", ()) for one in records)
    return tuple(MissingInputs.read(record) for records in found for record in records)


def _not_composed(model: Mapping[str, Any], missing: Sequence[MissingInputs]) -> tuple[str, ...]:
    """Return sentences on what has no edges, and on edges that do not hold."""
    from circuitkb.loaders.composition.missing_inputs import SHOWN, in_words

    explained = {why for one in missing for why in one.why}
    checked = [
        said
        for said in model["not_composed"] or ()
        if said not in explained and not said.startswith("no edges through ")
    ]
    more = [f"... and {len(checked) - SHOWN:,} more like these"] if len(checked) > SHOWN else []
    return (*in_words(missing, model["id"], model["features"] or 0), *checked[:SHOWN], *more)


def _twins(store: Store, opened: Opened) -> tuple[str, ...]:
    """Return a sentence that names the models that are this one under another name."""
    from circuitkb.kb.prerequisites import some

    counts = store.recorded_counts()
    if counts is not None and counts.get("Model") == 1:
        return ()  # what is known without a question needs none
    rows = store.read(
        "MATCH (m:Model {fingerprint: $fingerprint}) WHERE m.id <> $id "
        "RETURN m.id AS id, m.computation AS computation ORDER BY id",
        {"fingerprint": opened.identity.fingerprint, "id": opened.name},
    ).rows
    others: dict[bool | None, list[str]] = {}
    for name, computation in rows:
        another = Identity(opened.identity.fingerprint, computation).computes_another(
            opened.identity
        )
        others.setdefault(another, []).append(str(name))
    sentences = {
        False: "is the same network, with the same weights, as",
        True: "computes something else with the same weights as",
        None: "has the same weights as",
    }
    return tuple(
        f"{opened.name} {sentences[another]} {some(names)}." for another, names in others.items()
    )


def _layers(store: Store, model: str) -> list[dict[str, Any]]:
    return store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.name AS name, l.kind AS kind, "
        "l.channels AS channels, l.height AS height, l.width AS width",
        {"model": model},
        limit=None,
    ).to_dicts()


def _has_kernels(store: Store, model: str) -> bool:
    """Return whether the kernels of a model can be read where this store looks for them.

    Those of a server's knowledge base may lie on another machine.
    """
    try:
        store.kernels(model)
    except StoreError:
        return False
    return True
