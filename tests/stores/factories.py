"""The kinds of store that the conformance suite runs on.

A new kind of store adds one entry to ``FACTORIES``; every test of ``test_conformance.py`` then
runs on it too. What an engine cannot do stands in its capabilities, which the tests ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from circuitkb.stores import open_store
from circuitkb.stores.base import Store


@dataclass(frozen=True)
class Factory:
    """Opens stores of one kind: ``open(place)`` gives the one that is kept at ``place``."""

    name: str
    open: Callable[[Path], Store]


FACTORIES = (Factory("embedded", lambda place: open_store(place / "zoo.ckb")),)
