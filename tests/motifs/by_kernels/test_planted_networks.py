"""Planted unions are found by what units answer, and nothing else is: through the front door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.loaders.planted.networks import TARGETS, Planted, planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.schema.ids import FeatureId

SIZE = 27
"""One receptive field of a detector: its unit stands in the middle."""

Circuit = tuple[int, frozenset[int]]


@dataclass(frozen=True)
class Score:
    """Circuits, or targets, that were found rightly, wrongly and not."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @classmethod
    def of(cls, found: set[Any], true: set[Any]) -> Score:
        return cls(len(found & true), len(found - true), len(true - found))

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def f1(self) -> float:
        return 2 * self.right / (2 * self.right + self.wrong + self.missed)


@dataclass(frozen=True)
class Searched:
    """A planted network, and the circuits around its targets that were found."""

    planted: Planted
    found: set[Circuit]
    tested: int

    @property
    def pairs(self) -> Score:
        true = {(target.unit, pair) for target in self.planted.targets for pair in target.pairs}
        return Score.of(self.found, true)

    @property
    def targets(self) -> Score:
        return Score.of({unit for unit, _ in self.found}, set(self.planted.units("union")))


def circuits(members: dict[str, list[tuple[str, str]]]) -> set[Circuit]:
    """Return target and cases of the circuits around targets, from members and their roles."""
    found = set()
    for each in members.values():
        ids = {feature: FeatureId.parse(feature) for feature, _ in each}
        (target,) = (ids[feature] for feature, role in each if role == "union")
        cases = frozenset(ids[feature].unit for feature, role in each if role == "case")
        assert len(cases) == 2
        if target.layer.startswith(TARGETS):
            found.add((target.unit, cases))
    return found


def search(folder: Path, planted: Planted) -> Searched:
    """Load, observe and search a network from its file, in Python."""
    file = write_onnx(planted, folder / f"seed{planted.settings['seed']}.onnx", any_size=False)
    with ckb.open(folder / "kb.ckb") as kb:
        model = file.stem
        kb.load(file)
        kb.observe(model, pixels=(-1, 1))
        (report,) = kb.find("union", models=[model]).models
        assert report.by == "responses"
        members: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for circuit, feature, role in kb.store.read(
            "MATCH (f:Feature)-[m:MEMBER_OF]->(c:Circuit {model: $model}) "
            "RETURN c.id, f.id, m.role",
            {"model": model},
            limit=None,
        ).rows:
            members[circuit].append((feature, role))
    return Searched(planted, circuits(members), report.tested)


def command(folder: Path, *arguments: str) -> Any:
    """Run the program and return its rows, where they are asked for."""
    done = subprocess.run(
        [sys.executable, "-m", "circuitkb", *arguments],
        cwd=folder,
        env={**os.environ, "CIRCUITKB": str(folder / "kb.ckb"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "json" in arguments else None


def search_by_commands(folder: Path, planted: Planted) -> Searched:
    """Do the same through the public commands alone."""
    write_onnx(planted, folder / "planted.onnx", any_size=False)
    command(folder, "load", "planted.onnx")
    command(folder, "observe", "planted", "--black", "-1", "--white", "1")
    (report,) = command(folder, "find", "union", "--model", "planted", "--format", "json")
    assert report["by"] == "responses"
    listed = command(folder, "circuits", "--limit", "10000", "--format", "json")
    assert len(listed) == report["circuits"]
    unions = command(folder, "circuits", "--motif", "union", "--limit", "10000", "--format", "json")
    assert {circuit["shape"] for circuit in unions} == {"two peaks"}
    assert len(unions) == report["found_two_peaks"] >= 0.6 * len(listed)
    others = [circuit for circuit in listed if circuit["motif"] == "mirrored-inputs"]
    assert len(unions) + len(others) == len(listed)
    members = {
        circuit["id"]: [(member["feature"], member["role"]) for member in circuit["members"]]
        for circuit in listed
    }
    return Searched(planted, circuits(members), report["tested"])


WAYS = {301: search_by_commands, 302: search, 303: search}


@pytest.fixture(
    scope="module",
    params=[[301], pytest.param([302, 303], marks=pytest.mark.long)],
    ids=["by commands", "in Python"],
)
def searched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Searched]:
    """Networks with moderate noise."""
    return [
        WAYS[seed](tmp_path_factory.mktemp("planted"), planted_network(size=SIZE, seed=seed))
        for seed in request.param
    ]


@pytest.mark.slow
def test_planted_unions_are_found(searched: list[Searched]) -> None:
    targets = sum((one.targets for one in searched), Score())
    assert targets.f1 >= 0.95
    pairs = sum((one.pairs for one in searched), Score())
    assert pairs.f1 >= 0.9


@pytest.mark.slow
def test_decoys_are_not_found_beyond_the_false_discovery_rate(searched: list[Searched]) -> None:
    total = sum((one.targets for one in searched), Score())
    assert total.wrong <= 0.05 * (total.right + total.wrong)
    pairs = sum((one.pairs for one in searched), Score())
    assert pairs.wrong <= 0.05 * (pairs.right + pairs.wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [304, *(pytest.param(seed, marks=pytest.mark.long) for seed in (305, 306))]
)
def test_networks_without_unions_hold_none(tmp_path: Path, seed: int) -> None:
    planted = planted_network(
        unions=0, one_sided=8, false_unions=8, symmetric=12, random=8, size=SIZE, seed=seed
    )
    found = search(tmp_path, planted)
    assert found.tested > 30
    assert found.found == set()
