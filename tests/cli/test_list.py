"""``circuitkb list`` and ``show`` for nodes of any kind (4 s)."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.cli import main
from tests.stores.contents import network, nodes, relations, together


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("trials") / "trials.ckb"
    trials = [
        {
            "id": f"t{i}",
            "method": "ablate",
            "predicted": i / 4,
            "outcome": ("held", "failed")[i % 2],
        }
        for i in range(6)
    ]
    with ckb.open(found) as kb:
        kb.store.write(
            together(
                network(),
                nodes("Trial", *trials),
                relations("ABOUT", "Trial", "Feature", {"source": "t1", "target": "net/a:0"}),
            )
        )
    return found


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def trials(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """Runs the program in this process, which has all of it imported."""
    monkeypatch.setenv("CIRCUITKB", str(place))

    def run(*words: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["circuitkb", *words])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Run(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), ["t0", "t1", "t2", "t3", "t4", "t5"]),
        (("predicted >= 0.5",), ["t2", "t3", "t4", "t5"]),
        (("predicted>=0.5", "outcome=held"), ["t2", "t4"]),
        (("id in t1, t5",), ["t1", "t5"]),
        (("method contains late", "predicted < 0.25"), ["t0"]),
    ],
)
def test_nodes_of_any_kind_are_listed(
    trials: Callable[..., Run], conditions: tuple[str, ...], expected: list[str]
) -> None:
    options = [word for text in conditions for word in ("--where", text)]
    run = trials("list", "Trial", *options, "--format", "json")
    assert run.code == 0, run.err
    assert [row["id"] for row in json.loads(run.out)] == expected


def test_a_list_keeps_to_a_model_and_a_number_of_rows(trials: Callable[..., Run]) -> None:
    run = trials("list", "Feature", "--model", "net", "--limit", "2", "--format", "csv")
    assert [line.split(",")[0] for line in run.out.splitlines()] == ["id", "net/a:0", "net/a:1"]
    assert "there are more" in run.err
    run = trials("list", "Model", "--model", "net", "--format", "json")
    assert [row["id"] for row in json.loads(run.out)] == ["net"]


def test_a_node_of_any_kind_is_shown(trials: Callable[..., Run]) -> None:
    shown = trials("show", "t1").out
    assert "failed" in shown
    assert "(Trial)-[:ABOUT]->(Feature)" in shown
    assert json.loads(trials("show", "t1", "--format", "json").out)["kind"] == "trial"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Trail",), "'Trail' is not a node label. Did you mean 'Trial'?"),
        (("Trial", "--where", "predictd > 1"), "Did you mean 'predicted'"),
        (("Trial", "--where", "predicted"), "'predicted' is no condition"),
        (("Trial", "--where", "predicted = much"), "predicted is 'much': it must be a number"),
        (("Feature", "--model", "nett"), "No model 'nett' here. Did you mean 'net'?"),
        (("Trial", "--model", "net"), "'model' is not a property of Trial"),
    ],
)
def test_what_cannot_be_listed_is_refused(
    trials: Callable[..., Run], words: tuple[str, ...], message: str
) -> None:
    run = trials("list", *words)
    assert (run.code, run.out) == (2, "")
    assert message in run.err
