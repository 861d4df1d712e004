"""Claims that predict a proof, their trials and their proofs, repeated by an outsider.

Costs about four seconds of a processor, what ``tests/long.txt`` lists left out.
"""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import vnnlib

import circuitkb as ckb
from circuitkb.errors import ClaimError
from tests.claims.worlds import claim, whole
from tests.proofs.small_onnx import TARGET, WHEN, small_onnx

FEW, MANY = (0.9, 1.2), tuple(0.72 + 0.04 * step for step in range(14))
"""What is said of the target: below 1 it is proved, above it is refuted."""


def statements(levels: Sequence[float]) -> list[dict[str, Any]]:
    """Claims of which half are proved and half predict their counterexample; parts after wholes."""
    found = [
        claim(
            f"above-{level:.2f}",
            subject="small",
            prediction={
                "test": "proof",
                "tried": TARGET,
                "when": WHEN,
                "then": f"target > {level:.2f}",
                "box": "pixels",
                **({"at_least": 1} if level < 1 else {"at_most": 0}),
            },
        )
        for level in levels
    ]
    return [whole("all", *(one["id"] for one in found)), *found]


def lines(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "claims.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def outsider(folder: Path, network: Path) -> ckb.KnowledgeBase:
    kb = ckb.open(folder / "theirs.ckb")
    kb.load(network, name="small")
    return kb


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_onnx(tmp_path_factory.mktemp("network"))


def filled(folder: Path, network: Path, levels: Sequence[float]) -> ckb.KnowledgeBase:
    kb = outsider(folder, network)
    kb.claims.add(lines(folder, *statements(levels)))
    kb.claims.test()
    return kb


@pytest.fixture(scope="module")
def tested(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    with filled(tmp_path_factory.mktemp("tested"), network, FEW) as kb:
        yield kb


@pytest.fixture(scope="module")
def many(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    with filled(tmp_path_factory.mktemp("many"), network, MANY) as kb:
        yield kb


def outcomes(kb: ckb.KnowledgeBase) -> dict[str, tuple[str, str]]:
    """Return how each claim stands, and how the proof that speaks for it ended."""
    rows = kb.query(
        "MATCH (p:Proof)-[:SUPPORTS]->(c:Claim)<-[:SUPPORTS]-(t:Trial), (p)-[:ABOUT]->(c), "
        "(p)-[:ABOUT]->(f:Feature {id: $target}) RETURN c.id, c.standing, p.outcome",
        {"target": TARGET},
        limit=None,
    ).rows
    return {id: (standing, outcome) for id, standing, outcome in rows}


def repeated(kb: ckb.KnowledgeBase, chosen: list[str]) -> None:
    """Repeat claims, and decide their proofs again; nothing is written."""
    count = "MATCH (n) RETURN count(n), sum(CASE WHEN n:Proof THEN n.seconds END)"
    before = kb.query(count).rows
    report = kb.claims.test(*chosen, again=True)
    assert [one.repeated for one in report.tested] == [True] * len(chosen)
    ids = kb.query(
        "UNWIND $ids AS id MATCH (p:Proof)-[:ABOUT]->(c:Claim {id: id}) RETURN p.id",
        {"ids": chosen},
    ).rows
    again = [kb.prove_again(id) for (id,) in ids]
    assert [one.same for one in again] == [True] * len(chosen)
    for one in again:
        refuted = one.proof.outcome == "refuted"
        assert (one.proof.measured is not None) == refuted  # run on the network itself
        assert not refuted or one.proof.measured == pytest.approx(1, abs=0.3)
    assert kb.query(count).rows == before


def test_a_proof_speaks_for_the_claim_that_predicts_it(tested: ckb.KnowledgeBase) -> None:
    assert outcomes(tested) == {
        "above-0.90": ("supported", "proved"),
        "above-1.20": ("supported", "refuted"),
    }
    assert tested.claims.show("all")["standing"] == "supported"
    assert tested.claims.show("above-1.20")["why"] == "refuted by a counterexample, as predicted"


def test_an_outsider_takes_a_proof_in_and_repeats_it(
    tested: ckb.KnowledgeBase, network: Path, tmp_path: Path
) -> None:
    tested.claims.export(format="bundle", output=tmp_path / "all.zip")
    with outsider(tmp_path, network) as theirs:
        report = theirs.claims.add(tmp_path / "all.zip")
        assert (report.new, report.trials, report.proofs) == (3, 2, 2)
        assert outcomes(theirs) == outcomes(tested)
        assert theirs.claims.show("all")["standing"] == "supported"
        repeated(theirs, ["above-1.20"])


def test_vnnlib_is_read_by_its_own_package_and_onnxruntime_finds_the_counterexample(
    tested: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    tested.claims.export("above-1.20", format="vnnlib", output=folder)
    query = vnnlib.parse_query_file(str(folder / "statement.vnnlib"))
    (network,) = query.networks
    assert [one.onnx_name.strip('"') for one in network.hidden] == ["layer_0"]
    about = json.loads((folder / "variables.json").read_text())
    found = np.array([about["counterexample"]], np.float32)
    session = onnxruntime.InferenceSession(folder / "network.onnx")
    ((target,),) = session.run(None, {"X": found})[0]
    assert target <= 1.2
    # By hand: the upper two of the four pixels together, and half of the lower two.
    text = (folder / "statement.vnnlib").read_text()
    limits = re.findall(r"\(assert \((>=|<=) X\[0,(\d)\] (\S+?)\)\)", text)
    assert len(limits) == 8
    for sign, place, limit in limits:
        over = found[0, int(place)] - float(limit)
        assert (over if sign == ">=" else -over) >= 0
    rows = [int(name.partition("@")[2].partition(",")[0]) for name in about["inputs"]]
    upper = sum(v for v, row in zip(found[0], rows, strict=True) if row == min(rows))
    assert upper >= 1
    assert target == pytest.approx(upper + max(found[0].sum() - upper, 0) / 2, abs=1e-5)


def test_ten_at_random_are_repeated_from_a_bundle_alone(
    many: ckb.KnowledgeBase, network: Path, tmp_path: Path
) -> None:
    chosen = random.Random(7).sample([f"above-{level:.2f}" for level in MANY], 10)
    many.claims.export(*chosen, format="bundle", output=tmp_path / "ten.zip")
    with outsider(tmp_path, network) as theirs:
        report = theirs.claims.add(tmp_path / "ten.zip")
        assert (report.new, report.trials, report.proofs) == (10, 10, 10)
        assert outcomes(theirs) == {id: outcomes(many)[id] for id in chosen}
        repeated(theirs, chosen)


def test_ten_at_random_are_repeated_from_a_release_alone(
    many: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    many.release("small", tmp_path / "small-1", models=["small"])
    with ckb.open(tmp_path / "theirs.ckb") as theirs:
        theirs.load(tmp_path / "small-1")
        assert outcomes(theirs) == outcomes(many)
        chosen = random.Random(8).sample([f"above-{level:.2f}" for level in MANY], 10)
        repeated(theirs, chosen)


def _flipped(proof: dict[str, Any]) -> None:
    proof["outcome"] = "refuted" if proof["outcome"] == "proved" else "proved"


def _restated(proof: dict[str, Any]) -> None:
    proof["then"] = "target > 0"


def _damaged(proof: dict[str, Any]) -> None:
    detail = json.loads(proof["detail"])
    detail["witness"] = {"count": 3, "values": "AAAA"}
    proof["detail"] = json.dumps(detail)


def _of_another_type(proof: dict[str, Any]) -> None:
    proof["seconds"] = "long"


def _of_another_claim(proof: dict[str, Any]) -> None:
    detail = json.loads(proof["detail"])
    detail["asked"] = "relu:0 >= 9 => target > 0"
    proof["detail"] = json.dumps(detail)


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (_flipped, "is not what its claim predicts"),
        (_restated, "is damaged"),
        (_damaged, "is damaged"),
        (_of_another_type, "seconds"),
        (_of_another_claim, "is not what its claim predicts"),
    ],
)
def test_a_forged_proof_is_refused_and_nothing_is_written(
    forge: Callable[[dict[str, Any]], None],
    said: str,
    tested: ckb.KnowledgeBase,
    tmp_path: Path,
) -> None:
    tested.claims.export("above-1.20", format="bundle", output=tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    proof = json.loads(texts["proofs.jsonl"])
    forge(proof)
    texts["proofs.jsonl"] = json.dumps(proof)
    with zipfile.ZipFile(tmp_path / "forged.zip", "w") as bundle:
        for name, text in texts.items():
            bundle.writestr(name, text)
    with ckb.open(tmp_path / "theirs.ckb") as theirs:
        with pytest.raises(ckb.errors.CircuitKBError, match=said):
            theirs.claims.add(tmp_path / "forged.zip", wait=True)
        assert theirs.query("MATCH (n) RETURN count(n)").rows == ((0,),)


def test_what_a_statement_names_and_is_not_here_is_refused(
    tested: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    said = statements(FEW)[1]
    for given, why in (
        ({"tried": "small/second:9"}, "no feature small/second:9 here"),
        ({"tried": "union-0"}, "no circuit 'union-0' is here: find it, or add it all the same"),
        ({"when": "relu:9 >= 1"}, "relu:9"),
    ):
        record = said | {"prediction": said["prediction"] | given}
        with pytest.raises(ClaimError, match=why):
            tested.claims.add(lines(tmp_path, record))
