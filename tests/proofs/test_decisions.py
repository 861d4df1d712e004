"""What is decided is what enumeration gives; what a network gives is what its cone gives.

Costs about five seconds of a processor.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from circuitkb.proofs.binding import Names, Subject
from circuitkb.proofs.bounds import intervals
from circuitkb.proofs.box import Bounds, Box
from circuitkb.proofs.cone import cone_of
from circuitkb.proofs.decide import Question, decide, overall
from circuitkb.proofs.laboratory import Laboratory
from circuitkb.proofs.prover import Prover
from circuitkb.proofs.statement import Statement
from circuitkb.schema.errors import ProofError
from circuitkb.schema.ids import FeatureId
from tests.proofs.made_up import MODEL, UNOBSERVED, random_network, smallest, wired

TARGET = FeatureId(MODEL, "4", 0)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.floats(-0.5, 0.5), st.sampled_from([1, -1]))
def test_bounds_descents_and_the_solver_decide_as_enumeration_does(
    seed: int, cut: bool, off: float, sign: int
) -> None:
    wiring, _ = wired(
        random_network(seed, nn.ReLU6 if cut and seed % 4 == 0 else nn.ReLU), (1, 3, 3)
    )
    names = Names(wiring, Subject(TARGET), UNOBSERVED)
    when = "1:0 >= 0.2 and input:0@0,1 + input:0@1,0 >= 0.5"
    bound = names.bind(Statement.parse(when, "target > 0"))
    cone = cone_of(wiring, bound.target, layers=np.inf, watched=bound.watched)
    box = Box.parse("pixels", ["pixels in 0.1..0.9"])
    bounds = Bounds.of(box, cone, UNOBSERVED.ranges(wiring), [], lambda name: None)
    (all_of,) = bound.question(cone).any_of
    first, second = all_of
    # Enumeration takes one condition: the pixels' is made part of the box by hand.
    pair = np.flatnonzero(second.weights)
    low = bounds.low.copy()
    low[pair] = 0.25
    narrow = Bounds(low, bounds.high, bounds.whole)
    flipped = cone if sign > 0 else type(cone)(cone.target, cone.parts, -cone.weights, -cone.bias)
    least = smallest(flipped, low, bounds.high, first.weights, first.level)
    if not np.isfinite(least):
        (answer,) = decide(cone, narrow, Question(sign, 0.0, True, ((first,),)), 20)
        assert answer.outcome == "vacuous"
        return
    if abs(off) < 1e-3:
        off = 0.01
    question = Question(sign, sign * (least + off), True, ((first,),))
    (answer,) = decide(cone, narrow, question, 20)
    assert answer.outcome == ("refuted" if off > 0 else "proved")
    if answer.values is not None:
        every, target = cone.values(answer.values)
        assert first.holds(every)
        assert sign * target <= least + off
        assert (answer.values >= narrow.low)[cone.in_box].all()
        assert (answer.values <= narrow.high)[cone.in_box].all()
    else:
        assert answer.bound is not None
        assert sign * answer.bound <= least + 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_a_cone_gives_what_the_network_gives_and_intervals_hold_it(seed: int) -> None:
    torch.manual_seed(seed)

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(2, 4, 3, stride=2, padding=1)
            self.deep = nn.Conv2d(4, 4, 3, padding=1, groups=2)
            self.last = nn.Conv2d(4, 3, 3, padding=1)
            self.relu, self.relu6, self.relu_ = nn.ReLU(), nn.ReLU6(), nn.ReLU()

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            x = self.relu(self.first(image))
            return self.relu_(self.last(self.relu6(self.deep(x)) + x))

    module = Residual()
    wiring, network = wired(module, (2, 9, 9))
    target = ("relu_", seed % 3, *wiring.layers["relu_"].centre)
    cone = cone_of(wiring, target, layers=np.inf)
    image = torch.rand(1, 2, 9, 9)
    (pixels,) = cone.boxed
    values = np.zeros(cone.size)
    values[pixels.start : pixels.stop] = image[0].numpy()[pixels.units, pixels.rows, pixels.columns]
    every, found = cone.values(values)
    seen: list[torch.Tensor] = []
    hook = network.module.last.register_forward_hook(lambda *given: seen.append(given[2]))
    network.module(image)
    hook.remove()
    assert found == pytest.approx(seen[0][0, target[1], target[2], target[3]].item(), abs=1e-5)
    low = np.where(cone.in_box, 0.0, -np.inf)
    known = intervals(cone, low, np.where(cone.in_box, 1.0, np.inf))
    assert (every >= known.low - 1e-9).all()
    assert (every <= known.high + 1e-9).all()


def prover(module: nn.Module, shape: tuple[int, int, int]) -> Prover:
    wiring, network = wired(module, shape)
    return Prover(wiring, UNOBSERVED, "0", lambda: Laboratory(network, wiring, None))


def test_a_counterexample_is_run_on_the_network_and_a_proof_is_none_by_chance() -> None:
    found = prover(random_network(3), (1, 3, 3))
    subject, pixels = Subject(TARGET), Box.parse("pixels")
    wide = found.prove(subject, "input:0 >= 0", "target > 100", pixels, seconds=20)
    assert wide.outcome == "refuted"
    assert wide.measured == pytest.approx(wide.value, abs=1e-5)
    sure = found.prove(subject, "input:0 >= 0", "target > -100", pixels, seconds=20)
    assert (sure.outcome, sure.by, sure.witness) == ("proved", "bounds", None)
    # What bounds prove is true: the target at random images is never beyond.
    generator = np.random.default_rng(0)
    encoded = found.encode(
        subject, found.plan(subject, "input:0 >= 0", "target > 0", pixels)[0], pixels
    )
    for _ in range(50):
        _, value = encoded.cone.values(generator.random(encoded.cone.size))
        assert value >= (sure.bound or 0) - 1e-9


def test_pixels_of_black_and_white_are_no_others() -> None:
    """Between black and white the two units can both be small; at the ends one of them is not."""
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([2.0, -2.0]).reshape(2, 1, 1, 1))
        module[0].bias.copy_(torch.tensor([-1.0, 1.0]))
        module[2].weight.fill_(1.0)
        module[2].bias.fill_(-0.5)
    found = prover(module, (1, 9, 9))
    subject = Subject(FeatureId(MODEL, "2", 0))
    outcomes = [
        found.prove(subject, "input:0 >= 0", "target > 0", Box.parse(box), seconds=20).outcome
        for box in ("pixels", "binary")
    ]
    assert outcomes == ["refuted", "proved"]


@pytest.mark.parametrize(
    ("when", "box", "why"),
    [
        ("input:7 >= 0", "pixels", "There is no feature 'input:7'"),
        ("input:0@9,9 >= 0", "pixels", "outside of its map"),
        ("case 1 >= 0", "pixels", "There is no case 1"),
        ("3:0 >= best", "pixels", "was not observed"),
        ("3:0 >= 0", "range", "was not observed"),
        ("input:0 + 3:0 >= 20%", "pixels", "a sum is compared with a number"),
        ("input:0 >= 0", "pixels; pixels in 2..3", "The box is empty"),
        ("input:0 >= 0", "pixels; 3:0 in 0..1", "does not lie over 3:0"),
    ],
)
def test_what_cannot_be_asked_is_one_line(when: str, box: str, why: str) -> None:
    found = prover(random_network(1), (1, 3, 3))
    with pytest.raises(ProofError, match=why) as caught:
        found.prove(Subject(TARGET), when, "target > 0", Box.parse(box), seconds=5)
    assert "\n" not in str(caught.value)


def test_what_nothing_fulfils_is_vacuous_and_no_proof() -> None:
    found = prover(random_network(2), (1, 3, 3))
    proof = found.prove(Subject(TARGET), "input:0 >= 2", "target > 0", Box.parse("pixels"))
    assert proof.outcome == "vacuous"


def test_time_that_runs_out_and_what_is_too_large_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 40, 5), nn.ReLU(), nn.Conv2d(40, 40, 3), nn.ReLU(), nn.Conv2d(40, 1, 3)]
    found = prover(nn.Sequential(*layers), (1, 15, 15))
    subject = Subject(FeatureId(MODEL, "4", 0))
    bound = found.prove(subject, "input:0 >= 0", "target > -99", Box.parse("pixels")).bound
    assert bound is not None
    then = f"target > {bound / 2}"
    slow = found.prove(subject, "input:0 >= 0", then, Box.parse("pixels"), seconds=0.3)
    assert (slow.outcome, slow.note) == ("undecided", "out of time")
    monkeypatch.setattr("circuitkb.proofs.cone.MOST_WEIGHTS", 1000)
    with pytest.raises(ProofError, match="too large to encode: more than 1,000 weights"):
        found.prove(subject, "input:0 >= 0", then, Box.parse("pixels"))


def test_lists_end_as_their_worst_part_does() -> None:
    found = prover(random_network(5), (1, 3, 3))
    proof = found.prove(
        Subject(TARGET), "input:0 >= 2 or input:0 >= 0", "target > -50", Box.parse("pixels")
    )
    assert [part["outcome"] for part in proof.parts] == ["vacuous", "proved"]
    assert proof.outcome == "proved"
    assert overall([]) == "vacuous"
