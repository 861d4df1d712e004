"""Unions on composites: figures against loops, answers against the plain network.

Costs about four seconds of a processor. What planted unions do stands with their trials.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.cli.app import app
from circuitkb.loaders.activations.reading import look
from circuitkb.loaders.receptive_fields.views import plan_views
from circuitkb.observation.stimuli.composites import Composites
from circuitkb.observation.stimuli.cut_outs import Placement
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.kernels import Floats
from circuitkb.trials.on_composites import (
    ANSWERS,
    INVARIANT,
    MIRRORED,
    STRONGLY,
    answers_to,
    compare,
    over_cut_outs,
)
from tests.observation.photographs.made import SIDE, Small, network
from tests.observation.stimuli.made_pictures import folders

LAYERS = {"cases": slice(0, 30), "targets": slice(30, 70)}


def composites(place: Path, *, cut_outs: int = 12) -> Composites:
    return Composites.of_folders(*folders(place, cut_outs), placements=[Placement(0.6)], on=2)


def made_up(shown: Composites, seed: int) -> Floats:
    """Answers of random units, but that units 0 and 1, 2 and 3, ... 8 and 9 are mirrors.

    Units 30 to 34 are the sums of these, as unions are. All are moved by backgrounds, too.
    """
    draw = np.random.default_rng(seed)
    _, cut_outs, backgrounds, *_ = shown.shape
    own = draw.normal(size=(70, cut_outs, 1, 2, 1))
    own[1:10:2] = own[0:10:2, :, :, ::-1]
    own[30:35] = own[0:10:2] + own[1:10:2]
    behind = draw.normal(size=(70, 1, backgrounds, 1, 2))
    noise = 0.05 * draw.normal(size=(70, cut_outs, backgrounds, 2, 2))
    return (5 + own + behind + noise).reshape(70, -1).astype(np.float32)


CIRCUITS = np.array([[30 + n, 2 * n, 2 * n + 1] for n in range(5)] + [[60, 20, 21], [61, 22, 23]])


def test_figures_are_those_of_plain_loops(tmp_path: Path) -> None:
    shown = composites(tmp_path)
    answers = made_up(shown, 1)
    coupled = over_cut_outs(answers, shown, LAYERS)
    asked = compare(coupled, over_cut_outs(made_up(shown, 2), shown, LAYERS), CIRCUITS)

    # Means over backgrounds, of each cut-out plain and mirrored, by what composites say they show.
    means = np.zeros((70, 2, len(shown.cut_outs)))
    for number in range(len(shown)):
        one = shown[number]
        means[:, int(one.mirrored), one.cut_out] += answers[:, number] / 4

    def scores(row: int, *, mirrored: bool = False) -> Floats:
        values = np.concatenate(means[row][::-1] if mirrored else means[row])
        return (values - values.mean()) / values.std()  # type: ignore[no-any-return]

    scored = {side: [scores(row, mirrored=side) for row in range(70)] for side in (False, True)}

    def corr(one: int, other: int, *, mirrored: bool) -> float:
        return float(np.mean(scored[mirrored][one] * scored[False][other]))

    def advantage(one: int, other: int) -> float:
        return corr(one, other, mirrored=True) - corr(one, other, mirrored=False)

    p = []
    for place, (target, one, other) in enumerate(CIRCUITS.tolist()):
        assert asked[MIRRORED].value[place] == pytest.approx(advantage(one, other), abs=1e-4)
        image, same = corr(one, other, mirrored=True), corr(one, other, mirrored=False)
        assert asked[STRONGLY].value[place] == pytest.approx(image, abs=1e-4)
        assert asked[STRONGLY].holds[place] == (image > 0.8 and same < 0.5)
        turned = corr(target, target, mirrored=True)
        assert asked[INVARIANT].value[place] == pytest.approx(turned, abs=1e-4)
        best = [np.argsort(-scores(case))[:10] for case in (one, other)]
        answer = min(scores(target)[chosen].mean() for chosen in best)
        assert asked[ANSWERS].value[place] == pytest.approx(answer, abs=1e-4)
        least = advantage(one, other) - 1e-5
        p.append(
            max(
                np.mean([advantage(one, unit) >= least for unit in range(30)]),
                np.mean([advantage(other, unit) >= least for unit in range(30)]),
            )
        )
    ranked = np.sort(p)
    cut = max((value for k, value in enumerate(ranked, 1) if value <= 0.05 * k / len(p)), default=0)
    assert asked[MIRRORED].holds.tolist() == [value <= cut for value in p]


def test_mirrors_hold_and_their_stand_ins_and_the_copy_do_not(tmp_path: Path) -> None:
    shown = composites(tmp_path, cut_outs=40)
    own, copy = (over_cut_outs(made_up(shown, seed), shown, LAYERS) for seed in (3, 4))
    random = over_cut_outs(
        np.random.default_rng(5).normal(size=(70, len(shown))).astype(np.float32), shown, LAYERS
    )
    asked = compare(own, random, CIRCUITS)
    mirrors = np.arange(len(CIRCUITS)) < 5
    for name in (MIRRORED, STRONGLY, INVARIANT):
        assert asked[name].holds.tolist() == mirrors.tolist(), name
        assert asked[name].null.shape == (199, len(CIRCUITS))
        copy_holds = asked[name].copy
        assert copy_holds is not None
        assert copy_holds.sum() <= 1  # by chance one of 30 units ranks first
    assert asked[MIRRORED].null.mean() < 0.05
    assert asked[STRONGLY].null.mean() < 0.05
    # Five of the 39 other units of the layer are invariant.
    assert asked[INVARIANT].null[:, 5:].mean() == pytest.approx(5 / 39, abs=0.05)
    again = compare(own, copy, CIRCUITS)
    assert np.array_equal(again[STRONGLY].null, asked[STRONGLY].null)
    copy_holds = again[STRONGLY].copy
    assert copy_holds is not None
    assert copy_holds.tolist() == mirrors.tolist()


def test_units_that_do_not_answer_are_not_tested(tmp_path: Path) -> None:
    shown = composites(tmp_path)
    answers = made_up(shown, 6)
    answers[[3, 32]] = 1
    coupled = over_cut_outs(answers, shown, LAYERS)
    asked = compare(coupled, coupled, CIRCUITS)
    assert asked[MIRRORED].tested.tolist() == [True, False, *[True] * 5]
    assert asked[INVARIANT].tested.tolist() == [True, True, False, *[True] * 4]
    for one in asked.values():
        assert not (one.holds & ~one.tested).any()
        assert np.array_equal(np.isnan(one.value), ~one.tested)


def test_answers_are_those_of_the_plain_network_to_the_png(tmp_path: Path) -> None:
    opened = network()
    views = plan_views(opened.module, opened.example)
    shown = composites(tmp_path).seen_in(views, 3)
    onlookers = [look(opened, view) for view in views]
    _, after = answers_to(onlookers, shown, opened.pixels)
    plain = Small().eval()
    start = 0
    for view, onlooker in zip(views, onlookers, strict=True):
        for number in range(0, len(shown), 7):
            (image,) = shown.images(
                np.array([number]), rows=view.rows, columns=view.columns, centre=view.centre
            )
            file = tmp_path / "one.png"
            as_bytes = np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8)
            Image.fromarray(as_bytes).save(file)
            read = np.asarray(Image.open(file), np.float32).transpose(2, 0, 1)[None] / 255
            with torch.no_grad():
                x = torch.from_numpy(opened.pixels.apply(read))
                act1 = plain.act1(plain.first(x))
                act2 = plain.act2(plain.second(plain.pool(act1)))
            wanted = {"act1": act1[0], "act2": act2[0]}
            row = start
            for layer, units in onlooker.units.items():
                if layer in wanted:
                    at = view.places[layer].index
                    found = after[row : row + units, number]
                    # Half a level of a pixel, which the PNG rounds, is all that they differ by.
                    assert np.abs(found - wanted[layer][:, *at].numpy()).max() < 0.02
                row += units
        start = row


def test_what_cannot_be_tested_is_refused_with_the_remedy(tmp_path: Path) -> None:
    cut_outs, backgrounds = folders(tmp_path)
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load(Small().eval(), name="small", input_shape=(3, SIDE, SIDE))
        with pytest.raises(ObservationError, match="give both folders"):
            kb.observe("small", cut_outs=cut_outs)  # type: ignore[call-overload]
        with pytest.raises(ObservationError, match="circuitkb find union --model small"):
            kb.observe("small", cut_outs=cut_outs, backgrounds=backgrounds)
        assert not len(kb.composites("small"))
        assert "circuitkb observe MODEL --cut-outs" in kb.composites().notes[0]
        wrong = ["observe", "small", "--cut-outs", str(cut_outs), "--kb", kb.address]
        assert CliRunner().invoke(app, wrong).exit_code == 2
        wrong += ["--backgrounds", str(backgrounds), "--sizes", "0.5,large"]
        assert CliRunner().invoke(app, wrong).exit_code == 2
