"""The kinds of store that the conformance suite runs on.

A kind of store that is kept in a folder says where (``StoreKind.address_in``), also one that
another package adds; every test of ``test_conformance*.py`` then runs on it too. Another kind
adds an entry to ``FACTORIES``. What an engine cannot do stands in its capabilities, which the
tests ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.kinds import STORES, StoreKind
from circuitkb.stores.server import ServerStore
from tests.stores import servers


@dataclass(frozen=True)
class Factory:
    """Opens stores of one kind: ``open(place)`` gives the one that is kept at ``place``."""

    name: str
    open: Callable[[Path], Store]
    is_a_server: bool = False
    only_writes: bool = False
    """Whether it reads as another kind does: tests that are no `writes` of it take long."""

    @contextmanager
    def held(self, place: Path) -> Iterator[Store]:
        """Open an empty store that several tests share: no other test gets its database."""
        with DATABASES.held(place):
            store = self.open(place)
            try:
                store.ensure_schema()
                yield store
            finally:
                store.close()


class Databases:
    """Gives each place of a test a database of its own, emptied before its first use.

    Places of one test lie in one folder. A test with more places than there are servers gets the
    database of its oldest place again. A place that is held keeps its own through many tests.
    """

    def __init__(self) -> None:
        self._places: dict[Path, str] = {}
        self._held: dict[Path, str | None] = {}

    @contextmanager
    def held(self, place: Path) -> Iterator[None]:
        """Leave the database that a place gets to it until the block ends."""
        self._held[place] = None
        try:
            yield
        finally:
            del self._held[place]

    def at(self, place: Path) -> str:
        """Return the address of the database that stands for a place."""
        if place in self._held:
            address = self._held[place]
            if address is None:
                free = [a for a in servers.addresses() if a not in self._held.values()]
                address = self._held[place] = free[-1]
                self._places = {p: a for p, a in self._places.items() if a != address}
                empty(address)
            return address
        if any(other.parent != place.parent for other in self._places):
            self._places.clear()
        if place not in self._places:
            taken = [*self._places.values(), *self._held.values()]
            free = [a for a in servers.addresses() if a not in taken]
            oldest = next(iter(self._places), None)
            address = free[0] if free else self._places.pop(oldest or place)
            empty(address)
            self._places[place] = address
        return self._places[place]


def empty(address: str) -> None:
    """Delete all nodes of a test server; its constraints stay, since making them is slow."""
    with servers.driver(address).session() as session:
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS").consume()


DATABASES = Databases()


def _server(place: Path, **options: Any) -> Store:
    return ServerStore(DATABASES.at(place), create=True, arrays=place / "arrays", **options)


def factory_of(kind: StoreKind) -> Factory:
    """Return what opens stores of a kind that is kept in a folder, ours or another package's."""
    address_in = kind.address_in
    assert address_in is not None
    return Factory(kind.name, lambda place: open_store(address_in(place)))


FACTORIES = (
    *(factory_of(kind) for kind in STORES if kind.address_in is not None),
    Factory("neo4j", _server, is_a_server=True),
    Factory(
        "neo4j-staged",
        lambda place: _server(place, rows_in_a_transaction=0),
        is_a_server=True,
        only_writes=True,
    ),
)
