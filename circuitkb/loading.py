"""A load: is the model there already, under this name, with these weights? If not, write it.

A folder that ``circuitkb export parquet`` wrote is a source too: of all that is in it.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

from circuitkb.moving.files_folder import ABOUT
from circuitkb.reports import LoadReport
from circuitkb.schema.errors import SourceError, StoreError, UnknownSourceError
from circuitkb.schema.progress import Progress
from circuitkb.stores.base import Store
from circuitkb.stores.model_identity import Identity, check_layers, check_same

READING = 0.6
"""Share of a load that reading and composing takes; writing takes the rest."""


def load(
    store: Store,
    source: str,
    *,
    name: str | None,
    keep: int,
    architecture: str | None,
    progress: Progress,
) -> LoadReport:
    """Load a source; see :meth:`circuitkb.knowledge_base.KnowledgeBase.load`."""
    from circuitkb.annotating.resolving import resolve
    from circuitkb.loaders import open_source

    if isinstance(keep, bool) or keep < 1:
        raise SourceError(f"keep is {keep!r}: it is a number of inputs from 1.")
    folder = _exported_folder(source)
    if folder is not None:
        from circuitkb.moving.files_loading import load_folder

        if name is not None or architecture is not None:
            raise SourceError(
                f"{source} names its models itself: --name and --arch go with one network."
            )
        report = load_folder(store, folder, progress)
        resolve(store)
        return report
    start = perf_counter()
    loadable = open_source(source, name=name, architecture=architecture)
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

    def reading(doing: str, done: float) -> None:
        progress(doing, READING * done)

    def writing(doing: str, done: float) -> None:
        progress(doing, READING + (1 - READING) * done)

    rows = loadable.rows(keep=keep, progress=reading)
    store.write(rows, writing)
    resolve(store)
    progress(f"{loadable.name}: loaded", 1.0)
    kept = rows.nodes["Model"].column("keep").to_pylist()[0]
    seconds = perf_counter() - start
    return LoadReport(loadable.name, True, kept, keep, rows.counts(), seconds, notes=loadable.notes)


def _layers(store: Store, model: str) -> list[dict[str, Any]]:
    answer = store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.name AS name, l.kind AS kind, "
        "l.channels AS channels, l.height AS height, l.width AS width",
        {"model": model},
        limit=None,
    )
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _kernels_can_be_read(store: Store, model: str) -> bool:
    """Return whether the kernels of a model are where this store looks for them.

    Those of a server's knowledge base may lie on another machine.
    """
    try:
        store.kernels(model)
    except StoreError:
        return False
    return True


def _exported_folder(source: str) -> Path | None:
    """Return the folder that an export wrote, if that is what the source is.

    Raises
    ------
    UnknownSourceError
        It is a knowledge base, which is copied and not loaded.
    """
    from circuitkb.loaders.zoo import ZOO

    folder = Path(source).expanduser()
    if source in ZOO or not folder.is_dir():
        return None
    if (folder / "store.json").is_file():
        raise UnknownSourceError(
            f"{source} is a knowledge base, no source. To copy all of it: circuitkb pull {source}"
        )
    return folder if (folder / ABOUT).is_file() else None
