"""Scores of hand-made answers, worked out by hand; and what is refused (1 s)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from circuitkb.planted import scoring
from circuitkb.planted.files import (
    NETWORKS,
    TRUTH,
    Answers,
    Asked,
    Circuit,
    Network,
    Networks,
    Planted,
    Truth,
    read,
    sha256,
    write,
)
from circuitkb.planted.intervals import f1_of, share_of
from circuitkb.schema.errors import SourceError

ASKED = Asked(
    what="w", about="targets", units=1, members=("detectors",), member_count=2, circuits=2
)


def planted(level: str = "easiest", *, easy: bool = True, circuits: int = 2) -> Planted:
    """Targets 0, 1, ... each take two detectors; target 8 is a decoy."""
    dial = level.split()[0]
    return Planted(
        kind="union",
        noise=0,
        strength=4,
        superposition=0,
        dial=dial,
        level=level,
        easy=easy,
        without=dial if dial == "random" else "",  # type: ignore[arg-type]
        circuits=tuple(
            Circuit(units=(f"targets:{unit}",), members=(f"detectors:{unit}", "detectors:9"))
            for unit in range(circuits)
        ),
        decoys=(Circuit(units=("targets:8",), members=("detectors:5", "detectors:6")),),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three networks: easy, hard, and one that holds nothing."""
    made = tmp_path / "made"
    made.mkdir()
    truths = {
        "a": planted(),
        "b": planted("noise 0.6", easy=False),
        "c": planted("random", circuits=0),
    }
    networks = {}
    for name in truths:
        (made / f"{name}.onnx").write_text(name)
        networks[name] = Network(
            file=f"{name}.onnx",
            sha256=sha256(made / f"{name}.onnx"),
            kind="union",
            layers={"detectors": 10, "targets": 10},
            input_shape=(1, 27, 27),
        )
    truth = Truth(
        seed=0, count=2, repeats=1, decoys={"union": ""}, naive={"union": ""}, networks=truths
    )
    write(made / TRUTH, truth)
    write(
        made / NETWORKS,
        Networks(truth_sha256=sha256(made / TRUTH), kinds={"union": ASKED}, networks=networks),
    )
    return made


def answer(network: str, target: int, *detectors: int, q: float | None = None) -> dict[str, Any]:
    members = [f"detectors:{each}" for each in detectors]
    return {"network": network, "units": [f"targets:{target}"], "members": members, "q": q}


def answers(folder: Path, *circuits: Mapping[str, Any], **about: Any) -> Path:
    path = folder.parent / "answers.json"
    path.write_text(
        json.dumps(
            {
                "format": "circuitkb-planted-answers 1",
                "method": "mine",
                "circuits": list(circuits),
                **about,
            }
        )
    )
    return path


def scores(folder: Path, path: Path) -> dict[str, dict[str, Any]]:
    return {row["dials"]: row for row in scoring.score(folder, path)}


def test_right_wrong_and_missed_are_counted_for_each_level(folder: Path) -> None:
    found = scores(
        folder,
        answers(
            folder,
            answer("a", 0, 0, 9),
            answer("a", 1, 1, 9, 3),
            answer("a", 8, 5, 6),
            answer("b", 0, 0, 9),
            answer("c", 3, 1, 2),
        ),
    )
    assert list(found) == ["easiest", "noise 0.6", "easy half", "all", "random"]
    easy = found["easiest"]
    assert (easy["found"], easy["right"], easy["circuits"], easy["decoys_found"]) == (3, 2, 2, 1)
    assert easy["precision"] == pytest.approx(2 / 3)
    assert easy["recall"] == 1
    assert easy["f1"] == pytest.approx(4 / 5)
    assert easy["fdr"] == pytest.approx(1 / 3)
    assert (easy["members_precision"], easy["members_recall"]) == (pytest.approx(4 / 5), 1)
    hard = found["noise 0.6"]
    assert (hard["f1"], hard["recall"], hard["fdr"]) == (pytest.approx(2 / 3), 0.5, 0)
    assert found["easy half"] == easy | {"dials": "easy half"}
    both = found["all"]
    assert (both["found"], both["right"], both["circuits"]) == (4, 3, 4)
    assert both["f1"] == pytest.approx(6 / 8)
    empty = found["random"]
    assert (empty["found"], empty["circuits"], empty["f1"], empty["recall"]) == (1, 0, 0, None)
    assert (empty["networks_with_answers"], empty["fdr"]) == (1, 1)


def test_half_of_the_members_must_be_right_and_a_circuit_is_matched_once(folder: Path) -> None:
    found = scores(
        folder,
        answers(
            folder,
            answer("a", 0, 0, 5, 6),  # one of four: no match
            answer("a", 1, 1),  # one of two: matched, unless a better one is
            answer("a", 1, 1, 9),
        ),
    )["easiest"]
    assert (found["right"], found["found"]) == (1, 3)
    assert (found["members_precision"], found["members_recall"]) == (1, 1)


def test_no_answer_has_no_precision_and_nothing_wrong(folder: Path) -> None:
    found = scores(folder, answers(folder))
    assert (found["all"]["f1"], found["all"]["recall"], found["all"]["precision"]) == (0, 0, None)
    assert found["random"]["f1"] is None


def test_kinds_that_were_not_searched_are_said_and_not_scored(folder: Path) -> None:
    result = scoring.score(folder, answers(folder, searched=[]))
    assert [row["dials"] for row in result] == ["not searched"]
    assert result.notes == ("mine did not search for union.",)


def test_the_measured_rate_is_compared_with_the_one_that_is_allowed(folder: Path) -> None:
    path = answers(folder, answer("a", 8, 5, 6), answer("a", 0, 0, 9), fdr=0.05)
    (note,) = scoring.score(folder, path).notes
    assert "allows itself a false discovery rate of 0.05; measured over all kinds 0.500" in note
    assert "not told apart" in note
    wrong = [answer("a", unit, 0, 9) for unit in range(2, 10)]
    assert "above it" in scoring.score(folder, answers(folder, *wrong, fdr=0.05)).notes[0]


def test_q_values_are_calibrated_against_what_is_wrong(folder: Path) -> None:
    path = answers(
        folder, answer("a", 0, 0, 9, q=0.01), answer("a", 8, 5, 6, q=0.04), answer("b", 8, 5, 6)
    )
    rows = [row for row in scoring.calibration(folder, path) if row["kind"] == "all"]
    assert [(row["q_at_most"], row["found"], row["fdr"]) for row in rows] == [
        (0.01, 1, 0),
        (0.05, 2, 0.5),
        (0.1, 2, 0.5),
        (0.2, 2, 0.5),
    ]


def test_intervals_are_exact() -> None:
    low, high = share_of(3, 3)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 3)), 1)
    low, high = share_of(0, 5)
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / 5)))
    f1, low, high = f1_of(3, 0, 0)
    assert (f1, high) == (1, 1)
    assert low == pytest.approx(2 * 0.025 ** (1 / 3) / (1 + 0.025 ** (1 / 3)))


@pytest.mark.parametrize(
    ("circuit", "said"),
    [
        (answer("z", 0), "no network 'z'"),
        (answer("a", 10), r"targets:10 is not there; layers are detectors \(10\), targets \(10\)"),
        (answer("a", 0, 0, 0), "a unit is named twice"),
        ({"network": "a", "units": ["detectors:1"]}, "where a union has units of targets there"),
        ({"network": "a", "units": ["elsewhere:1"]}, "elsewhere:1 is not there"),
        ({"network": "a", "units": ["targets"]}, "should match pattern"),
        ({"network": "a", "units": []}, "at least 1 item"),
        ({"network": "a", "units": ["targets:1"], "q": 2}, "less than or equal to 1"),
        ({"network": "a", "units": ["targets:1"], "colour": 2}, "Extra inputs"),
    ],
)
def test_answers_about_what_is_not_there_are_refused_in_a_line(
    folder: Path, circuit: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(SourceError, match=said) as error:
        scoring.score(folder, answers(folder, circuit))
    assert "circuits" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_same_circuit_twice_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"circuits\[1\]: this circuit was answered before"):
        scoring.score(folder, answers(folder, answer("a", 0, 0, 9), answer("a", 0, 9, 0)))


def test_answers_of_kinds_that_were_not_searched_are_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="'union' is not among the kinds searched"):
        scoring.score(folder, answers(folder, answer("a", 0), searched=[]))
    with pytest.raises(SourceError, match="says it searched 'onion'; there are: union"):
        scoring.score(folder, answers(folder, searched=["onion"]))


def test_altered_files_are_refused(folder: Path) -> None:
    path = answers(folder)
    (folder / "a.onnx").write_text("other")
    with pytest.raises(SourceError, match=r"a\.onnx was altered since it was made"):
        scoring.score(folder, path)
    (folder / TRUTH).write_text((folder / TRUTH).read_text().replace("targets:1", "targets:2"))
    with pytest.raises(SourceError, match=r"truth\.json was altered since it was made"):
        scoring.score(folder, path)


def test_files_that_are_not_there_or_no_json_are_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="is no benchmark: make one with"):
        scoring.score(folder.parent, answers(folder))
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        scoring.score(folder, folder / "no.json")
    path = folder / "no.json"
    path.write_text("{")
    with pytest.raises(SourceError, match="Invalid JSON"):
        read(path, Answers)
