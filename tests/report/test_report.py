"""The report says what is in the store, and where there is nothing, what to run."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest
import typer.main

import circuitkb as ckb
from circuitkb.atlas.coverage import coverage
from circuitkb.cli.app import app
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from tests.report.report_reading import ask, figures, section, summary, tables
from tests.report.tuned_units import passing, units

MODELS = ("first", "second")


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    """Two planted networks, observed, searched and matched."""
    folder = tmp_path_factory.mktemp("report")
    with ckb.open(folder / "kb.ckb") as kb:
        for seed, name in enumerate(MODELS):
            planted = planted_network(
                one_sided=4, false_unions=4, symmetric=4, random=4, noise=0.1, size=27, seed=seed
            )
            kb.load(write_onnx(planted, folder / f"{name}.onnx", any_size=False))
            kb.observe(name)
        kb.find("union")
        kb.match(*MODELS)
        yield kb


@pytest.fixture(scope="module")
def text(kb: ckb.KnowledgeBase) -> str:
    return kb.report()


def test_models_stand_with_their_fingerprints_and_everything_that_was_drawn_with_its_seed(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    _, front, models, _ = tables(text[: text.index("## 1.")])
    stored = ask(kb, "MATCH (m:Model) RETURN m AS m ORDER BY m.id")
    assert figures(models) == {
        row["m"]["id"]: [
            "trained" if row["m"]["weights"] == "trained" else row["m"]["weights"],
            row["m"]["fingerprint"][:16],
            *(f"{row['m'][name]:,}" for name in ("features", "edges", "edges_kept")),
        ]
        for row in stored
    }
    said = figures(front)
    assert said["report by"] == said["measured by"] == [f"circuitkb {ckb.__version__}"]
    assert said["battery"] == ["circuitkb-1"]
    assert said["seeds"] == ["0"]


def test_what_is_not_explained_stands_first(kb: ckb.KnowledgeBase, text: str) -> None:
    first, *_ = tables(text)
    assert first[0][1:] == list(MODELS)
    rows = figures(first)
    for place, model in enumerate(MODELS):
        edges = defaultdict(set)
        for row in ask(
            kb,
            "MATCH (u:Feature)-[:MEMBER_OF {role: 'union'}]->(c:Circuit {model: $model})"
            "<-[m:MEMBER_OF]-(a:Feature) WHERE m.side IS NOT NULL RETURN u.id AS u, a.id AS a",
            model=model,
        ):
            edges[row["u"]].add(row["a"])
        shown = kb.responses(model)
        assert shown is not None
        weights = {
            (row["a"], row["u"]): row["sum"]
            for row in ask(
                kb,
                "MATCH (a:Feature {model: $model})-[w:WEIGHT]->(u:Feature) "
                "RETURN a.id AS a, u.id AS u, sum(w.sum) AS sum",
                model=model,
            )
        }
        left = whole = 0.0
        for unit in range(dict(shown.layers)["targets"]):  # others have kernels of several places
            target = f"{model}/targets:{unit}"
            before = shown.before[shown.row(target)].astype(float)
            told = np.zeros(len(before))
            for case in edges[target]:
                told += weights[case, target] * shown.after[shown.row(case)].astype(float)
            whole, left = whole + before.var(), left + (before - told).var()
        assert rows["variance left unexplained"][place] == f"{left / whole:.1%}"
        assert rows["circuits found"][place] == str(
            summary(kb, f"find:union, mirror left-right:{model}")["circuits"]
        )
        (row,) = ask(
            kb,
            "MATCH (t:Trial {network: $model}) RETURN count(t) AS tried, "
            "count(CASE t.outcome WHEN 'held' THEN 1 END) AS held",
            model=model,
        )
        assert rows["... tried"][place] == str(row["tried"])
        assert rows["... whose trial held"][place] == str(row["held"])


def test_the_page_of_what_is_not_explained_says_what_the_report_says(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    tables_of_page = {table.title: table.result for table in coverage(kb).tables}
    rows = figures(next(iter(tables(text))))
    page = tables_of_page["What is not explained"]
    assert [f"{share:.1%}" for share in page["unexplained"]] == rows["variance left unexplained"]
    assert [str(count) for count in page["circuits"]] == rows["circuits found"]
    (neither,) = (r for name, r in tables_of_page.items() if name.startswith("Answered"))
    known = {
        row["id"]
        for text in (
            "MATCH (f:Feature)-[:MEMBER_OF]->(:Circuit) RETURN f.id AS id",
            "MATCH (f:Feature)<-[:ANNOTATES]-(:Annotation {kind: 'label'}) RETURN f.id AS id",
        )
        for row in ask(kb, text)
    }
    answering = ask(kb, "MATCH (f:Feature) WHERE f.answers RETURN f.id AS id")
    assert sum(neither["answering"]) == len(answering)
    assert sum(neither["without_either"]) == len({r["id"] for r in answering} - known)


def test_what_was_observed_is_what_the_observation_said(kb: ckb.KnowledgeBase, text: str) -> None:
    (table,) = tables(section(text, "## 1. What was observed"))
    said = figures(table)
    kept = [summary(kb, f"observe:{model}") for model in MODELS]
    assert table[0][1:] == list(MODELS)
    for name, what in (("units", "units"), ("silent units", "silent"), ("stimuli", "stimuli")):
        assert said[name] == [f"{one[what]:,}" for one in kept]
    assert said["images (pixels)"] == ["27x27", "27x27"]


def test_orientation_is_counted_from_the_evidence_with_those_that_failed_shuffled_weights(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    said = figures(tables(section(text, "## 2. Orientation"))[0])
    shuffled = [str(summary(kb, f"observe:{model}")["oriented_shuffled"]) for model in MODELS]
    assert said["a shuffled copy by the same test"] == shuffled
    for place, model in enumerate(MODELS):
        layers = list(units(kb, model).values())
        passed = [{i for i, unit in enumerate(one) if unit["q"] <= 0.05} for one in layers]
        permuted, alone = (
            [passing([unit[name] for unit in one]) for one in layers]
            for name in ("p_permuted", "p_shuffled")
        )
        expected = {
            "tested": sum(map(len, layers)),
            "passed: beyond both nulls": sum(map(len, passed)),
            "beyond permuted orientations alone": sum(map(len, permuted)),
            "... that fail against shuffled weights": sum(
                len(one - other) for one, other in zip(permuted, passed, strict=True)
            ),
            "beyond shuffled weights alone": sum(map(len, alone)),
            "layers tested": len(layers),
            "layers where nothing passed": sum(not one for one in passed),
        }
        assert {name: said[name][place] for name in expected} == {
            name: f"{value:,}" for name, value in expected.items()
        }
        assert expected["passed: beyond both nulls"] > 0
        assert expected["... that fail against shuffled weights"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_stands_with_its_counts_and_those_of_none_are_named(
    kb: ckb.KnowledgeBase, text: str, model: str
) -> None:
    part = section(text, f"### `{model}` by layer")
    (table,) = tables(part)
    layers = units(kb, model)
    assert [row[0] for row in table[1:]] == list(layers)
    for row in table[1:]:
        here = layers[row[0]]
        passed = [unit for unit in here if unit["q"] <= 0.05]
        shown = f"{median(unit['selectivity'] for unit in passed):.2f}" if passed else "-"
        assert (row[2], row[3], row[5]) == (str(len(here)), str(len(passed)), shown)
        if not passed:
            nothing = part[part.index("Nothing passed") :]
            assert f"`{row[0]}` ({row[4]} of {row[2]} failed)" in " ".join(nothing.split())


def test_one_table_of_each_model_says_what_passed_each_measure_in_each_layer(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    part = section(text, "## Measures by layer")
    for model, (head, *found) in zip(MODELS, tables(part), strict=True):
        assert head[2:4] == ["orientation", "curve direction"]
        said = {row[0]: row[1:] for row in found}
        for row in ask(
            kb,
            "MATCH (f:Feature {model: $model, answers: true}) RETURN f.layer AS layer, "
            "count(f) AS respond, count(f.orientation) AS oriented, "
            "count(f.curve_direction) AS curved ORDER BY layer",
            model=model,
        ):
            expected = [str(row[name]) for name in ("respond", "oriented", "curved")]
            assert said[row["layer"]][:3] == expected


def test_no_layer_passes_with_fewer_units_than_it_takes(text: str) -> None:
    rows = [row for model in MODELS for row in tables(section(text, f"### `{model}` by layer"))[0]]
    needed = [(int(row[3]), int(row[6])) for row in rows if row[6].isdigit()]
    assert needed
    assert all(passed == 0 or passed >= fewest for passed, fewest in needed)


def test_unions_are_counted_from_the_circuits_beside_both_controls(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    table = tables(section(text, "## 3. Unions of mirrored cases"))[0]
    said = figures(table)
    assert table[0][1:] == list(MODELS)
    for place, model in enumerate(MODELS):
        kept = summary(kb, f"find:union, mirror left-right:{model}")
        null = kept["null"]
        circuits = ask(
            kb,
            "MATCH (u:Feature)-[:MEMBER_OF {role: 'union'}]->(c:Circuit {model: $model}) "
            "MATCH (a:Feature)-[:MEMBER_OF {role: 'case'}]->(c) WITH c, u, a ORDER BY a.id "
            "RETURN c.id AS id, u.id AS target, collect(a.id) AS cases",
            model=model,
        )
        expected = {
            "units tested": f"{kept['tested']:,}",
            "not testable": f"{kept['not_testable']:,}",
            "hits": f"{null['hits']:.0f}",
            "units with hits": f"{null['units']:.0f}",
            "distinct pairs in hits": f"{null['pairs']:.0f}",
            "found: circuits": str(len(circuits)),
            "found: targets": str(len({row["target"] for row in circuits})),
            "found: distinct mirrored pairs": str(len({tuple(row["cases"]) for row in circuits})),
            "hits that failed (not found)": f"{null['hits'] - len(circuits):.0f}",
        }
        assert {name: said[name][place] for name in expected} == expected
        for control in ("permuted", "matched"):
            mean, most = said[f"{control}: hits, mean (max)"][place].split()
            assert float(mean) == pytest.approx(null[f"{control}_hits_mean"], abs=0.0501)
            assert most == f"({null[f'{control}_hits_max']:.0f})"
        reasons = [reason for reason in said if reason.startswith("... ")]
        assert (
            sum(int(said[name][place].replace(",", "")) for name in reasons)
            == (kept["not_testable"])
        )
    assert any(int(number) for number in said["found: circuits"])


def test_mirrored_pairs_that_shuffled_networks_have_as_well_are_counted(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    (table,) = (
        t for t in tables(section(text, "## 3. Unions of mirrored cases")) if t[0][0] == "pairs"
    )
    said = figures(table)
    for place, model in enumerate(table[0][1:]):
        q = [
            row["q"]
            for row in ask(
                kb,
                "MATCH (a:Feature {model: $model})-[r:TRANSFORMS_TO]->(b:Feature) "
                "WHERE a.id < b.id RETURN r.q AS q",
                model=model,
            )
        ]
        chance = sum(one > 0.05 for one in q)
        assert said["of the circuits found"][place] == str(len(q))
        assert said["not beyond them"][place] == str(chance)
        assert said["beyond shuffled weights (q of at most 5%)"][place] == str(len(q) - chance)
        assert float(said["largest q"][place]) == pytest.approx(max(q), rel=0.05)


def test_the_clearest_pairs_stand_as_the_evidence_has_them(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    shown = 0
    for model in MODELS:
        if f"### `{model}`: where, and the clearest" not in text:
            continue
        layers, clearest = tables(section(text, f"### `{model}`: where, and the clearest"))
        evidence = ask(
            kb,
            "MATCH (e:Evidence {kind: 'mirrored-responses'})-[:ABOUT {role: 'union'}]->"
            "(u:Feature {model: $model}) RETURN u.id AS target, u.layer AS layer, "
            "e.detail AS detail",
            model=model,
        )
        details = {row["target"].partition("/")[2]: json.loads(row["detail"]) for row in evidence}
        for row in layers[1:]:
            targets = [one for one in evidence if one["layer"] == row[0]]
            assert row[1] == str(len(targets))
        assert sum(int(row[1]) for row in layers[1:]) == len(evidence)
        drawn = [pair["q"] for detail in details.values() for pair in detail["pairs"]]
        for target, one, two, count, ranks, z, r, inv, q, _ in clearest[1:]:
            own = details[target]
            (pair,) = (
                pair
                for pair in own["pairs"]
                if pair["side_1"] == f"{model}/{one}" and pair["side_2"] == f"{model}/{two}"
            )
            cases = {pair["side_1"], pair["side_2"]}
            uniting = [
                detail
                for detail in details.values()
                if any({p["side_1"], p["side_2"]} == cases for p in detail["pairs"])
            ]
            assert count == str(len(uniting))
            assert ranks == f"{pair['rank_1']}, {pair['rank_2']}"
            assert z == f"{pair['z_1']:.1f}, {pair['z_2']:.1f}"
            assert float(r.split()[0]) == pytest.approx(pair["mirrored"], abs=0.0051)
            assert float(r.split()[1].strip("()")) == pytest.approx(pair["same"], abs=0.0051)
            assert float(inv) == pytest.approx(own["invariance"], abs=0.0051)
            assert float(q) == pytest.approx(pair["q"], rel=0.05)
            shown += 1
        assert float(clearest[1][8]) == pytest.approx(min(drawn), rel=0.05)
    assert shown


def test_what_two_models_share_is_counted_from_the_relations_beside_both_controls(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    part = tables(section(text, "### `first` and `second`"))
    features, unions = figures(part[0]), figures(part[-1])
    for label, said in (("Feature", features), ("Circuit", unions)):
        (row,) = ask(
            kb,
            f"MATCH (a:{label} {{model: 'first'}})-[r:ANALOGOUS_TO]->(b:{label}) "
            "WHERE r.q <= 0.05 RETURN count(r) AS found, max(r.q) AS q",
        )
        assert said["found (q of at most 0.05)"][0] == str(row["found"])
        if row["found"]:
            assert float(said["largest q of those found"][0]) == pytest.approx(row["q"], rel=0.05)
    (row,) = ask(kb, "MATCH (e:Evidence {kind: 'analogous-features'}) RETURN e.detail AS detail")
    detail = json.loads(row["detail"])
    controls = [str(control["above"]) for control in detail["controls"]]
    assert features["... above 0.8"] == [str(detail["mutual_above"]), *controls]
    for table, bands in zip(part[1:3], detail["bands"], strict=True):
        assert [row[4] for row in table[1:]] == [str(band["found"]) for band in bands]
        assert [row[3] for row in table[1:]] == [
            ", ".join(map(str, band["control"])) for band in bands
        ]
    (row,) = ask(kb, "MATCH (e:Evidence {kind: 'analogous-circuits'}) RETURN e.detail AS detail")
    detail = json.loads(row["detail"])
    assert unions["compared"] == [" and ".join(map(str, detail["compared"]))]
    assert unions["swapped: side 1 like side 2 (no matches)"] == [str(detail["swapped"])]
    for null in detail["nulls"]:
        shown = unions[f"... {null['made']}, mean (max)"][0]
        assert float(shown.split()[0]) == pytest.approx(
            fmean(null["above"]) / null["drawn"], abs=0.0501
        )


def test_the_same_store_gives_the_same_report(kb: ckb.KnowledgeBase, text: str) -> None:
    assert kb.report() == text
    assert kb.report(["second", "first"]) == text


def test_a_report_of_one_model_says_nothing_of_the_other(kb: ckb.KnowledgeBase) -> None:
    one = kb.report(["first"])
    assert "`second`" not in one
    assert "it takes two observed models" in section(one, "## 4. Universality")


def test_its_commands_parse_and_are_those_of_its_models_in_order(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [shlex.split(line) for line in block.splitlines()]
    commands: Any = typer.main.get_command(app)
    for _, name, *arguments in lines:
        with commands.commands[name].make_context(name, arguments):
            pass
    names = [line[1] for line in lines]
    assert names == ["load"] * 2 + ["observe"] * 2 + ["find"] * 2 + ["match", "report"]
    (times,) = tables(section(text, "## 6. How to repeat it"))
    stored = ask(kb, "MATCH (i:Import) RETURN i.seconds AS seconds ORDER BY i.id")
    assert sorted(row[2] for row in times[1:]) == sorted(f"{r['seconds']:.1f}" for r in stored)


def test_circuits_of_an_earlier_search_are_not_counted_as_those_of_the_last(
    kb: ckb.KnowledgeBase, text: str
) -> None:
    before = figures(tables(section(text, "## 3. Unions of mirrored cases"))[0])
    (row,) = ask(
        kb,
        "MATCH (e:Evidence {kind: 'mirrored-responses'})-[:ABOUT {role: 'union'}]->"
        "(u:Feature {model: 'first'}) RETURN e AS e, u.id AS target ORDER BY target LIMIT 1",
    )
    detail = json.loads(row["e"]["detail"])
    for pair in detail["pairs"]:
        pair["side_1"], pair["side_2"] = "first/detectors:0", "first/detectors:0"
    old = row["e"] | {"id": "older", "seed": 99, "detail": json.dumps(detail)}
    about = [{"source": "older", "target": row["target"], "role": "union"}]
    relation = relation_table("ABOUT", rows_of(about))
    kb.store.write(
        GraphRows(
            {"Evidence": node_table("Evidence", rows_of([old]))},
            [Relations("ABOUT", "Evidence", "Feature", relation)],
        )
    )
    after = section(kb.report(), "## 3. Unions of mirrored cases")
    assert figures(tables(after)[0]) == before
    assert "1 circuit of earlier searches" in " ".join(after.split())


def test_pages_of_networks_take_what_is_said_of_one_alone_and_nothing_is_lost(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    text = kb.report()
    short = kb.report(by_network=tmp_path / "networks", beside=tmp_path)
    pages = {model: (tmp_path / "networks" / f"{model}.md").read_text() for model in MODELS}
    assert "](networks/first.md)" in short
    assert tables(section(pages["first"], "### `first` by layer")) == tables(
        section(text, "### `first` by layer")
    )
    told = set("\n".join((short, *pages.values())).splitlines())
    assert set(text.splitlines()) <= told


def test_of_many_networks_the_figures_stand_in_columns(
    kb: ckb.KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = kb.report()
    monkeypatch.setattr("circuitkb.report.summary.LISTED", 1)
    *_, listed = tables(text[: text.index("## 1.")])
    *_, wide, features, added = tables((many := kb.report())[: many.index("## 1.")])

    cells = {
        (row[0], model): cell
        for row in wide[1:]
        for model, cell in zip(MODELS, row[1:], strict=True)
    }
    alone = [row for row in listed[1:] if row[0] in MODELS]
    assert {(what, model): f"{found}<br>{chance}" for model, what, found, chance in alone} == cells
    (matched,) = (row for row in listed[1:] if row[1] == "analogous features")
    assert features[1] == ["first", f"{matched[2]} ({matched[3].removesuffix(' by the null')})"]
    assert [added[1][0], added[1][2]] == ["features", matched[2]]
