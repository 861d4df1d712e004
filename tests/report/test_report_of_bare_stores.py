"""Reports of stores that hold little: what was not done, published circuits, three models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.cli.app import app
from circuitkb.kb.several import in_several_networks
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from tests.report.report_reading import ask, figures, section, summary, tables
from tests.stores.made_once import published_copy

ENDS = ("source", "target")

RUNNER = CliRunner()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path / "bare.ckb") as kb:
        yield kb


def model_rows(*names: str) -> dict[str, Any]:
    count = len(names)
    return {
        "id": list(names),
        "fingerprint": [f"{name}0" * 8 for name in names],
        "source": list(names),
        "weights": ["trained"] * count,
    }


def test_an_empty_store_says_how_to_begin(bare: ckb.KnowledgeBase) -> None:
    text = bare.report()
    assert "circuitkb load" in text
    assert text.startswith("# What was found\n")
    assert text.endswith("\n")


def test_a_model_that_was_only_loaded_says_what_to_run_in_every_section(
    bare: ckb.KnowledgeBase,
) -> None:
    bare.store.write(GraphRows({"Model": node_table("Model", model_rows("alone"))}))
    text = bare.report()
    assert "`circuitkb observe alone`" in section(text, "## 1. What was observed")
    assert "`circuitkb observe alone`" in section(text, "## 2. Orientation")
    assert "`circuitkb find union --model alone`" in section(text, "## 3. Unions of mirrored cases")
    assert "`circuitkb match MODEL MODEL`" in section(text, "## 4. Universality")
    assert len(tables(text)) == 2


@pytest.fixture
def searched(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ckb.KnowledgeBase]:
    """The published circuits, searched for unions."""
    place = tmp_path / "searched.ckb"
    with ckb.open(published_copy(tmp_path_factory, place, searched=True)) as kb:
        yield kb


def test_published_circuits_stand_with_the_null_of_their_kernels(
    searched: ckb.KnowledgeBase,
) -> None:
    text = searched.report()
    assert "cannot be observed" in " ".join(section(text, "## 1. What was observed").split())
    counts, targets = tables(section(text, "## 3. Unions of mirrored cases"))
    kept = summary(searched, "find:union, mirror left-right:inceptionv1")
    said = figures(counts)
    assert said["units tested"] == [str(kept["tested"])]
    assert said["found: targets"] == [str(kept["groups"])]
    assert said["found: circuits"] == [str(kept["circuits"])]
    assert said["hits that failed (not found)"] == [
        f"{kept['null']['hits'] - kept['circuits']:.0f}"
    ]
    shuffled = said["shuffled: hits, mean (max)"][0]
    assert float(shuffled.split()[0]) == pytest.approx(
        kept["null"]["shuffled_hits_mean"], abs=0.0501
    )
    evidence = ask(
        searched,
        "MATCH (e:Evidence {kind: 'mirrored-inputs'})-[:ABOUT {role: 'union'}]->(u) "
        "RETURN u.id AS target, e.value AS hits, e.q AS q ORDER BY q",
    )
    assert [(row[0], row[1]) for row in targets[1:]] == [
        (row["target"].partition("/")[2], f"{row['hits']:.0f}") for row in evidence
    ]
    assert "inceptionv1.dog-head-union" in targets[1][5]


def test_what_three_models_share_is_analogous_two_by_two(bare: ckb.KnowledgeBase) -> None:
    names = ("a", "b", "c")
    features = [(model, unit) for model in names for unit in range(3)]
    circuits = [f"{model}:{unit}" for model, unit in features]
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    # Units 0 match in all three; units 1 only from a to b to c; of units 2 one match has failed.
    matched = [
        (x, y, unit, 0.01) for x, y in pairs for unit in (0, 1) if (x, y, unit) != ("a", "c", 1)
    ]
    matched += [(x, y, 2, 1.0 if (x, y) == ("a", "b") else 0.01) for x, y in pairs]
    imports = [
        {
            "id": f"observe:{name}",
            "kind": "observe",
            "source": "b",
            "model": name,
            "created": "2026-01-02",
            "tool": "t",
            "seconds": 1.0,
            "summary": json.dumps(
                {
                    "battery": "b",
                    "stimuli": 2,
                    "images": [],
                    "units": 3,
                    "silent": 0,
                    "oriented": 0,
                    "oriented_shuffled": 0,
                    "off_centre": 0.0,
                    "pixels_known": True,
                    "settings": {"seed": 0, "black": [0], "white": [1]},
                }
            ),
        }
        for name in names
    ]
    imports += [
        {
            "id": f"match:{x}:{y}",
            "kind": "match",
            "source": "b",
            "model": x,
            "created": "2026-01-02",
            "tool": "t",
            "seconds": 1.0,
            "summary": json.dumps({"models": [x, y], "seed": 0, "compared": []}),
        }
        for x, y in pairs
    ]
    between = [
        {"source": f"{x}/y:{unit}", "target": f"{y}/y:{unit}", "score": 0.9, "q": q}
        for x, y, unit, q in matched
    ]
    bare.store.write(
        GraphRows(
            {
                "Model": node_table("Model", model_rows(*names)),
                "Feature": node_table(
                    "Feature",
                    rows_of(
                        [
                            {"id": f"{model}/y:{unit}", "model": model, "layer": "y", "unit": unit}
                            for model, unit in features
                        ]
                    ),
                ),
                "Circuit": node_table(
                    "Circuit",
                    rows_of(
                        [
                            {
                                "id": circuit,
                                "motif": "union",
                                "model": circuit[0],
                                "origin": "found",
                            }
                            for circuit in circuits
                        ]
                    ),
                ),
                "Import": node_table("Import", rows_of(imports)),
            },
            [
                Relations(
                    "MEMBER_OF",
                    "Feature",
                    "Circuit",
                    relation_table(
                        "MEMBER_OF",
                        rows_of(
                            [
                                {
                                    "source": f"{model}/y:{unit}",
                                    "target": f"{model}:{unit}",
                                    "role": "union",
                                }
                                for model, unit in features
                            ]
                        ),
                    ),
                ),
                Relations(
                    "ANALOGOUS_TO",
                    "Feature",
                    "Feature",
                    relation_table("ANALOGOUS_TO", rows_of(between)),
                ),
                Relations(
                    "ANALOGOUS_TO",
                    "Circuit",
                    "Circuit",
                    relation_table(
                        "ANALOGOUS_TO",
                        rows_of(
                            [
                                row | {end: str(row[end]).replace("/y", "") for end in ENDS}
                                for row in between
                            ]
                        ),
                    ),
                ),
            ],
        )
    )
    part = section(bare.report(), "### `a`, `b`, `c`")
    assert "in all three: 1 feature, 1 union circuit." in " ".join(part.split())
    assert tables(part) == [[["a", "b", "c"], ["y:0", "y:0", "y:0"]]]
    assert "was not held against chance: `circuitkb match a b c`" in bare.report()

    for rows in in_several_networks(bare.store, names, seed=0)[0]:
        bare.store.write(rows)
    features, circuits = tables(section(bare.report(), "### Several models"))
    # Of two units that match in one layer, exchanged partners bring one together half of the time.
    for found in (features, circuits):
        assert [row[:4] for row in found[1:]] == [[name, "3 or more", "1", "-"] for name in names]
        assert {row[4].partition(" ")[2] for row in found[1:]} <= {"(1)", "(2)"}


def test_the_command_writes_the_file_it_is_told(bare: ckb.KnowledgeBase, tmp_path: Path) -> None:
    bare.store.write(GraphRows({"Model": node_table("Model", model_rows("alone"))}))
    expected = bare.report()
    bare.close()
    file = tmp_path / "findings.md"
    run = RUNNER.invoke(app, ["report", "--kb", bare.address, "--output", str(file)])
    assert (run.exit_code, run.stdout) == (0, "")
    assert file.read_text("utf-8") == expected
    shown = RUNNER.invoke(app, ["report", "--kb", bare.address, "--model", "alone"])
    assert (shown.exit_code, shown.stdout) == (0, expected)


def test_the_command_refuses_a_model_that_is_not_there_and_a_file_that_cannot_be(
    bare: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    bare.store.write(GraphRows({"Model": node_table("Model", model_rows("alone"))}))
    bare.close()
    unknown = RUNNER.invoke(app, ["report", "--kb", bare.address, "--model", "allone"])
    assert unknown.exit_code == 2
    assert "'alone'" in unknown.stderr
    file = tmp_path / "missing" / "findings.md"
    nowhere = RUNNER.invoke(app, ["report", "--kb", bare.address, "--output", str(file)])
    assert nowhere.exit_code == 2
    assert not file.exists()
    (tmp_path / "taken").write_text("mine")
    pages = ["--by-network", str(tmp_path / "taken")]
    assert RUNNER.invoke(app, ["report", "--kb", bare.address, *pages]).exit_code == 2
    assert (tmp_path / "taken").read_text() == "mine"


def test_one_circuit_of_a_motif_is_drawn_beside_the_report(
    searched: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    shown = searched.report(pictures=tmp_path / "docs" / "motifs", beside=tmp_path / "docs")
    again = searched.report(pictures=tmp_path / "docs" / "motifs", beside=tmp_path / "docs")
    drawn = (tmp_path / "docs" / "motifs" / "union.svg").read_text("utf-8")
    (found,) = (line for line in shown.splitlines() if line.startswith("!["))
    assert found.endswith("](motifs/union.svg)")
    assert found.startswith("![union-")
    assert "inceptionv1/mixed4b:418" in drawn
    assert again == shown
    assert [path.name for path in (tmp_path / "docs" / "motifs").iterdir()] == ["union.svg"]
