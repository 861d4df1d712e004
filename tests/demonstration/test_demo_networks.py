"""The whole demo on two small networks with planted unions: what it says, draws, and does again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import circuitkb as ckb
from circuitkb.demonstration import chosen_union, demo
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.results.result import Result

pytestmark = pytest.mark.slow


@dataclass
class Runs:
    """What several runs on one store showed, and when the store was last written."""

    store: Path
    figure: Path
    interrupted: list[object] = field(default_factory=list)
    first: list[object] = field(default_factory=list)
    second: list[object] = field(default_factory=list)
    written: tuple[int, int] = (0, 0)

    def text(self, shown: list[object]) -> str:
        return "\n".join(item for item in shown if isinstance(item, str))

    def tables(self, shown: list[object]) -> list[Result]:
        return [item for item in shown if isinstance(item, Result)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Interrupted before the match; run again to the end; and once more."""
    folder = tmp_path_factory.mktemp("demo")
    sources = {"inceptionv1": "published:inceptionv1"}
    for name, noise in (("one", 0.3), ("two", 0.25)):
        network = planted_network(seed=0, noise=noise, size=45)
        sources[name] = str(write_onnx(network, folder / f"{name}.onnx", any_size=False))
    runs = Runs(folder / "demo.ckb", folder / "demo.png")
    pointer = runs.store / "CURRENT"

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(KnowledgeBase, "match", stop)
        demo.run(runs.store, sources=sources, show=runs.interrupted.append)
    demo.run(runs.store, sources=sources, show=runs.first.append)
    before = pointer.stat().st_mtime_ns
    demo.run(runs.store, sources=sources, show=runs.second.append)
    runs.written = before, pointer.stat().st_mtime_ns
    return runs


@pytest.fixture(scope="module")
def kb(runs: Runs) -> Iterator[KnowledgeBase]:
    with ckb.open(runs.store) as kb:
        yield kb


def test_an_interrupted_run_goes_on_where_it_stopped(runs: Runs) -> None:
    assert "5. Ask" not in runs.text(runs.interrupted)
    assert "one observed in" in runs.text(runs.interrupted)
    text = runs.text(runs.first)
    assert "one is there already." in text
    assert "two was observed already." in text
    assert "Searched already" in text
    assert "one and two matched in" in text


def test_a_second_run_changes_nothing_says_so_and_shows_the_same_tables(runs: Runs) -> None:
    assert runs.written[0] == runs.written[1]
    assert "one and two were matched already." in runs.text(runs.second)
    first, second = runs.tables(runs.first), runs.tables(runs.second)
    assert [(table.columns, table.rows) for table in first] == [
        (table.columns, table.rows) for table in second
    ]


def test_every_step_shows_its_controls(runs: Runs) -> None:
    observed, measured, by_kernels, matched, asked, *best = runs.tables(runs.first)
    assert observed["model"] == measured["model"] == ["one", "two"]
    assert by_kernels["model"] == ["inceptionv1"]
    assert all(
        oriented > shuffled
        for oriented, shuffled in zip(
            observed["oriented"], observed["oriented_shuffled"], strict=True
        )
    )
    for row in measured:
        assert row["hits"] > row["permuted_hits_max"]
        assert row["hits"] > row["matched_hits_mean"]
    assert matched["what"] == ["features", "circuits"]
    assert all(row["found"] > row["null_max"] for row in matched)
    assert asked["model"] == ["inceptionv1", "one", "two"]
    assert len(best) == 3


def test_the_summary_counts_what_the_whole_answer_holds(runs: Runs, kb: KnowledgeBase) -> None:
    asked = runs.tables(runs.first)[4]
    rows = kb.ask(demo.QUESTION, limit=None).result.to_dicts()
    for line in asked:
        own = [r for r in rows if r["model"] == line["model"] and r["origin"] == "found"]
        shown = {(target, case) for r in own for target in r["targets"] for case in r["side_1"]}
        circuits = kb.circuits(model=line["model"], origin="found", limit=None).run().to_dicts()
        pairs = set()
        for circuit in circuits:
            role = {m["side"] or m["role"]: m["feature"] for m in circuit["members"]}
            if (role["union"], role[1]) in shown:
                pairs.add(frozenset((role[1], role[2])))
        assert line["unions"] == len({target for target, _ in shown})
        assert line["pairs"] == len(pairs) > 0
        assert line["held"] == (sum(row["held"] for row in own) if own[0]["tried"] else None)
        assert line["analogous"] == sum(1 for row in own if row["analogous"])


def test_the_rows_shown_have_an_analogous_union_where_there_is_one(runs: Runs) -> None:
    for table in runs.tables(runs.first)[-2:]:
        assert all(table["analogous"])
        assert table["pair_q"] == sorted(table["pair_q"])


def test_the_union_drawn_is_a_planted_one_with_its_analogous_one(kb: KnowledgeBase) -> None:
    chosen = chosen_union.choose(kb)
    assert chosen is not None
    one, two = chosen
    assert (one.model, two.model) == ("one", "two")
    assert one.family.name == two.family.name
    again = chosen_union.choose(kb)
    assert again is not None
    assert [union.target for union in again] == [one.target, two.target]


def test_inputs_are_ranked_as_the_search_ranked_them(kb: KnowledgeBase) -> None:
    chosen = chosen_union.choose(kb)
    assert chosen is not None
    for union in chosen:
        drawn = chosen_union.gather(kb, union)
        ranks = {item.feature: item.rank for item in drawn.strengths}
        (detail,) = kb.query(
            "MATCH (e:Evidence)-[:SUPPORTS]->(c:Circuit {group: $group}) "
            "RETURN DISTINCT e.detail AS detail",
            {"group": f"union:{union.target}"},
        )["detail"]
        (pair,) = [
            pair
            for pair in json.loads(detail)["pairs"]
            if (pair["side_1"], pair["side_2"]) == drawn.cases
        ]
        assert [ranks[name] for name in drawn.cases] == [pair["rank_1"], pair["rank_2"]]


def test_what_is_drawn_of_the_target_is_its_responses_to_stimuli_and_their_images(
    kb: KnowledgeBase,
) -> None:
    chosen = chosen_union.choose(kb)
    assert chosen is not None
    drawn = chosen_union.gather(kb, chosen[0])
    assert np.corrcoef(drawn.responses, drawn.mirrored)[0, 1] == pytest.approx(drawn.correlation)
    assert drawn.correlation > 0.8
    assert sorted(drawn.responses) == pytest.approx(sorted(drawn.mirrored))
    for side in (1, 2):
        assert drawn.responses[drawn.liked == side].mean() > 1


def test_the_figure_is_made_and_not_empty(runs: Runs) -> None:
    pixels = imread(runs.figure)
    assert pixels.shape[1] == 1600
    assert pixels.shape[0] > 1600
    assert pixels[..., :3].std() > 0.05
