"""Claims tested, remembered, exported and repeated by an outsider.

Costs about ten seconds of a processor, what ``tests/long.txt`` lists left out.

The embedded store; ``tests/stores/test_conformance_claims.py`` holds both kinds to the same.
"""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.claims.comparing import diff
from circuitkb.claims.ways import registry
from circuitkb.errors import ClaimError
from tests.claims.worlds import TRUE, claim, false_claims, net, whole, world


def lines(folder: Path, *records: dict[str, Any], name: str = "claims.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def filled(place: Path, seed: int = 0) -> ckb.KnowledgeBase:
    kb = ckb.open(place)
    kb.store.write(world(seed))
    return kb


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with filled(tmp_path / "one.ckb") as found:
        yield found


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    """All planted claims, true and false, in wholes, tested once."""
    folder = tmp_path_factory.mktemp("tested")
    said = TRUE | false_claims()
    records = [claim(name, prediction=prediction) for name, prediction in said.items()]
    records += [
        whole("all-true", *TRUE),
        whole("one-false", *TRUE, "excites-not"),
        whole("above", "all-true", "one-false"),
    ]
    with filled(folder / "one.ckb") as found:
        found.claims.add(lines(folder, *records))
        found.claims.test()
        yield found


def standings(kb: ckb.KnowledgeBase) -> dict[str, str]:
    rows = kb.claims.list()
    return dict(zip(rows["claim"], rows["standing"], strict=True))


def test_planted_truths_are_supported_and_fifty_planted_falsehoods_refuted(
    tested: ckb.KnowledgeBase,
) -> None:
    found = standings(tested)
    assert {name: found[name] for name in TRUE} == dict.fromkeys(TRUE, "supported")
    false = false_claims()
    assert len(false) == 50
    assert {name: found[name] for name in false} == dict.fromkeys(false, "refuted")
    wholes = found["all-true"], found["one-false"], found["above"]
    assert wholes == ("supported", "refuted", "refuted")


def test_values_are_those_of_the_kernels_and_stand_beside_their_control(
    tested: ckb.KnowledgeBase,
) -> None:
    (connection,) = tested.store.kernels("net")
    kernel = np.asarray(connection.kernel[0, 1, 2], float)
    shown = tested.claims.show("excites")
    (trial,) = shown["trials"]
    assert trial["measured"] == pytest.approx(kernel.sum() / abs(kernel).sum())
    assert trial["null_count"] == 999
    assert trial["p"] < 0.05
    assert len(trial["again"]) == 2
    rows = np.arange(5) - 2
    kernel = np.maximum(connection.kernel[0, 2, 4], 0)
    (trial,) = tested.claims.show("from-above")["trials"]
    assert trial["measured"] == pytest.approx((kernel.sum(axis=1) * rows).sum() / kernel.sum())


def test_standings_are_there_for_queries_with_what_speaks_for_and_against(
    tested: ckb.KnowledgeBase,
) -> None:
    found = tested.query(
        "MATCH (t:Trial)-[:REFUTES]->(c:Claim {standing: 'refuted'})-[:PART_OF]->(w:Claim) "
        "MATCH (t)-[:ABOUT]->(m:Model) RETURN c.id AS claim, w.standing AS standing, m.id AS model"
    )
    assert [tuple(row.values()) for row in found] == [("excites-not", "refuted", "net")]


def test_testing_again_gives_the_same_and_writes_nothing(tested: ckb.KnowledgeBase) -> None:
    before = tested.query("MATCH (t:Trial) RETURN t.id, t.created ORDER BY t.id", limit=None).rows
    report = tested.claims.test("above", again=True)
    assert [one.repeated for one in report.tested] == [True] * 5
    after = tested.query("MATCH (t:Trial) RETURN t.id, t.created ORDER BY t.id", limit=None).rows
    assert before == after


def test_an_outsider_repeats_ten_claims_from_a_bundle_alone(
    tested: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    chosen = random.Random(5).sample(sorted(TRUE | false_claims()), 10)
    tested.claims.export(*chosen, format="bundle", output=tmp_path / "ten.zip")
    tested.claims.export(*chosen, format="bundle", output=tmp_path / "same.zip")
    assert (tmp_path / "ten.zip").read_bytes() == (tmp_path / "same.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "ten.zip") as bundle:
        (model,) = json.loads(bundle.read("models.json"))
    assert model["commands"][0] == "circuitkb load test:net --name net"
    with filled(tmp_path / "theirs.ckb") as outsider:
        assert outsider.claims.add(tmp_path / "ten.zip").trials == 10
        assert standings(outsider) == {id: standings(tested)[id] for id in chosen}
        report = outsider.claims.test(again=True)
        assert [one.repeated for one in report.tested] == [True] * 10


def test_a_release_carries_claims_and_trials_which_can_be_repeated_from_it(
    tested: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    tested.release("planted", tmp_path / "planted-1", models=["net"])
    with ckb.open(tmp_path / "theirs.ckb") as outsider:
        outsider.load(tmp_path / "planted-1")
        assert standings(outsider) == standings(tested)
        chosen = random.Random(6).sample(sorted(TRUE | false_claims()), 10)
        report = outsider.claims.test(*chosen, again=True)
        assert [one.repeated for one in report.tested] == [True] * 10


def test_other_weights_take_the_standing_away_and_diff_says_what_was_lost(
    tested: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    tested.claims.export(format="bundle", output=tmp_path / "before.zip")
    with filled(tmp_path / "after.ckb", seed=7) as after:
        after.claims.add(tmp_path / "before.zip")
        assert set(standings(after).values()) == {"untested"}
        assert "held when it was last tested" in after.claims.show("excites")["why"]
        after.claims.test("above")
        assert standings(after)["excites"] != "supported"
        trials = after.claims.show("excites")["trials"]
        assert sorted(trial["counts"] for trial in trials) == [False, True]
    found = diff(tmp_path / "before.zip", tmp_path / "after.ckb")
    assert set(found.lost) == {*TRUE, "all-true"}
    assert found.to_result()["claim"][:5] == sorted(found.lost)
    assert diff(tmp_path / "before.zip", tmp_path / "before.zip").to_result().rows == ()


def test_another_version_of_the_method_asks_for_another_trial(
    kb: ckb.KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb.claims.add(lines(tmp_path, claim("a")))
    kb.claims.test()
    assert standings(kb) == {"a": "supported"}
    newer = registry.WAYS | {"kernels": replace(registry.WAYS["kernels"], version="2")}
    for module in ("circuitkb.claims.stored", "circuitkb.claims.testing"):
        monkeypatch.setattr(f"{module}.WAYS", newer)
    assert standings(kb) == {"a": "untested"}
    kb.claims.test()
    assert standings(kb) == {"a": "supported"}
    assert len(kb.claims.show("a")["trials"]) == 2


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([claim("a", subject="none")], "no model or circuit 'none' is here"),
        ([claim("a", subject="net/a:99")], "there is no feature net/a:99 here"),
        ([claim("a", prediction=net(99, 1, at_least=0))], "there is no feature net/a:99 here"),
        ([whole("a", "b"), whole("b", "c"), whole("c", "a")], "a circle, a of b of c of a"),
        ([whole("a", "a")], "a circle, a of a"),
        ([whole("a", "nowhere")], "there is no claim 'nowhere'"),
        ([claim("a"), claim("b", aspect="beauty")], ":2: aspect: 'beauty' is none of"),
        (
            [claim("a", prediction={"test": "explained", "motif": "onion", "at_least": 0})],
            "There is no motif 'onion'",
        ),
        (
            [claim("a", prediction={"test": "pattern", "pattern": "a ->", "at_least": 2})],
            "prediction: The pattern",
        ),
    ],
)
def test_what_is_not_there_or_not_meant_is_refused_and_nothing_is_written(
    kb: ckb.KnowledgeBase, tmp_path: Path, records: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(ClaimError) as caught:
        kb.claims.add(lines(tmp_path, *records))
    assert said in str(caught.value)
    assert "Nothing was written" in str(caught.value)
    assert kb.claims.list().rows == ()


def test_a_circle_through_what_is_there_already_is_refused(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    kb.claims.add(lines(tmp_path, claim("c"), whole("b", "c"), whole("a", "b")))
    with pytest.raises(ClaimError, match="a circle"):
        kb.claims.add(lines(tmp_path, claim("c", parts=["a"])))


def test_a_bundle_whose_trial_says_otherwise_than_its_claim_is_refused(
    tested: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    tested.claims.export("excites", format="bundle", output=tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    texts["claims.jsonl"] = texts["claims.jsonl"].replace('"at_least":0.5', '"at_least":0.1')
    with zipfile.ZipFile(tmp_path / "forged.zip", "w") as bundle:
        for name, text in texts.items():
            bundle.writestr(name, text)
    with filled(tmp_path / "theirs.ckb") as outsider:
        with pytest.raises(ClaimError, match="is not what its claim predicts"):
            outsider.claims.add(tmp_path / "forged.zip")
        assert outsider.claims.list().rows == ()


def test_claims_on_a_model_that_is_not_here_wait_for_it(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    path = lines(tmp_path, claim("a", subject="other"))
    assert kb.claims.add(path, wait=True).waiting == {"other": 1}
    kb.claims.test()
    assert kb.claims.show("a")["why"] == "other is not here"
    kb.store.write(world(model="other"))
    kb.claims.test()
    assert standings(kb) == {"a": "supported"}
