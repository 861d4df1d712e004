"""The benchmark through the command line: made, answered and scored (4 s; long: 15 s)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from circuitkb.cli.app import app
from circuitkb.loaders.planted.benchmark.network import plant
from circuitkb.loaders.planted.onnx_files import write_module
from circuitkb.planted import baselines
from circuitkb.planted.files import Network
from tests.loaders.planted.planted_files import PlantedFile

RUNNER = CliRunner()
SMALL = ("--noise", "0.1", "--strength", "4", "--superposition", "0", "--count", "10")


def run(*arguments: str | Path, fails: bool = False) -> str:
    done = RUNNER.invoke(app, ["planted", *map(str, arguments)])
    assert done.exit_code == (2 if fails else 0), done.output
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "made"
    run("make", folder, "--kind", "union", "--kind", "boundary", *SMALL)
    return folder


@pytest.fixture(scope="module")
def magnitude(made: Path) -> Path:
    file = made.parent / "magnitude.json"
    run("answer", made, file, "--method", "magnitude")
    return file


def test_files_fit_their_schemas_and_the_given_one_tells_no_truth(
    made: Path, magnitude: Path
) -> None:
    for name, file in (
        ("networks", made / "networks.json"),
        ("truth", made / "truth.json"),
        ("answers", magnitude),
    ):
        schema = json.loads((made / f"{name}.schema.json").read_text())
        jsonschema.validate(json.loads(file.read_text()), schema)
    given = (made / "networks.json").read_text()
    assert "decoy" not in given
    assert "noise" not in given


def test_the_same_options_make_the_same_files(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "other"):
        run("make", folder, "--kind", "curve-assembly", *SMALL)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_our_search_finds_planted_unions_and_nothing_in_empty_networks(
    made: Path,
) -> None:
    ours = made.parent / "ours.json"
    run("answer", made, ours, "--kind", "union")
    rows = {
        (row["kind"], row["dials"]): row
        for row in json.loads(run("score", made, ours, "--format", "json"))
    }
    union = rows["union", "easy half"]
    assert union["f1"] >= 0.95
    assert union["fdr"] == 0
    assert [rows["union", name]["found"] for name in ("shuffled", "random")] == [0, 0]
    assert rows["boundary", "not searched"]["f1"] is None


def test_a_baseline_takes_decoys_for_circuits(made: Path, magnitude: Path) -> None:
    rows = {
        (row["kind"], row["dials"]): row
        for row in json.loads(run("score", made, magnitude, "--format", "json"))
    }
    for kind in ("union", "boundary"):
        assert rows[kind, "all"]["decoys_found"] >= 1
        assert rows[kind, "random"]["found"] == 10


@pytest.mark.parametrize("kind", ["boundary", "scale-union"])
def test_attributions_are_weight_times_activation_where_the_target_answers(
    kind: str, tmp_path: Path
) -> None:
    """With one layer of 1x1 kernels both follow from weights and responses, by onnxruntime."""
    planted = plant(kind, count=1)
    file = write_module(planted.module, tmp_path / "a.onnx", planted.input_shape, any_size=False)
    network = Network(
        file="a.onnx", sha256="", kind=kind, layers={}, input_shape=planted.input_shape
    )
    module, images = baselines.opened(tmp_path, network)
    images = images[::10]
    read = PlantedFile(file)
    inputs, targets = read.responses(images.numpy())
    acting = inputs[:, None, :] * read.weights[None, :, :, 0, 0] * (targets > 0)[:, :, None]
    np.testing.assert_allclose(
        baselines.magnitude(module, images), abs(read.weights[:, :, 0, 0]), atol=1e-6
    )
    np.testing.assert_allclose(
        baselines.gradient_activation(module, images), abs(acting.mean(axis=0)), atol=1e-4
    )
    unit = int(targets.mean(axis=0).argmax())
    best = np.argsort(-targets[:, unit], kind="stable")[: round(0.05 * len(images))]
    np.testing.assert_allclose(
        baselines.cross_layer(module, images)[unit], abs(acting[best, unit]).mean(axis=0), atol=1e-4
    )


def test_a_table_says_shares_with_their_intervals(made: Path, magnitude: Path) -> None:
    assert "1.00)" in run("score", made, magnitude)
    assert run("score", made, magnitude, "--calibration") == ""  # it has no q


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--noise", "-1"), "noise is -1: it goes from 0 to 2"),
        (("--strength", "nan"), "strength is nan"),
        (("--kind", "onion"), "There is no kind 'onion'; there are: union"),
        (("--count", "0"), "count is 0: it goes from 1 to 40"),
        (("--repeats", "0"), "repeats is 0: at least 1"),
        (("--seed", "-1"), "seed is -1: at least 0"),
    ],
)
def test_bad_options_are_refused_in_a_line_and_make_nothing(
    options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    assert said in run("make", folder, *options, fails=True)
    assert not folder.exists()


def test_what_is_there_is_not_written_over(made: Path, magnitude: Path, tmp_path: Path) -> None:
    assert "is there already: name a new folder" in run("make", tmp_path, fails=True)
    assert "is there already: name a new file" in run("answer", made, magnitude, fails=True)
    new = tmp_path / "new.json"
    assert "no method 'best'; there are: search" in run(
        "answer", made, new, "--method", "best", fails=True
    )
    assert "There is no kind 'family' in" in run(
        "answer", made, new, "--kind", "family", fails=True
    )
