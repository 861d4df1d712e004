"""Stimuli are searched that break predictions: up the gradient, within bounds, the same for a seed.

Costs about fifteen seconds of a processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import circuitkb as ckb
from circuitkb.loaders.sources.pixels import PixelRange
from circuitkb.schema.errors import TrialError
from circuitkb.trials.edits import Edit
from circuitkb.trials.predictions import Asked, measured_changes, raw_changes
from circuitkb.trials.search import Gap, Search, search
from circuitkb.trials.single_changes import Unit
from tests.trials.made_up import COUNT, made, shown
from tests.trials.planted import MODEL, observed

PIXELS = PixelRange((-2.0, -1.0, 0.0), (2.0, 3.0, 1.0), known=True, order=(2, 0, 1))

ASKED = {
    "through a spatial kernel": ("rotate 1:10 into 3:10 by 90", "3:10"),
    "through later layers": ("remove input:0 into 1:10; flip 3:2 into 5:1", "8:2"),
    "an ablated feature": ("ablate 1:10 by mean", "8:5"),
}


def gap_of(edit: str, read: str, count: int = 3) -> tuple[Gap, torch.Tensor]:
    effects, edited = made()
    asked = Asked(Edit.parse(edit), Unit.parse(read), np.arange(count))
    images = np.random.default_rng(1).uniform(0.1, 0.9, (count, 3, 9, 9)).astype(np.float32)
    return Gap(effects, edited.flow(), PIXELS, asked), torch.from_numpy(images)


@pytest.mark.parametrize("name", ASKED)
def test_the_gradient_of_the_gap_is_that_of_finite_differences(name: str) -> None:
    gap, images = gap_of(*ASKED[name])
    which = gap.batches()[0]
    images = images[which].requires_grad_()
    (slope,) = torch.autograd.grad(gap.of(images, which)[0].sum(), images)
    draw = torch.Generator().manual_seed(0)
    ratios = []
    for _ in range(8):
        way = torch.randn(images.shape, generator=draw)
        with torch.no_grad():
            high, low = (gap.of(images + sign * 1e-3 * way, which)[0].sum() for sign in (1, -1))
        ratios.append((float(high - low) / 2e-3, float((slope * way).sum())))
    found, expected = np.array(ratios).T
    np.testing.assert_allclose(expected, found, atol=0.02 * np.abs(found).max())
    assert np.abs(found).max() > 1e-3


@pytest.mark.parametrize("edit", ["flip 1:3 into 3:3", "remove 3:2 into 5:1; ablate 1:2"])
def test_what_gradients_flow_through_is_the_network(edit: str) -> None:
    effects, edited = made()
    asked = Asked(Edit.parse(edit), Unit.parse("8:2"), np.arange(4))
    gap = Gap(effects, edited.flow(), PixelRange((0.0,), (1.0,), known=True), asked)
    (view,) = edited.views
    images = torch.from_numpy(shown(view, asked.stimuli))
    gaps, answers = (
        torch.cat(parts) if number == 0 else parts
        for number, parts in enumerate(
            zip(*[gap.of(images[some], some) for some in gap.batches()], strict=True)
        )
    )
    for side in ("before", "after"):
        for layer, rows in effects.responses.rows.items():
            seen = torch.cat([getattr(one, side)[layer] for one in answers], dim=1)
            kept = getattr(effects.responses, side)[rows][:, :4]
            np.testing.assert_allclose(seen, kept, atol=1e-5)
    measured = measured_changes(effects, edited, shown, [asked], "after")
    (predicted,) = raw_changes(effects, [asked], "after")
    assert float(gaps.mean()) == pytest.approx(measured[0] - float(predicted.mean()), abs=1e-6)


@pytest.mark.parametrize("name", ASKED)
def test_a_search_widens_the_gap_within_its_bounds_and_again_alike(name: str) -> None:
    gap, images = gap_of(*ASKED[name])
    how = Search(steps=8, seed=4)
    found = search(gap, images.numpy(), how)
    assert found.gap_after > 1.2 * found.gap_before
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    np.testing.assert_array_equal(search(gap, images.numpy(), how).images, found.images)
    narrow = search(gap, images.numpy(), Search(steps=8, low=0.4, high=0.6, seed=4))
    moved = (narrow.images != images.numpy()).any(axis=(1, 2, 3))
    assert moved.any()
    assert narrow.images[moved].min() >= np.float32(0.4)
    assert narrow.images[moved].max() <= np.float32(0.6)


def test_an_exact_prediction_has_no_gap_to_be_widened() -> None:
    gap, images = gap_of("remove 3:2 into 5:1", "5:1", count=COUNT)
    found = search(gap, images.numpy(), Search(steps=3))
    assert found.gap_after < 1e-5


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("planted") / "kb.ckb"
    with observed(tmp_path_factory, place, 312)[1] as kb:
        yield kb


def test_a_searched_trial_says_so_and_is_another_one_and_runs_again(
    kb: ckb.KnowledgeBase,
) -> None:
    responses = kb.responses(MODEL)
    assert responses is not None
    detectors, targets = (name for name, _ in responses.layers[-2:])
    about, edit = f"{MODEL}/{detectors}:3", "ablate"
    read = f"{MODEL}/{targets}:0"
    plain = kb.trial(about, edit, read=read, controls=False).trial
    found = kb.trial(about, edit, read=read, controls=False, search=True).trial
    assert plain.id != found.id
    assert found.detail["search"]["gap_after"] >= found.detail["search"]["gap_before"]
    assert found.settings["search"]["steps"] > 0
    assert "does not promise to hold here" in found.detail["left_in_place"][-1]
    facts = kb.show(found.id).facts
    assert facts["searched"] is True
    assert "searched to break the prediction" in facts["inputs"]
    assert kb.try_again(found.id).same
    with pytest.raises(TrialError, match="No stimuli can be searched"):
        kb.trial(about, "ablate by resampling", read=read, search=True)


def test_a_fifth_of_a_list_is_searched_always_the_same(kb: ckb.KnowledgeBase) -> None:
    first = kb.try_edits(random=30, model=MODEL, controls=False)
    searched = {one.id for one in first.trials if one.searched}
    assert 1 <= len(searched) <= 12
    again = kb.try_edits(random=30, model=MODEL, controls=False)
    assert again.there == 30
    assert {one.id for one in again.trials if one.searched} == searched
    rows = {row["stimuli"]: row["trials"] for row in first.to_result()}
    assert rows == {"as they are": 30 - len(searched), "searched": len(searched)}
    none = kb.try_edits(random=30, model=MODEL, controls=False, search=False)
    assert not any(one.searched for one in none.trials)
    assert none.there == 30 - len(searched)
