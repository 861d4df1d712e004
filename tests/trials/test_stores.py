"""Trials on every kind of store: made, listed, shown and run again alike.

Costs about twenty seconds of a processor, half of them what a server takes to start and to learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from tests.stores.factories import FACTORIES, Factory
from tests.trials.planted import MODEL

pytestmark = pytest.mark.long  # tests beside this one have the embedded store alone

KINDS = [factory for factory in FACTORIES if not factory.only_writes]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    planted = planted_network(cases=1, size=27, seed=313)
    written = tmp_path_factory.mktemp("planted") / f"{MODEL}.onnx"
    write_onnx(planted, written, any_size=False)
    return written


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kb(
    request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ckb.KnowledgeBase]:
    kind: Factory = request.param
    with kind.held(tmp_path_factory.mktemp("store")) as store:
        found = ckb.KnowledgeBase(store)
        found.load(str(file))
        found.observe(MODEL, pixels=(-1, 1))
        yield found


def test_what_a_search_finds_is_tried_and_kept_with_how_it_ended(kb: ckb.KnowledgeBase) -> None:
    (found,) = kb.find("union", models=[MODEL]).models
    assert found.tried == found.circuits == 10
    assert found.held == found.tried
    listed = kb.trials(kind="union", limit=None).run()
    assert sorted(listed["outcome"]) == sorted(kb.circuits(limit=None).run()["trial"])
    said = (
        "MATCH (t:Trial)-[:SUPPORTS]->(c:Circuit) RETURN c.id AS circuit, t.null_count AS controls"
    )
    supported = kb.query(said, limit=None)
    assert len(set(supported["circuit"])) == found.held
    assert min(supported["controls"]) >= 20


def test_an_edit_is_kept_and_run_again_by_its_id(kb: ckb.KnowledgeBase) -> None:
    (row,) = kb.edges(limit=1).run()
    made = kb.trial(row["target"], f"flip {row['source'].partition('/')[2]}").trial
    assert kb.show(made.id).facts["outcome"] == made.outcome
    assert kb.try_again(made.id).same
    edits = kb.trials(kind="edit", limit=None).run()
    assert edits["trial"] == [made.id]
    assert edits["measured"] == [pytest.approx(made.measured)]
