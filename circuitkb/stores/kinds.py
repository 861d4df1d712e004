"""The kinds of store: which addresses each one has, and what opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circuitkb.schema.errors import CapabilityError
from circuitkb.schema.registry import Registry

if TYPE_CHECKING:
    from circuitkb.stores.base import Store


@dataclass(frozen=True)
class StoreKind:
    """A kind of store; ``docs/extending.md`` adds one.

    Attributes
    ----------
    name
        Of the kind.
    schemes
        What stands before ``://`` in its addresses, in small letters; empty for a path.
    place
        Where such a store is, as the error for an unknown address says it.
    open
        Opens the store at an address, and makes an empty one if asked to.
    address_in
        Gives the address of an empty store that is kept in a folder; with it, the conformance
        suite of ``tests/stores`` runs on this kind too.
    """

    name: str
    schemes: tuple[str, ...]
    place: str
    open: Callable[[str, bool], Store]
    address_in: Callable[[Path], str] | None = None


STORES = Registry(
    "circuitkb.stores",
    "kind of store",
    StoreKind,
    {
        "embedded": "circuitkb.stores.embedded.kind:EMBEDDED",
        "server": "circuitkb.stores.server.kind:SERVER",
    },
    unknown=CapabilityError,
)
"""Where a knowledge base may be."""


def kind_of(address: str, scheme: str) -> StoreKind:
    """Return the kind of store that an address is of.

    Raises
    ------
    CapabilityError
        There is none; says where a knowledge base may be.
    """
    for kind in STORES:
        if scheme in kind.schemes:
            return kind
    places = " or ".join(kind.place for kind in STORES)
    raise CapabilityError(f"{address}: a knowledge base is {places}.")
