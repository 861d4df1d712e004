"""Stores to test: an empty one of each kind, and an embedded one that holds a network."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded.in_place import InPlace
from tests.stores.contents import network
from tests.stores.factories import FACTORIES, Factory


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.name)
def open_again(request: Any, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens the store of this test, as many times as wanted; ``place`` stands for another one."""
    factory: Factory = request.param
    opened: list[Store] = []

    def open_it(place: str = "one") -> Store:
        (tmp_path / place).mkdir(exist_ok=True)
        opened.append(factory.open(tmp_path / place))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Callable[..., Store]) -> Store:
    """An empty store."""
    found = open_again()
    found.ensure_schema()
    return found


@pytest.fixture
def by_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every write change a copy, however small it is."""
    monkeypatch.setattr(InPlace, "takes", lambda *_: False)


@pytest.fixture
def within() -> Callable[[float], AbstractContextManager[None]]:
    """A block that must end within some seconds."""

    @contextmanager
    def block(seconds: float) -> Iterator[None]:
        started = time.perf_counter()
        yield
        took = time.perf_counter() - started
        assert took < seconds, f"took {took:.1f} s"

    return block


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the embedded store of a test is, or will be."""
    return tmp_path / "zoo.ckb"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store that holds :func:`network`, to copy."""
    path = tmp_path_factory.mktemp("written") / "zoo.ckb"
    store = open_store(path)
    store.write(network())
    store.close()
    return path


@pytest.fixture
def network_store(place: Path, written: Path) -> Iterator[Store]:
    """An embedded store of its own that holds :func:`network`."""
    shutil.copytree(written, place)
    store = open_store(place)
    yield store
    store.close()
