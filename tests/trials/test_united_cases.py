"""The trial of a union holds for planted unions and for hardly any decoy, and is kept as it ended.

Costs about six seconds of a processor, most of them the network loaded and observed, once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.cli.app import app
from circuitkb.kb.observe import stored_model
from circuitkb.kb.trying import Network, try_circuits
from circuitkb.loaders.planted.networks import DETECTORS, TARGETS, Planted
from circuitkb.results.composites_report import CompositesReport
from circuitkb.results.reports import ModelFound
from circuitkb.schema.progress import silent
from circuitkb.trials.on_composites import (
    ANSWERS,
    DISSOCIATION,
    MEASURES,
    MIRRORED,
    STRONGLY,
    TRIAL,
)
from circuitkb.trials.trial import CircuitOnTrial
from tests.observation.stimuli.made_pictures import shapes
from tests.trials.planted import MODEL, Tried, observed, tried

Both = tuple[Planted, ckb.KnowledgeBase]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    place = tmp_path_factory.mktemp("planted") / "kb.ckb"
    network, kb = observed(tmp_path_factory, place)
    with kb:
        yield network, kb


@pytest.fixture(scope="module")
def outcomes(planted: Both) -> Tried:
    return tried(*planted, 311)


def test_planted_unions_hold_and_decoys_do_not(outcomes: Tried) -> None:
    unions = outcomes.outcomes("union")
    decoys = outcomes.outcomes("one case exchanged", "one-sided", "random")
    assert len(unions) == 12
    assert unions.count("held") >= 0.95 * len(unions)
    assert len(decoys) == 36
    assert decoys.count("held") <= 0.05 * len(decoys)


def test_what_is_predicted_without_the_network_is_what_it_gives(outcomes: Tried) -> None:
    predicted = np.array([trial.predicted for trial in outcomes.trials])
    measured = np.array([trial.measured for trial in outcomes.trials])
    assert np.abs(predicted - measured).max() < 0.01
    assert np.corrcoef(predicted, measured)[0, 1] > 0.999


def test_the_same_trial_has_the_same_id_and_another_circuit_another(outcomes: Tried) -> None:
    ids = [trial.id for trial in outcomes.trials]
    assert len(set(ids)) == len(ids)


@pytest.fixture(scope="module")
def found(planted: Both) -> ModelFound:
    (found,) = planted[1].find("union", models=[MODEL]).models
    return found


def test_what_is_found_is_tried_and_says_how_it_ended(planted: Both, found: ModelFound) -> None:
    _, kb = planted
    assert found.tried == found.circuits > 0
    assert not found.untried
    rows = kb.trials(kind="union", model=MODEL, limit=None).run().to_dicts()
    assert len(rows) == found.circuits
    assert [row["outcome"] for row in rows].count("held") == found.held
    listed = {row["circuit"]: row["trial"] for row in kb.circuits(model=MODEL, limit=None).run()}
    assert {row["circuit"]: row["outcome"] for row in rows} == listed
    said = kb.query(
        "MATCH (t:Trial)-[r:SUPPORTS|REFUTES]->(c:Circuit) "
        "RETURN t.outcome AS outcome, type(r) AS said",
        limit=None,
    )
    assert {tuple(row) for row in said.rows} <= {("held", "SUPPORTS"), ("failed", "REFUTES")}
    assert len(said) == sum(row["outcome"] != "undecided" for row in rows)


def test_a_search_without_trials_keeps_how_earlier_ones_ended(planted: Both) -> None:
    _, kb = planted
    if not kb.trials(kind="union", model=MODEL).run().rows:
        kb.find("union", models=[MODEL])

    def ended() -> dict[str, str]:
        rows = kb.circuits(model=MODEL, limit=None).run()
        return {row["circuit"]: row["trial"] for row in rows}

    before = ended()
    (found,) = kb.find("union", models=[MODEL], trials=False).models
    assert found.tried == 0
    assert ended() == before


def test_a_trial_that_is_run_again_gives_the_same(planted: Both) -> None:
    _, kb = planted
    if not kb.trials(kind="union", model=MODEL).run().rows:
        kb.find("union", models=[MODEL])
    first = kb.trials(kind="union", model=MODEL, limit=1).run().to_dicts()[0]
    again = kb.try_again(first["trial"])
    assert again.same
    assert again.trial.id == first["trial"]
    assert not again.written
    assert kb.trial(first["circuit"]).same


def test_planted_unions_hold_on_cut_outs_and_chance_does_not(
    planted: Both, found: ModelFound, tmp_path: Path
) -> None:
    _, kb = planted
    cut_outs, backgrounds = shapes(tmp_path, 60)
    (cut_outs / "none.png").write_bytes(b"no picture")
    before = kb.circuits(model=MODEL, limit=None).run().to_dicts()

    def observed_again() -> CompositesReport:
        return kb.observe(
            MODEL,
            cut_outs=cut_outs,
            backgrounds=backgrounds,
            sizes=[1.0],
            occlusions=[0.0],
            most=61,
        )

    report = observed_again()
    assert (report.created, report.circuits, report.left_out) == (True, found.circuits, 1)
    assert report.composites == 60 * 2 * 4
    rows = {row["measure"]: row for row in report.rows if row["among"] == "all"}
    assert set(rows) == set(MEASURES)
    for name in (MIRRORED, STRONGLY, ANSWERS):
        row = rows[name]
        assert row["hold"] >= 0.9 * row["tested"] > 4, name
        assert row["chance"] < 0.1 * row["tested"]
        assert row["p"] == 0.005
        assert row["shuffled"] <= 1
    for name in (DISSOCIATION, TRIAL):
        assert rows[name]["hold"] >= 0.9 * rows[name]["tested"] > 4
        assert rows[name]["chance"] <= 1  # of as many decoys
    assert kb.circuits(model=MODEL, limit=None).run().to_dicts() == before

    again = observed_again()
    assert not again.created
    assert again.rows == report.rows
    printed = CliRunner().invoke(app, ["composites", MODEL, "--format", "json", "--kb", kb.address])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == list(report.rows) == kb.composites().to_dicts()


def test_the_network_without_an_exciting_and_an_inhibiting_edge_gives_what_kernels_say(
    planted: Both,
) -> None:
    _, kb = planted
    responses, kernels = kb.responses(MODEL), kb.store.kernels(MODEL)
    assert responses is not None
    layers = [name for name, _ in responses.layers]
    (target,) = (name for name in layers if name.startswith(TARGETS))
    (source,) = (name for name in layers if name.startswith(DETECTORS))
    (joined,) = (c for c in kernels if (c.source, c.target) == (source, target))
    weights = np.asarray(joined.kernel)[0].sum(axis=(2, 3))
    circuits = [
        CircuitOnTrial(
            f"c{unit}",
            f"{MODEL}/{target}:{unit}",
            (
                f"{MODEL}/{source}:{weights[unit].argmax()}",
                f"{MODEL}/{source}:{weights[unit].argmin()}",
            ),
        )
        for unit in range(6)
    ]
    trials = try_circuits(
        "circuitkb.trials.inhibited_targets:try_circuits",
        circuits,
        Network(stored_model(kb.store, MODEL)),
        kernels,
        responses,
        silent,
        kind="cross-inhibition",
        of="mirror left-right",
        seed=0,
    )
    assert [trial.circuit for trial in trials] == [one.circuit for one in circuits]
    for trial in trials:
        assert trial.predicted == pytest.approx(trial.measured, abs=0.05)
        assert set(trial.detail["parts"]) == {"dissociation", "sufficiency", "release"}
        assert trial.decides
        assert trial.null_count == 20
