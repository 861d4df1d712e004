"""One empty store of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from circuitkb.stores.base import Store

from .factories import FACTORIES, Factory


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
def within() -> Callable[[float], AbstractContextManager[None]]:
    """A block that must end within some seconds."""

    @contextmanager
    def block(seconds: float) -> Iterator[None]:
        started = time.perf_counter()
        yield
        took = time.perf_counter() - started
        assert took < seconds, f"took {took:.1f} s"

    return block
