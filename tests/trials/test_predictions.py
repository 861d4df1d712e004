"""Predictions from kernels and responses, beside the edited network: planted cases they must meet.

The network is small and has convolutions of one position, where nothing beside the place that is
read counts, so that direct effects are exact, and total ones of edits too small to turn a unit on
or off. Costs about 10 s.
"""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.schema.errors import TrialError
from circuitkb.trials.changes import another
from circuitkb.trials.edits import Edit
from circuitkb.trials.effects import Side, Wanted
from circuitkb.trials.predictions import (
    Asked,
    calibrated,
    draw,
    measured_changes,
    predict,
    raw_predictions,
    strongest,
)
from circuitkb.trials.random_edits import KINDS, random_edits
from circuitkb.trials.single_changes import Ablate, Unit
from tests.trials.made_up import COUNT, made, shown


@pytest.mark.parametrize("kind", ["remove", "flip", "scale"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_direct_effects_are_those_of_the_network(kind: str, side: Side) -> None:
    effects, edited = made()
    asked = draw(effects, kind, "exact target", strongest(effects, 3), 40, seed=1)
    predicted = raw_predictions(effects, asked, side)
    measured = measured_changes(effects, edited, shown, asked, side)
    np.testing.assert_allclose(predicted, measured, atol=1e-5)
    assert np.abs(measured).max() > 0.1
    depthwise = [one for one in asked if one.unit.layer == "3"]
    assert depthwise  # known from the responses of the target, whatever lies beside the place


def test_total_effects_behind_the_last_spatial_kernel_are_those_of_the_network() -> None:
    effects, edited = made()
    edits = random_edits(effects.connections, "remove", 30, seed=2, targets=["5", "7"])
    asked = [Asked(edit, Unit("8", number % 8), np.arange(20)) for number, edit in enumerate(edits)]
    edits = [*edits, Edit.parse("ablate 5:3"), Edit.parse("ablate 5:4 by mean")]
    asked += [Asked(edit, Unit("8", 2), np.arange(20)) for edit in edits[-2:]]
    asked.append(
        Asked(Edit.parse("remove 3:2 into 5:1; flip 5:1 into 7:3"), Unit("8", 1), np.arange(20))
    )
    asked.append(Asked(Edit.parse("ablate 7:3 by resampling 4"), Unit("8", 1), np.arange(20)))
    predicted = raw_predictions(effects, asked, "after")
    measured = measured_changes(effects, edited, shown, asked, "after")
    np.testing.assert_allclose(predicted, measured, atol=1e-5)


def test_many_pairs_are_swept_in_parts_with_the_same_result() -> None:
    effects, _ = made()
    edits = random_edits(effects.connections, "remove", 40, seed=3)
    read = {"8": np.arange(8)}
    together = effects.total([Wanted(edit, np.arange(COUNT), read) for edit in edits])
    for edit, found in zip(edits[:5], together, strict=False):
        (alone,) = effects.total([Wanted(edit, np.arange(COUNT), read)])
        np.testing.assert_allclose(found.after, alone.after, atol=1e-6)


def test_intervals_of_total_effects_hold_on_other_edits() -> None:
    effects, edited = made()
    inputs = strongest(effects, 2)
    found = calibrated(effects, edited, shown, "scale", "later", inputs, count=300, seed=5)
    asked = draw(effects, "scale", "later", inputs, 300, seed=6)
    predictions = predict(effects, asked, [found] * len(asked))
    hashes = [one.hash for one in predictions]
    measured = measured_changes(effects, edited, shown, asked, "after")
    held = [one.holds(x) for one, x in zip(predictions, measured.tolist(), strict=True)]
    assert 0.9 < np.mean(held) < 0.99  # 300 calibrated it, 300 judge: 1.8% and 1.3% of error
    assert hashes == [one.hash for one in predict(effects, asked, [found] * len(asked))]
    assert len(set(hashes)) == len(hashes)


def test_what_cannot_be_predicted_is_one_line() -> None:
    effects, _ = made()
    edit = Edit.parse("remove 3:2 into 5:1")
    with pytest.raises(TrialError, match="3:1 is not reached"):
        raw_predictions(effects, [Asked(edit, Unit("3", 1), np.arange(2))], "after")
    with pytest.raises(TrialError, match="'nowhere' was not observed"):
        raw_predictions(effects, [Asked(edit, Unit("nowhere", 1), np.arange(2))], "after")
    with pytest.raises(TrialError, match="no kind of edit"):
        random_edits(effects.connections, "cut", 3, seed=0)


def test_random_edits_are_the_same_for_a_seed_and_can_be_made() -> None:
    effects, _ = made()
    for kind in KINDS:
        if kind in ("mirror", "rotate"):
            few = random_edits(effects.connections, kind, 5, seed=1)
            assert all(edit.edges[0][1].layer == "3" for edit in few)  # the others have 1 x 1
        else:
            few = random_edits(effects.connections, kind, 30, seed=1)
        assert few == random_edits(effects.connections, kind, len(few), seed=1)
        assert few != random_edits(effects.connections, kind, len(few), seed=2)
        for edit in few:
            effects.kernels.changed(edit)


def test_resampling_takes_another_stimulus_for_each() -> None:
    found = another(50, Ablate(Unit("a", 1), "resampling", 3))
    assert sorted(found) == list(range(50))
    assert (found != np.arange(50)).all()
    assert (found != another(50, Ablate(Unit("a", 1), "resampling", 4))).any()
