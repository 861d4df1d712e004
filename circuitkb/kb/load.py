"""A load: is the model there already, under this name, with these weights? If not, write it.

A folder that ``circuitkb export parquet`` wrote is a source too: of all that is in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from circuitkb.kb.writing import Writing
from circuitkb.results.reports import LoadReport
from circuitkb.schema.errors import SourceError, StoreError
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.stores.base import Store
from circuitkb.stores.model_identity import Identity, check_layers, check_same

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.missing_inputs import MissingInputs
    from circuitkb.loaders.sources.loadable import Loadable
    from circuitkb.schema.tables import GraphRows

READING = 0.6
"""Share of a load that reading and composing takes; writing takes the rest."""


class Loading(Writing):
    """Gives a knowledge base its ``load``."""

    def load(
        self,
        source: str | os.PathLike[str] | nn.Module,
        *,
        name: str | None = None,
        keep: int = 64,
        architecture: str | None = None,
        input_shape: str | Sequence[int] | None = None,
        progress: Progress = silent,
    ) -> LoadReport:
        """Read a network or published circuits into the knowledge base, whole or not at all.

        A network that is there already changes nothing.

        Parameters
        ----------
        source
            A name of the zoo, ``torchvision:NAME``, ``timm:NAME``, a file, ``published:NAME``;
            ``FILE.py:FUNCTION``, which runs that file; or a ``torch.nn.Module``, which is copied.
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
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        SourceError
            The source cannot be read.
        ModelConflictError
            Other weights, or another network with the same weights, stand under the same name.
        """
        from circuitkb.loaders import open_source
        from circuitkb.loaders.sources.loadable import ExportedFolder

        store = self.store
        if isinstance(source, str | os.PathLike):
            source = os.fspath(source)
        if isinstance(keep, bool) or keep < 1:
            raise SourceError(f"keep is {keep!r}: it is a number of inputs from 1.")
        start = perf_counter()
        shape: dict[str, Any] = {}
        if input_shape is not None:
            from circuitkb.loaders.sources.own_networks import check_shape

            shape["input_shape"] = check_shape(input_shape, "the shape of the image")
        loadable = open_source(source, name=name, architecture=architecture, **shape)
        if isinstance(loadable, ExportedFolder):
            from circuitkb.moving.files.loading import load_folder

            return load_folder(store, self._write, loadable.path, progress)
        there = store.read(
            "MATCH (m:Model {id: $id}) RETURN m.fingerprint AS fingerprint, "
            "m.computation AS computation, m.keep AS keep",
            {"id": loadable.name},
        ).rows
        if there:
            fingerprint, computed, stored_keep = there[0]
            given = Identity(loadable.fingerprint, loadable.computation)
            if not check_same(loadable.name, Identity(fingerprint, computed), given):
                progress(f"{loadable.name}: comparing layers", 0.0)
                check_layers(loadable.name, _layers(store, loadable.name), loadable.layers())
            if _kernels_can_be_read(store, loadable.name):
                seconds = perf_counter() - start
                return LoadReport(
                    loadable.name, False, stored_keep, keep, seconds=seconds, notes=loadable.notes
                )
            keep = stored_keep or keep  # the graph stays as it is; its kernels are brought here

        rows = loadable.rows(keep=keep, progress=within(progress, 0.0, READING))
        self._write(rows, within(progress, READING, 1.0))
        progress(f"{loadable.name}: loaded", 1.0)
        model, missing = rows.nodes["Model"].to_pylist()[0], _missing(rows)
        return LoadReport(
            loadable.name,
            True,
            model["keep"],
            keep,
            rows.counts(),
            perf_counter() - start,
            notes=(*loadable.notes, *_twins(store, loadable), *_not_composed(model, missing)),
            without_inputs={one.layer: one.units for one in missing if one.units},
            not_composed=tuple(model["not_composed"] or ()),
        )


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


def _twins(store: Store, loadable: Loadable) -> tuple[str, ...]:
    """Return a sentence that names the models that are this one under another name."""
    from circuitkb.kb.prerequisites import some

    rows = store.read(
        "MATCH (m:Model {fingerprint: $fingerprint}) WHERE m.id <> $id "
        "RETURN m.id AS id, m.computation AS computation ORDER BY id",
        {"fingerprint": loadable.fingerprint, "id": loadable.name},
    ).rows
    this = Identity(loadable.fingerprint, loadable.computation)
    others: dict[bool | None, list[str]] = {}
    for name, computation in rows:
        another = Identity(loadable.fingerprint, computation).computes_another(this)
        others.setdefault(another, []).append(str(name))
    sentences = {
        False: "is the same network, with the same weights, as",
        True: "computes something else with the same weights as",
        None: "has the same weights as",
    }
    return tuple(
        f"{loadable.name} {sentences[another]} {some(names)}." for another, names in others.items()
    )


def _layers(store: Store, model: str) -> list[dict[str, Any]]:
    return store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.name AS name, l.kind AS kind, "
        "l.channels AS channels, l.height AS height, l.width AS width",
        {"model": model},
        limit=None,
    ).to_dicts()


def _kernels_can_be_read(store: Store, model: str) -> bool:
    """Return whether the kernels of a model are where this store looks for them.

    Those of a server's knowledge base may lie on another machine.
    """
    try:
        store.kernels(model)
    except StoreError:
        return False
    return True
