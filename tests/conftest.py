"""Which tests run, and which run together: test processes share neither servers nor fixtures."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.stores.factories import Factory

ROOT = Path(__file__).resolve().parents[1]
LONG = Path(__file__).with_name("long.txt")
ON_A_SERVER = {"stored": 1, "world": 1, "seed": 2, "pair": 2}
"""Of graphs, small networks, random cases and ways to copy, so many for a server; `long`: all.

What differs between two of them differs in the engine within the process too, which has them all.
"""
QUESTIONS = ROOT / "tests/queries"
"""`tests/kb/test_both_stores.py` asks both kinds of store every question and every list."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark what needs a server and what takes long, and begin with what takes longest.

    A wrapper, so that pytest then leaves out what the marks say.
    """
    listed = long_ones()
    for item in items:
        if is_listed(item.nodeid, listed):
            item.add_marker("long")
        kinds = kinds_of_store(item)
        if any(kind.is_a_server for kind in kinds):
            item.add_marker("server")
            if is_one_more(item):
                item.add_marker("long")
        if any(kind.only_writes for kind in kinds) and not item.get_closest_marker("writes"):
            item.add_marker("long")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.get_closest_marker("server"), item.path not in slow))
    yield


def pytest_collection() -> None:
    """Look for no circles of objects while all is imported and gathered: it stays to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported and gathered."""
    gc.enable()
    gc.collect()
    gc.freeze()


@cache
def long_ones() -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names of tests that ``long.txt`` lists, and how names begin that it lists."""
    lines = [line for line in LONG.read_text("utf-8").splitlines() if not line.startswith("#")]
    names = [f"tests/{line.split(maxsplit=1)[1]}" for line in lines]
    return (
        frozenset(name for name in names if not name.endswith("*")),
        tuple(name[:-1] for name in names if name.endswith("*")),
    )


def is_listed(name: str, listed: tuple[frozenset[str], tuple[str, ...]]) -> bool:
    exactly, begins = listed
    return name in exactly or name.startswith(begins)


def kinds_of_store(item: pytest.Item) -> list[Factory]:
    """Return the kinds of store that are among a test's parameters."""
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec is not None else ()
    return [value for value in flat(values) if isinstance(value, Factory)]


def is_one_more(item: pytest.Item) -> bool:
    """Tell whether the same is asked of a server for enough other graphs or cases."""
    if item.get_closest_marker("long_on_a_server"):
        return True
    if item.get_closest_marker("writes"):
        return False
    if QUESTIONS in item.path.parents:
        return True
    callspec = getattr(item, "callspec", None)
    indices: dict[str, int] = callspec.indices if callspec is not None else {}
    return any(indices.get(name, 0) >= count for name, count in ON_A_SERVER.items())


def flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from value
        else:
            yield value


class Scheduling(LoadScopeScheduling):
    """Gives a test process whole files, and one of them all tests that need a server.

    One gets all files that run the program, too: each would import all that commands may need.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if re.search(r"\[.*neo4j", test) or marks_servers(file):
            return "server"
        return "program" if runs_the_program(file) else file


@cache
def marks_servers(file: str) -> bool:
    return "pytest.mark.server" in (ROOT / file).read_text("utf-8")


@cache
def runs_the_program(file: str) -> bool:
    text = (ROOT / file).read_text("utf-8")
    return file.startswith("tests/cli/") or "from tests.cli.conftest import" in text


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Take the place of ``--dist loadscope``."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadscope" else None
