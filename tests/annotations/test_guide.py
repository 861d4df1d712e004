"""The guide for a group: what it promises of the published labels, and that its Python runs."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from importlib import resources
from operator import ne
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.kb.knowledge_base import KnowledgeBase
from tests.annotations.rated import alpha_by_definition
from tests.stores.made_once import published_copy

GUIDE = Path(__file__).resolve().parents[2] / "docs/annotating.md"
LAYER = "mixed3b"
UNITS = range(40)
CURVE, LINE = "curve", "line"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_copy(tmp_path_factory, tmp_path_factory.mktemp("guide") / "circuits.ckb")


@pytest.fixture
def kb(published: Path, tmp_path: Path) -> Iterator[KnowledgeBase]:
    shutil.copytree(published, tmp_path / "circuits.ckb")
    with ckb.open(tmp_path / "circuits.ckb") as base:
        yield base


def published_rows() -> list[tuple[str, int, str]]:
    """Layer, unit and label of each line, read here and by nothing of the import."""
    place = (
        resources.files("circuitkb.loaders.published") / "resources" / "inceptionv1" / "labels.csv"
    )
    lines = place.read_text("utf-8").splitlines()
    return [(row["layer"], int(row["unit"]), row["label"]) for row in csv.DictReader(lines)]


def published_sheet(folder: Path) -> Path:
    sheet = folder / "labels.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("layer", "unit", "label"), *published_rows()])
    return sheet


def labels_by(kb: KnowledgeBase, author: str) -> dict[tuple[str, int], set[str]]:
    """What an author says of each unit, as the graph has it."""
    found = kb.query(
        "MATCH (:Annotator {id: $author})<-[:BY]-(a:Annotation {kind: 'label', state: 'live'}) "
        "MATCH (a)-[:ANNOTATES]->(f:Feature) RETURN f.layer AS layer, f.unit AS unit, "
        "a.text AS label ORDER BY layer, unit, label",
        {"author": author},
        limit=None,
    )
    labels: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in found.to_dicts():
        labels[row["layer"], row["unit"]].add(row["label"])
    return dict(labels)


def test_1358_published_labels_are_1354_statements(kb: KnowledgeBase, tmp_path: Path) -> None:
    rows = published_rows()
    assert len(rows) == 1358
    assert sum(times - 1 for times in Counter(rows).values()) == 4
    given: dict[str, Any] = {"author": "ada", "model": "inceptionv1", "unit_base": 0}
    sheet = published_sheet(tmp_path)
    report = kb.annotate.import_files(sheet, **given)
    assert (report.new, report.known, report.rejected) == (1354, 4, 0)
    again = kb.annotate.import_files(sheet, **given)
    assert (again.new, again.known, again.written) == (0, 1358, False)


def test_a_unit_in_several_families_has_the_label_of_each(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    families: dict[tuple[str, int], set[str]] = defaultdict(set)
    for layer, unit, label in published_rows():
        families[layer, unit].add(label)
    assert sum(len(labels) > 1 for labels in families.values()) > 10
    sheet = published_sheet(tmp_path)
    kb.annotate.import_files(sheet, author="ada", model="inceptionv1", unit_base=0)
    assert labels_by(kb, "ada") == families
    assert labels_by(kb, "distill-circuits.early-vision") == families


def hand_built() -> dict[str, list[str]]:
    """What three raters call each of forty units."""
    return {
        "ada": [CURVE if unit % 3 else LINE for unit in UNITS],
        "grace": [CURVE if unit % 4 else LINE for unit in UNITS],
        "netdissect": [CURVE if unit % 5 else LINE for unit in UNITS],
    }


def three_labellings(kb: KnowledgeBase, folder: Path) -> None:
    """Bring them in as a sheet, as our JSON Lines, and as a tool's table that counts from 1."""
    said = hand_built()
    sheet, lines, tally = folder / "ada.csv", folder / "grace.jsonl", folder / "tally.csv"
    rows = [f"{unit},{word}" for unit, word in zip(UNITS, said["ada"], strict=True)]
    sheet.write_text("\n".join(["unit,label", *rows]) + "\n", "utf-8")
    lines.write_text(
        "".join(
            json.dumps(
                {
                    "schema": "circuitkb.annotation/1",
                    "kind": "label",
                    "label": {"text": word},
                    "target": {
                        "type": "feature",
                        "model": "inceptionv1",
                        "layer": LAYER,
                        "unit": unit,
                    },
                    "author": {"id": "grace", "type": "human"},
                    "method": "manual",
                    "source": {"uri": "urn:example:1"},
                    "created": "2026-01-02",
                    "license": "CC0-1.0",
                }
            )
            + "\n"
            for unit, word in zip(UNITS, said["grace"], strict=True)
        ),
        "utf-8",
    )
    rows = [
        f"{unit + 1},part,{word},0.1" for unit, word in zip(UNITS, said["netdissect"], strict=True)
    ]
    tally.write_text("\n".join(["unit,category,label,score", *rows]) + "\n", "utf-8")
    where: dict[str, Any] = {"model": "inceptionv1", "layer": LAYER}
    reports = [
        kb.annotate.import_files(sheet, author="ada", unit_base=0, **where),
        kb.annotate.import_files(lines),
        kb.annotate.import_files(tally, **where),
    ]
    assert [report.files[0].format for report in reports] == ["csv", "jsonl", "netdissect"]
    assert [report.new for report in reports] == [len(UNITS)] * 3


def test_three_labellings_in_three_formats_give_a_table_of_disagreements(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    three_labellings(kb, tmp_path)
    said = hand_built()
    articles = labels_by(kb, "distill-circuits.early-vision")
    table = {
        row["target"]: set(row["said"])
        for row in kb.ask("disagreements", limit=None).result.to_dicts()
    }
    expected = {}
    for unit in UNITS:
        words = {name: {labels[unit]} for name, labels in said.items()}
        words["distill-circuits.early-vision"] = articles.get((LAYER, unit), set())
        given = [labels for labels in words.values() if labels]
        if any(labels != given[0] for labels in given):
            expected[f"inceptionv1/{LAYER}:{unit}"] = {
                f"{label} — {name}" for name, labels in words.items() for label in labels
            }
    assert len(expected) > 20
    assert table == expected


@pytest.mark.parametrize("raters", [("ada", "grace"), ("ada", "grace", "netdissect")])
def test_three_labellings_give_the_alpha_of_the_definition_with_an_interval(
    kb: KnowledgeBase, tmp_path: Path, raters: Sequence[str]
) -> None:
    three_labellings(kb, tmp_path)
    said, articles = hand_built(), labels_by(kb, "distill-circuits.early-vision")
    kind = "human" if raters == ("ada", "grace") else "all"
    for concept in (CURVE, LINE):
        matrix = [[float(word == concept) for word in said[name]] for name in raters]
        if kind == "all":  # the articles rated some of these units too, none as either
            rated = [float("nan"), 0.0]
            matrix.append([rated[(LAYER, unit) in articles] for unit in UNITS])
        given = [[value for value in unit if value == value] for unit in zip(*matrix, strict=True)]
        expected = alpha_by_definition(given, ne)
        (row,) = (
            row
            for row in kb.annotate.agreement(layers=[LAYER]).to_result().to_dicts()
            if (row["concept"], row["raters"]) == (concept, kind)
        )
        assert row["alpha"] == pytest.approx(expected)
        assert row["low"] < row["alpha"] < row["high"]
        assert row["pairable"] == len(UNITS)


def test_the_python_of_the_guide_draws_the_figure(
    kb: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    three_labellings(kb, tmp_path)
    kb.close()
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.S)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, GUIDE.name, "exec"), names)
    drawn = (tmp_path / "agreement.png").read_bytes()
    assert drawn.startswith(b"\x89PNG")
    assert {"(all concepts)", CURVE, LINE} <= set(names["rows"].concept)


def test_the_vocabulary_of_the_guide_declares_what_the_guide_says(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    (words,) = re.findall(r"```\n(concept,label.*?)```", GUIDE.read_text("utf-8"), re.S)
    (tmp_path / "words.csv").write_text(words, "utf-8")
    assert "declares 6 labels of 2 concepts" in str(
        kb.annotate.declare(tmp_path / "words.csv").to_result().notes
    )
