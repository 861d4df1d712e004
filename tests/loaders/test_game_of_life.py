"""The Game of Life's network is the rule, its catalogue is complete as far as it says.

Costs about five seconds of a processor.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import product

import numpy as np
import torch

from circuitkb.loaders.game_of_life.catalogue import catalogue, still_lifes
from circuitkb.loaders.game_of_life.network import COUNTS, GameOfLife, records
from circuitkb.loaders.game_of_life.rule import after, step, turned
from circuitkb.proofs.binding import Subject
from circuitkb.proofs.box import Box
from circuitkb.proofs.laboratory import Laboratory
from circuitkb.proofs.prover import Prover
from circuitkb.schema.ids import FeatureId
from tests.proofs.made_up import MODEL, UNOBSERVED, wired

STRICT_STILL_LIFES = {4: 2, 5: 1, 6: 5, 7: 4, 8: 9}
"""By number of cells, as published (OEIS A019473)."""


def by_hand(neighbourhood: tuple[int, ...]) -> int:
    """Return what Conway's rule says of the middle one of nine cells."""
    alive, around = neighbourhood[4], sum(neighbourhood) - neighbourhood[4]
    return int(around == 3 or (alive == 1 and around == 2))


def test_the_network_is_the_rule_in_all_512_neighbourhoods() -> None:
    every = list(product((0, 1), repeat=9))
    images = torch.tensor(every, dtype=torch.float32).reshape(-1, 1, 3, 3)
    life = GameOfLife()
    found = life.step1(images)[:, 0, 1, 1].tolist()
    assert found == [by_hand(one) for one in every]
    cells = images[:, 0].numpy().astype(np.uint8)
    assert step(cells)[:, 1, 1].tolist() == [by_hand(one) for one in every]
    soup = torch.randint(0, 2, (4, 1, 20, 20)).float()
    three = life(soup)[:, 0].numpy()
    assert (three == after(soup[:, 0].numpy().astype(np.uint8), 3)).all()


def test_five_statements_that_cover_them_are_proved() -> None:
    class OneStep(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step1 = GameOfLife().step1

        def forward(self, cells: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.step1(cells)
            return found

    wiring, network = wired(OneStep(), (1, 9, 9))
    prover = Prover(wiring, UNOBSERVED, "0", lambda: Laboratory(network, wiring, None))
    subject = Subject(FeatureId(MODEL, "step1.next", 0))
    places = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    around = " + ".join(f"input:0@{down},{right}" for down, right in places)
    for when, then in (
        (f"{around} <= 1", "target < 0.5"),
        (f"{around} >= 2 and {around} <= 2 and input:0 <= 0", "target < 0.5"),
        (f"{around} >= 2 and {around} <= 2 and input:0 >= 1", "target > 0.5"),
        (f"{around} >= 3 and {around} <= 3", "target > 0.5"),
        (f"{around} >= 4", "target < 0.5"),
    ):
        proof = prover.prove(subject, when, then, Box.parse("binary"), seconds=20)
        assert proof.outcome == "proved", when
    wrong = prover.prove(subject, f"{around} >= 3", "target > 0.5", Box.parse("binary"))
    assert wrong.outcome == "refuted"
    assert wrong.measured == wrong.value == 0.0
    assert len(COUNTS) == 4


def test_still_lifes_are_as_many_as_published_and_do_not_change() -> None:
    found = still_lifes()
    assert Counter(int(one.sum()) for one in found) == STRICT_STILL_LIFES
    for one in found:
        wide = np.pad(one, 2)
        assert (step(wide) == wide).all()


def test_every_pattern_of_the_catalogue_does_what_it_is_said_to_do() -> None:
    for one in catalogue():
        wide = np.pad(one.cells, 6)
        moved = np.roll(wide, one.moves, axis=(0, 1))
        assert (after(wide, one.period) == moved).all(), one.name
        assert all((after(wide, k) != wide).any() for k in range(1, one.period))
    names = {one.name for one in catalogue() if one.kind == "oscillator"}
    assert names == {"blinker", "toad", "beacon", "clock"}
    assert {one.name for one in catalogue() if one.kind == "spaceship"} == {"glider"}


def test_a_pattern_is_found_where_it_stands_and_nowhere_else() -> None:
    life, patterns = GameOfLife(), catalogue()
    for unit in range(0, len(patterns), 7):
        cells = torch.zeros(1, 1, 21, 21)
        rows, columns = patterns[unit].cells.shape
        top, left = 10 - rows // 2, 10 - columns // 2
        cells[0, 0, top : top + rows, left : left + columns] = torch.from_numpy(
            patterns[unit].cells
        )
        answers = life.catalogue(life.match(cells))[0]
        assert torch.nonzero(answers.sum(dim=(1, 2))).flatten().tolist() == [unit]
        assert float(answers[unit].max()) == 1.0
        assert int((answers > 0).sum()) == 1
        cells[0, 0, top - 1, left] = 1  # a cell beside it
        assert float(life.catalogue(life.match(cells))[0, unit].max()) == 0.0


def test_labels_name_all_units() -> None:
    found = list(records())
    assert {one["target"]["unit"] for one in found} == set(range(len(catalogue())))
    assert all(json.loads(json.dumps(one)) == one for one in found)
    assert len(turned(np.ones((1, 3), np.uint8))) == 2
