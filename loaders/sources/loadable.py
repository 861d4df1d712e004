"""A source that was opened: it tells its name and fingerprint before the long work starts."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.sources.source import Shape
    from circuitkb.schema.tables import GraphRows

KEEP = 64
"""Strongest inputs of each unit that the graph keeps, unless told otherwise."""


class Loadable(Protocol):
    """Something that can be loaded.

    Attributes
    ----------
    name
        Of the model in the graph.
    fingerprint
        Of its weights, or of the published files.
    computation
        What it computes with its weights; None for published circuits. Where both are equal, no
        second load is needed.
    notes
        What a user is to know of how it was opened, a sentence each.
    """

    @property
    def name(self) -> str:
        """Name of the model in the graph."""

    @property
    def fingerprint(self) -> str:
        """Sha256 of its tensors, or of the published files."""

    @property
    def computation(self) -> str | None:
        """What it computes: a scheme and a sha256."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user is to know of how it was opened."""

    def layers(self) -> list[dict[str, Any]]:
        """Return its layers as records of the graph, without composing kernels."""

    def rows(self, keep: int = KEEP, progress: Progress = silent) -> GraphRows:
        """Do the work: return everything that the graph is to hold of it."""


class _LoadableNetwork:
    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self.name = name
        self.fingerprint = network.fingerprint
        self.computation = network.computation
        self.notes = network.notes

    def layers(self) -> list[dict[str, Any]]:
        from circuitkb.loaders.composition.network import layers_of

        return layers_of(self._network, name=self.name)

    def rows(self, keep: int = KEEP, progress: Progress = silent) -> GraphRows:
        from circuitkb.loaders.composition.network import network_rows

        return network_rows(self._network, name=self.name, keep=keep, progress=progress)


class _LoadablePublication:
    def __init__(self, rows: GraphRows, started: float) -> None:
        model = rows.nodes["Model"].to_pylist()[0]
        self._rows = rows
        self._source: str = model["source"]
        self._started = started
        self.name: str = model["id"]
        self.fingerprint: str = model["fingerprint"]
        self.computation: str | None = model["computation"]
        self.notes: tuple[str, ...] = ()

    def layers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._rows.nodes["Layer"].to_pylist()
        return found

    def rows(self, keep: int = KEEP, progress: Progress = silent) -> GraphRows:
        from circuitkb.schema.provenance import load_provenance

        provenance = load_provenance(
            model=self.name,
            source=self._source,
            fingerprint=self.fingerprint,
            started=self._started,
            counts=self._rows.counts(),
        )
        progress("Reading published circuits", 1.0)
        return replace(self._rows, nodes={**self._rows.nodes, "Import": provenance})


def open_source(
    source: str | nn.Module,
    *,
    name: str | None = None,
    architecture: str | None = None,
    input_shape: Shape | None = None,
) -> Loadable:
    """Open a SOURCE: quick, as nothing is composed yet.

    Parameters
    ----------
    source
        A name of the zoo (``efficientnet_lite0``, ``1``, ``2``); ``torchvision:NAME[@WEIGHTS]``;
        ``timm:NAME``; an ``.onnx`` file; a checkpoint file; ``FILE.py:FUNCTION``;
        ``published:inceptionv1`` or ``published:DIR``; or a network as a ``torch.nn.Module``.
    name
        What the model is to be called in the graph; a name made from the source if None.
    architecture
        For a checkpoint: ``torchvision:NAME``, ``timm:NAME`` or ``FILE.py:FUNCTION``.
    input_shape
        (channels, rows, columns) of the image, for a network of the user's own.

    Raises
    ------
    SourceError
        Or one of its kinds: it cannot be read; the message says why and what to do.
    IdError
        ``name`` cannot name a model.

    Examples
    --------
    >>> opened = open_source("torchvision:squeezenet1_1@none", name="squeeze")
    >>> opened.name, len(opened.fingerprint)
    ('squeeze', 64)
    """
    from circuitkb.loaders.sources.source import open_module, open_network, parse_source
    from circuitkb.schema.errors import SourceError
    from circuitkb.schema.ids import check_slug

    started = time.perf_counter()
    if name is not None:
        check_slug(name)
    if not isinstance(source, str):
        if architecture is not None:
            raise SourceError("A module says which network it is: architecture= goes with a file.")
        network = open_module(source, shape=input_shape)
        return _LoadableNetwork(network, name or network.suggested_name)
    if parse_source(source).kind == "published":
        from circuitkb.loaders.published.rows import published_rows

        if architecture is not None:
            raise SourceError(f"{source!r} has no weights: --arch goes only with a checkpoint.")
        return _LoadablePublication(published_rows(source, name=name), started)
    network = open_network(source, architecture=architecture, shape=input_shape)
    return _LoadableNetwork(network, name or network.suggested_name)


def load_rows(
    source: str,
    *,
    name: str | None = None,
    keep: int = KEEP,
    architecture: str | None = None,
    progress: Progress = silent,
) -> GraphRows:
    """Open a SOURCE and return everything that the graph is to hold of it.

    Parameters
    ----------
    source, name, architecture
        As for :func:`open_source`.
    keep
        Strongest inputs of each unit that the graph keeps, at least 1. What is published is
        always kept whole.
    progress
        Told how far it is.

    Examples
    --------
    >>> rows = load_rows("torchvision:squeezenet1_1@none", keep=1)
    >>> rows.nodes["Model"].column("id").to_pylist()
    ['squeezenet1_1-random']
    """
    return open_source(source, name=name, architecture=architecture).rows(keep, progress)
