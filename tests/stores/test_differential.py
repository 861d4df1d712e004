"""Answers of every store against brute force, on seeded random graphs with edges side by side.

Each engine is held against brute force on the same graphs and questions, so that they agree with
each other. This is a slice: ``scripts/fuzz`` goes on for as long as asked.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.stores.factories import FACTORIES, Factory
from tests.stores.fuzz.campaign import Tally, opener, play
from tests.stores.fuzz.differential import make_round
from tests.stores.fuzz.motifs import MOTIFS
from tests.stores.fuzz.questions import SHAPES

SEED = 10
SLICES = {"embedded": [(9, 3), (20, 1)], "neo4j": [(9, 3)]}
"""Graphs, and how many in a row get the same questions: a new one costs Neo4j most of its time."""

SHORT = {"embedded": (3, 20), "neo4j": (3, 8)}
"""Graphs of the check that takes minutes, and questions for each."""

# How a store writes changes nothing in how it reads.
ENGINES = [factory for factory in FACTORIES if factory.name in SLICES]


def asked(
    factory: Factory, folder: Path, slices: list[tuple[int, int]], questions: int | None = None
) -> Tally:
    """Ask a kind of store what slices ask, and return what it answered, which was all right."""
    tally, open_store = Tally(factory.name), opener(factory, folder)
    for graphs, alike in slices:
        for number in range(graphs):
            played = make_round(SEED, number, alike=alike)
            play(replace(played, asked=played.asked[:questions]), open_store, tally)
    wrong = tally.differences
    assert not wrong, f"{len(wrong)} wrong answers, the first:\n{wrong[0].report()}"
    return tally


@pytest.mark.parametrize("factory", ENGINES, ids=lambda factory: factory.name)
def test_answers_are_what_brute_force_finds(factory: Factory, tmp_path: Path) -> None:
    graphs, questions = SHORT[factory.name]
    tally = asked(factory, tmp_path, [(graphs, 3)], questions)
    assert tally.rows > 100


@pytest.mark.long
@pytest.mark.parametrize("factory", ENGINES, ids=lambda factory: factory.name)
def test_every_kind_of_answer_is_what_brute_force_finds(factory: Factory, tmp_path: Path) -> None:
    tally = asked(factory, tmp_path, SLICES[factory.name])
    for kind, names in (("motifs", MOTIFS), ("shapes", SHAPES), ("edges", range(1, 7))):
        without = [name for name in names if not tally.answered[kind, name]]
        assert without == [], f"{kind} that gave no row anywhere"
    assert tally.left_out.total() < 0.1 * tally.asked


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_asks_the_same(seed: int) -> None:
    one, again, another = (make_round(*numbers) for numbers in ((seed, 1), (seed, 1), (seed, 2)))
    assert one.world.json() == again.world.json() != another.world.json()
    assert [question.query.text for question, _ in one.asked] == [
        question.query.text for question, _ in again.asked
    ]
    assert [answer for _, answer in one.asked] == [answer for _, answer in again.asked]
