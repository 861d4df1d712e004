"""Which tests run together: test processes share neither servers nor what a file prepares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.stores.factories import Factory

SERVER = "server"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, keep those tests in one process, and other files whole.

    Servers are started once so, and what a file prepares is prepared once. What takes longest is
    begun first, so that no process waits for another at the end.
    """
    for item in items:
        kinds = kinds_of_store(item)
        if any(kind.is_a_server for kind in kinds):
            item.add_marker(SERVER)
        if any(kind.only_writes for kind in kinds) and not item.get_closest_marker("writes"):
            item.add_marker("long")
        server = item.get_closest_marker(SERVER) is not None
        group = SERVER if server else f"{item.path.parent.name}.{item.path.stem}"
        item.add_marker(pytest.mark.xdist_group(group))
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.get_closest_marker(SERVER), item.path not in slow))


def kinds_of_store(item: pytest.Item) -> list[Factory]:
    """Return the kinds of store that are among a test's parameters."""
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec is not None else ()
    return [value for value in flat(values) if isinstance(value, Factory)]


def flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from value
        else:
            yield value
