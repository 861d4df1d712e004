"""Pairs of stores to copy between, of every kind that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from circuitkb.stores.base import Store
from tests.stores.factories import FACTORIES, Factory

EMBEDDED = FACTORIES[0]

PAIRS = [
    (source, target)
    for source, target in product(FACTORIES, FACTORIES)
    # How rows came into a store is nothing to reading it; one end is enough of a server at once.
    if source.name != "neo4j-staged" and EMBEDDED in (source, target)
]

Opening = Callable[[Path], Store]


@pytest.fixture
def opened() -> Iterator[Callable[[Factory, Path], Store]]:
    """Opens stores that are closed when the test ends."""
    found: list[Store] = []

    def open_it(factory: Factory, place: Path) -> Store:
        place.mkdir(exist_ok=True)
        found.append(factory.open(place))
        return found[-1]

    yield open_it
    for store in found:
        store.close()


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.name)
def store(request: Any, opened: Callable[[Factory, Path], Store], tmp_path: Path) -> Store:
    """An empty store of each kind."""
    return opened(request.param, tmp_path / "one")


@pytest.fixture(params=PAIRS, ids=lambda pair: "-to-".join(item.name for item in pair))
def pair(
    request: Any, opened: Callable[[Factory, Path], Store], tmp_path: Path
) -> tuple[Store, Store]:
    """Two empty stores: to copy from, and to copy into."""
    source, target = request.param
    return opened(source, tmp_path / "source"), opened(target, tmp_path / "target")


@pytest.fixture
def embedded(opened: Callable[[Factory, Path], Store], tmp_path: Path) -> tuple[Store, Store]:
    """Two empty embedded stores."""
    return opened(EMBEDDED, tmp_path / "source"), opened(EMBEDDED, tmp_path / "target")
