"""The part of a load that needs no store: a source opened and composed, in any process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from circuitkb.schema.progress import Progress
from circuitkb.schema.uncollected import uncollected
from circuitkb.stores.model_identity import Identity, check_same
from circuitkb.workers.tasks import Done, Task

if TYPE_CHECKING:
    from torch import nn

Source: TypeAlias = "str | os.PathLike[str] | nn.Module"


@dataclass(frozen=True)
class Stored:
    """What a knowledge base knows of a model: who it is, and what is kept of it."""

    identity: Identity
    keep: int | None
    has_kernels: bool


@dataclass(frozen=True)
class Wanted:
    """A source, how it is to be read, and what is known of models that are there."""

    source: Source
    name: str | None
    keep: int
    architecture: str | None
    input_shape: str | Sequence[int] | None
    there: Callable[[str], Stored | None]


@dataclass(frozen=True)
class Opened:
    """What a source was found to be.

    Attributes
    ----------
    keep
        The number of inputs that was asked for.
    layers
        Records of its layers, where nothing else tells whether it is the model that is there.
    seconds
        How long it took to open and to compose.
    """

    name: str
    identity: Identity
    keep: int
    notes: tuple[str, ...]
    layers: list[dict[str, Any]] | None
    seconds: float


def task_of(source: Source, wanted: Wanted) -> Task:
    """Return the task to open and compose a source."""
    given = os.fspath(source) if isinstance(source, str | os.PathLike) else source
    name = given if isinstance(given, str) else type(given).__name__
    return Task(name, compose, replace(wanted, source=given))


@uncollected()
def compose(wanted: Wanted, progress: Progress) -> Done:
    """Open a source and compose it, unless it is there already; a folder is only opened.

    Raises
    ------
    SourceError
        It cannot be read.
    ModelConflictError
        Other weights, or another network with the same weights, stand under its name.
    """
    from circuitkb.loaders import open_source
    from circuitkb.loaders.sources.loadable import ExportedFolder

    start = perf_counter()
    shape: dict[str, Any] = {}
    if wanted.input_shape is not None:
        from circuitkb.loaders.sources.own_networks import check_shape

        shape["input_shape"] = check_shape(wanted.input_shape, "the shape of the image")
    loadable = open_source(
        cast("str | nn.Module", wanted.source),
        name=wanted.name,
        architecture=wanted.architecture,
        **shape,
    )
    if isinstance(loadable, ExportedFolder):
        return Done(None, loadable.path)
    identity = Identity(loadable.fingerprint, loadable.computation)
    layers, keep, rows = None, wanted.keep, None
    there = wanted.there(loadable.name)
    if there is not None:
        if not check_same(loadable.name, there.identity, identity):
            layers = loadable.layers()
        keep = there.keep or keep  # the graph stays as it is; its kernels may be brought here
    if there is None or not there.has_kernels:
        rows = loadable.rows(keep=keep, progress=progress)
    seconds = perf_counter() - start
    opened = Opened(loadable.name, identity, wanted.keep, loadable.notes, layers, seconds)
    return Done(rows, opened)
