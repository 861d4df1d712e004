"""Many rounds on several stores, and what came of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from circuitkb.stores.base import Store
from circuitkb.stores.server import ServerStore
from tests.stores import servers
from tests.stores.factories import FACTORIES, Factory, empty
from tests.stores.fuzz.differential import Difference, Opener, Round, outcomes
from tests.stores.fuzz.needs import Need
from tests.stores.fuzz.questions import Question
from tests.stores.fuzz.worlds import World


def factory_of(name: str) -> Factory:
    """Return the factory of that name, or of the server at an address, which is wiped each time.

    Raises
    ------
    ValueError
        No factory has that name, or the server holds data that are not of tests.
    """
    if "://" not in name:
        found = {factory.name: factory for factory in FACTORIES}
        if name not in found:
            raise ValueError(f"{name!r} is no store. Known: {', '.join(found)}, or an address.")
        return found[name]
    servers.claim((name,))

    def open_it(place: Path) -> Store:
        empty(name)
        return ServerStore(name, create=True, arrays=place / "arrays")

    return Factory(name, open_it)


def opener(factory: Factory, folder: Path) -> Opener:
    """Return what opens a store of a kind that holds a graph alone; it is gone afterwards."""

    @contextmanager
    def holding(world: World) -> Iterator[Store]:
        parent = Path(tempfile.mkdtemp(dir=folder))
        place = parent / "one"
        place.mkdir()
        store = factory.open(place)
        try:
            store.write(world.rows())
            yield store
        finally:
            store.close()
            shutil.rmtree(parent)

    return holding


@dataclass
class Tally:
    """What was asked of a store."""

    store: str
    graphs: int = 0
    asked: int = 0
    rows: int = 0
    writing: float = 0.0
    asking: float = 0.0
    left_out: Counter[Need] = field(default_factory=Counter)
    motifs: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    edges: Counter[int] = field(default_factory=Counter)
    answered: Counter[tuple[str, str | int]] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, question: Question, rows: int) -> None:
        """Count a question that was asked; ``answered`` counts those that give any rows."""
        self.asked += 1
        self.rows += rows
        self.edges[question.edges] += 1
        self.motifs[question.motif] += 1
        self.shapes[question.shape] += 1
        for kind in (("motifs", question.motif), ("shapes", question.shape)):
            self.answered[kind] += bool(rows)
        self.answered["edges", question.edges] += bool(rows)


def play(given: Round, open_store: Opener, tally: Tally) -> None:
    """Hold one store against brute force for a round."""
    started = time.perf_counter()
    with open_store(given.world) as store:
        written = time.perf_counter()
        tally.writing += written - started
        for outcome in outcomes(tally.store, store, given):
            if outcome.lacking:
                tally.left_out.update(outcome.lacking)
                continue
            tally.add(outcome.question, len(outcome.expected))
            if outcome.difference:
                tally.differences.append(outcome.difference)
        tally.asking += time.perf_counter() - written
    tally.graphs += 1
