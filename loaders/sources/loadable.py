"""A source that was opened: it tells its name and fingerprint before the long work starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from circuitkb.loaders.composition.network import Network
    from circuitkb.schema.tables import GraphRows

KEEP = 64
"""Strongest inputs of each unit that the graph keeps, unless asked for otherwise."""


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


class LoadableNetwork:
    """A network that is open: its kernels are composed by :meth:`rows`."""

    def __init__(self, network: Network, name: str | None = None) -> None:
        self._network = network
        self.name = name or network.suggested_name
        self.fingerprint = network.fingerprint
        self.computation = network.computation
        self.notes = network.notes

    def layers(self) -> list[dict[str, Any]]:
        """Return its layers as records of the graph, without composing kernels."""
        from circuitkb.loaders.composition.network import layers_of

        return layers_of(self._network, name=self.name)

    def rows(self, keep: int = KEEP, progress: Progress = silent) -> GraphRows:
        """Compose the network: return everything that the graph is to hold of it."""
        from circuitkb.loaders.composition.network import network_rows

        return network_rows(self._network, name=self.name, keep=keep, progress=progress)


@dataclass(frozen=True)
class ExportedFolder:
    """A folder that an export wrote: it holds whole models, and is read in pieces."""

    path: Path
