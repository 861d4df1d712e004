"""The tests there are, by the name that a prediction gives: a closed list, each in a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.claims.ways.way import Asked, Run


@dataclass(frozen=True)
class Way:
    """A test by its name.

    Attributes
    ----------
    name
        As a prediction has it.
    module
        Of :mod:`circuitkb.claims.ways`: has ``check`` and ``run``.
    reads
        Kinds of ``Import`` whose settings the outcome depends on.
    version
        Others give other trials.
    """

    name: str
    module: str
    reads: tuple[str, ...] = ()
    version: str = "1"

    def check(self, store: Store, model: str, prediction: Mapping[str, Any]) -> None:
        """Raise for what a prediction names and is not there."""
        self._module.check(store, model, prediction)

    def run(self, asked: Asked) -> Run:
        """Run it."""
        run: Run = self._module.run(asked)
        return run

    @property
    def _module(self) -> ModuleType:
        return import_module(f"circuitkb.claims.ways.{self.module}")


WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way("kernels", "kernels"),
        Way("symmetry", "kernel_symmetry"),
        Way("family", "kernel_symmetry"),
        Way("measured", "measured", ("observe",)),
        Way("invariance", "invariance", ("observe",)),
        Way("found", "found", ("observe", "find")),
        Way("hypothesis", "hypothesis", ("observe", "find")),
        Way("explained", "explained", ("observe", "find")),
        Way("analogues", "analogues", ("observe", "match")),
        Way("pattern", "pattern"),
        Way("proof", "proof", ("observe",)),
        Way("trial", "edit_trial", ("observe",)),
    )
}
"""By name; the JSON Schema lists the same."""
