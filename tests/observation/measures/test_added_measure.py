"""A package adds a measure in one file: it is tested, written, reported and drawn (20 s)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import circuitkb as ckb
from circuitkb.observation.measures.measure import Measure, Measured, measures
from circuitkb.observation.measures.orientation import ORIENTATION
from circuitkb.observation.measuring import measure_recording, usable
from circuitkb.observation.recording import Recording
from circuitkb.schema import ddl, node_types
from circuitkb.schema.errors import ObservationError, SchemaError
from circuitkb.schema.measures import MEASURES
from circuitkb.schema.properties import given
from circuitkb.schema.registry import PluginWarning
from tests.observation.measures.wavelength import WAVELENGTH
from tests.observation.oriented_battery import (
    battery,
    blob,
    gabor,
    look,
    measured,
    responses,
    scrambled,
)
from tests.other_packages import installed

STIMULI, IMAGES = battery()
CODE = (Path(__file__).parent / "wavelength.py").read_text("utf-8")


def test_planted_units_have_the_wavelength_they_were_made_with_and_others_none() -> None:
    filters = [gabor(7.5 * i, wavelength=(4, 8, 16)[i % 3]) for i in range(24)]
    others = list(np.random.default_rng(1).normal(size=(60, *blob().shape)))
    shuffled = scrambled([*filters, *others], 2)
    found = measured(
        responses(look([*filters, *others], IMAGES), look(shuffled, IMAGES)),
        STIMULI,
        measure=WAVELENGTH,
    )
    assert found.passed[:24].all()
    assert found.measured.properties["wavelength"][:24].tolist() == [4, 8, 16] * 8
    assert found.passed[24:].mean() < 0.1
    assert found.p_permuted is None
    np.testing.assert_array_equal(found.p, found.p_shuffled)


def test_a_unit_without_a_statistic_is_not_tested() -> None:
    real = look([gabor(0), gabor(90), blob()], IMAGES)
    real[1, [item.kind == "grating" for item in STIMULI]] = 2
    found = measured(responses(real, real), STIMULI, measure=WAVELENGTH)
    assert found.testable.tolist() == [True, False, True]
    assert found.tested.tolist() == [2, 2, 2]
    assert np.isnan([found.p[1], found.q[1]]).all()
    assert not found.passed[1]


class Planted(nn.Module):
    """Half of the units of a layer are gratings of 8 pixels, one is dead, the rest is noise."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)  # not the seed of the shuffling: it would sort these weights
        self.first, self.act = nn.Conv2d(3, 64, 15, stride=2), nn.ReLU()
        row, column = torch.meshgrid(*[torch.arange(15.0) - 7] * 2, indexing="ij")
        for unit in range(32):
            angle = torch.tensor(unit * torch.pi / 32)
            across = row * angle.cos() + column * angle.sin()
            window = torch.exp(-(row**2 + column**2) / 30)
            filter_ = window * torch.cos(2 * torch.pi * across / 8 + unit)
            self.first.weight.data[unit] = filter_ - filter_.mean()
        self.first.weight.data[63], self.first.bias.data[63] = 0, 0  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.first(x))  # type: ignore[no-any-return]


@contextmanager
def with_package(folder: Path, code: str, **points: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    node_types.measures.cache_clear()
    try:
        with installed(folder, MEASURES, "more_measures", code, **points):
            yield
    finally:
        node_types.measures.cache_clear()


def rows(kb: ckb.KnowledgeBase, cypher: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in kb.store.read(cypher, limit=None).rows]


ORIENTED = (
    "MATCH (e:Evidence {kind: 'orientation-tuning'})-[:ABOUT]->(f:Feature) "
    "RETURN f.id, e.id, e.value, e.p, e.q, e.null_mean, e.detail, f.orientation ORDER BY f.id"
)


def test_it_is_observed_written_listed_reported_exported_and_drawn(tmp_path: Path) -> None:
    path = tmp_path / "planted.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Planted().eval(),
            (torch.zeros(1, 3, 31, 31),),
            path,
            dynamo=False,
            opset_version=17,
            input_names=["image"],
        )
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load(path)
        assert "tuned" not in kb.observe("planted", pixels=(0, 1)).counts
        before = rows(kb, ORIENTED)
        with with_package(tmp_path / "site", CODE, wavelength="more_measures:WAVELENGTH"):
            # What was observed without it is observed again, and then no more.
            report = kb.observe("planted", pixels=(0, 1))
            assert report.created
            assert not kb.observe("planted", pixels=(0, 1)).created
            assert report.counts["tuned"] == report.tuned >= 32
            assert report.to_result()["tuned_shuffled"] == [0]
            assert rows(kb, ORIENTED) == before  # the other measure does not see it

            planted = "MATCH (f:Feature {layer: 'act/Relu'}) WHERE f.unit < 32 "
            assert rows(kb, planted + "RETURN DISTINCT f.wavelength") == [(8.0,)]
            found = kb.features(layer="act/Relu", wavelength=ckb.near(8, 1)).run()
            assert len(found) >= 32
            assert "<title>prefers " in found._repr_html_()
            labels = rows(
                kb,
                "MATCH (e:Evidence {kind: 'wavelength-tuning', stance: 'supports'})-[:SUPPORTS]->"
                "(a:Annotation)-[:ANNOTATES]->(f:Feature) RETURN a.text, a.method, count(f)",
            )
            assert labels[0][:2] == ("wavelength 8", "wavelength-tuning 1")
            assert sum(count for *_, count in labels) == report.tuned
            card = kb.show("planted/act/Relu:3")
            assert card.facts["wavelength"] == 8
            evidence = next(each for each in card.sections if each.title == "Evidence")
            assert "wavelength-tuning" in evidence.result["kind"]
            text = kb.report()
            assert "## 7. Wavelength" in text
            assert "## 2. Orientation" in text
            assert f"units that prefer a wavelength | {report.tuned} |" in text
            assert ("Feature", "wavelength") in {
                (row["of"], row["property"]) for row in ddl.table_rows()
            }
            nodes = [piece.nodes for piece in kb.store.export() if "Feature" in piece.nodes]
            values = [
                value for each in nodes for value in each["Feature"]["wavelength"].to_pylist()
            ]
            assert sum(value is not None for value in values) == report.tuned
        # Without the package the store opens, and what was written is still there.
        assert rows(kb, "MATCH (f:Feature) WHERE f.wavelength = 8 RETURN count(f)")[0][0] >= 32
        assert not kb.observe("planted", pixels=(0, 1)).created
        summary = json.loads(rows(kb, "MATCH (i:Import {kind: 'observe'}) RETURN i.summary")[0][0])
        assert summary["tuned"] == report.tuned


def recording() -> Recording:
    filters = [gabor(7.5 * i) for i in range(24)]
    given_ = responses(look(filters, IMAGES), look(scrambled(filters, 1), IMAGES))
    second = look(scrambled(filters, 2), IMAGES).astype(np.float32)
    return Recording(given_, second, np.arange(len(STIMULI)), 0.0)


def fails(*_: object) -> Measured:
    raise ZeroDivisionError("by nothing\nat all")


def flat(found: Any, *_: object) -> Measured:
    return Measured(statistic=np.zeros(3))


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (fails, r"'broken' cannot be used here: ZeroDivisionError: by nothing$"),
        (flat, r"'broken' .* the statistic of shape \(3,\) for 24 units"),
        (lambda found, _: Measured(np.zeros(len(found))), r"gives the properties \[\], where"),
    ],
)
def test_one_that_breaks_is_named_and_the_rest_is_measured(of: Any, said: str) -> None:
    broken = replace(WAVELENGTH, name="broken", of=of)
    alone = measure_recording(recording(), STIMULI, [ORIENTATION], seed=0)
    with pytest.warns(PluginWarning, match=said):
        found = measure_recording(recording(), STIMULI, [broken, ORIENTATION], seed=0)
    assert found.counts == alone.counts
    np.testing.assert_array_equal(found.found["orientation"].q, alone.found["orientation"].q)
    with pytest.raises((ZeroDivisionError, ObservationError)):
        measure_recording(recording(), STIMULI, [broken], seed=0)


def test_a_battery_that_is_too_small_for_one_measure_serves_the_others() -> None:
    stimuli = [item for item in STIMULI if item.kind != "edge"]
    with pytest.warns(PluginWarning, match="'orientation' cannot be used here"):
        found, places = usable([ORIENTATION, WAVELENGTH], stimuli)
    assert found == (WAVELENGTH,)
    assert {stimuli[place].kind for place in places} == {"grating"}
    with pytest.raises(ObservationError, match="show larger images"):
        usable([ORIENTATION], stimuli)


def test_a_property_that_is_there_already_is_refused_by_name(tmp_path: Path) -> None:
    code = CODE.replace('given("wavelength"', 'given("spread"')
    with with_package(tmp_path / "site", code, wavelength="more_measures:WAVELENGTH"):
        with pytest.warns(PluginWarning, match="'wavelength' .* its property 'spread' is that of"):
            names = [measure.name for measure in measures()]
        assert names[0] == "orientation"
        assert "wavelength" not in names


def test_a_property_is_a_plain_word_and_optional() -> None:
    for bad in (given("Hue!", "float", ""), given("hue", "float", "", required=True)):
        with pytest.raises(SchemaError):
            replace(WAVELENGTH, properties=(bad,))
    assert isinstance(WAVELENGTH, Measure)
