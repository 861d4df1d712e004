"""Small early layers get as many shuffled copies as let one unit pass (8 s)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import circuitkb as ckb
from circuitkb.observation.further_copies import COPIES
from circuitkb.observation.measures.against_nulls import Measurement, layer_counts
from circuitkb.observation.measures.orientation import ORIENTATION
from circuitkb.observation.measuring import measure_recording
from circuitkb.observation.recording import Recording
from circuitkb.schema.responses import ARRAYS
from tests.observation.oriented_battery import battery, gabor, look, responses

STIMULI, IMAGES = battery()
NOISE = np.random.default_rng(3)


def units(count: int, *first: np.ndarray) -> np.ndarray:
    """What some filters answer, and so many of noise."""
    drawn = NOISE.normal(size=(count - len(first), *IMAGES.shape[1:]))
    return look([*first, *drawn], IMAGES).astype(np.float32)


def recording(*first: np.ndarray, copies: int) -> Recording:
    """Two layers of eight units, of which the first has further copies."""
    real, one, two = units(16, *first), units(16), units(16)
    layers = [("early", 8), ("late", 8)]
    given = responses(real, one, layers=layers, after=lambda before: before)
    whole = Recording(given, two, np.arange(len(STIMULI)), 0.0)
    further = np.stack([units(8) for _ in range(copies)]) if copies else None
    return whole if further is None else replace(whole, further={"early": further})


def oriented(of: Recording) -> tuple[Measurement, int]:
    found = measure_recording(of, STIMULI, [replace(ORIENTATION, permutations=200)], seed=0)
    return found.found["orientation"], found.control["orientation"]


def test_one_unit_of_a_small_layer_passes_against_twenty_copies_and_not_against_two() -> None:
    few, _ = oriented(recording(gabor(30), copies=0))
    assert not few.passed.any()
    found, control = oriented(recording(gabor(30), copies=COPIES))
    assert found.passed[0]
    assert found.passed[1:].sum() <= 1
    assert found.measured.properties["orientation"][0] == pytest.approx(30, abs=3)
    assert control == 0
    counts = layer_counts(found, (("early", 8), ("late", 8)))
    assert counts["early"].null_pool == 8 * (2 + COPIES)
    assert (counts["early"].fewest, counts["late"].fewest) == (1, 10)


def test_the_null_of_other_layers_and_random_units_are_as_they_were() -> None:
    passed = 0
    for _ in range(10):
        of = recording(copies=COPIES)
        found, _ = oriented(of)
        alone, _ = oriented(replace(of, further={}))
        np.testing.assert_array_equal(found.q[8:], alone.q[8:])
        passed += int(found.passed.any())
    assert passed <= 2  # a rate of 5%


class Early(nn.Module):
    """A layer that sees 3 of 27 pixels, and one that sees 11."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3)
        self.act = nn.ReLU()
        self.second = nn.Conv2d(6, 4, 9)
        self.second_act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.second_act(self.second(self.act(self.first(x))))
        return found


def evidence(kb: ckb.KnowledgeBase) -> dict[str, dict[str, Any]]:
    rows = kb.store.read(
        "MATCH (e:Evidence {kind: 'orientation-tuning'})-[:ABOUT]->(f:Feature) "
        "RETURN e.id, f.layer, f.unit, e.null_method, e.null_count, e.value",
        limit=None,
    ).rows
    names = ("layer", "unit", "null", "count", "value")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def shuffled(of: dict[str, dict[str, Any]], layer: str) -> Sequence[int]:
    """How many units of copies decided, in evidence of a layer where they did."""
    return [e["count"] for e in of.values() if e["layer"] == layer and "shuffled" in e["null"]]


def test_a_store_observed_before_gets_them_when_it_is_observed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Early().eval()
    monkeypatch.setattr("circuitkb.observation.measures.measure.measures", lambda: (ORIENTATION,))
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load(module, name="early", input_shape="3x27x27")
        with monkeypatch.context() as older:
            older.setattr("circuitkb.observation.further_copies.has_early", lambda _: False)
            kb.observe("early", module=module, pixels=(0, 1))
        before, kept = evidence(kb), kb.store.responses("early")
        assert kb.observe("early", module=module, pixels=(0, 1)).created
        found, now = evidence(kb), kb.store.responses("early")
        assert kept is not None
        assert now is not None
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(now, name), getattr(kept, name))
        assert {id: e["value"] for id, e in found.items()} == {
            id: e["value"] for id, e in before.items()
        }
        late = "second_act"
        assert {id: e for id, e in found.items() if e["layer"] == late} == {
            id: e for id, e in before.items() if e["layer"] == late
        }
        assert set(shuffled(before, "act")) == {6 * 2}
        assert set(shuffled(found, "act")) == {6 * (2 + COPIES)}
        (summary,) = kb.store.read("MATCH (i:Import {kind: 'observe'}) RETURN i.summary").rows[0]
        assert json.loads(summary)["further_copies"] == COPIES
        assert not kb.observe("early", module=module, pixels=(0, 1)).created
