"""``circuitkb annotate`` as its users type it, on the published circuits."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from circuitkb.cli.app import app
from circuitkb.loaders.annotation_formats.recognition import FORMATS
from tests.cli.conftest import Program
from tests.stores.made_once import published_copy

FEATURE = "inceptionv1/mixed4b:418"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_copy(tmp_path_factory, tmp_path_factory.mktemp("annotate") / "zoo.ckb")


@pytest.fixture
def program(tmp_path: Path, loaded: Path) -> Program:
    shutil.copytree(loaded, tmp_path / "zoo.ckb")
    return Program(tmp_path, tmp_path / "zoo.ckb")


def count(program: Program) -> int:
    rows = program("query", "MATCH (a:Annotation) RETURN count(a) AS n", "--format", "json").json()
    return int(rows[0]["n"])


def record(unit: int = 0, text: str = "curve", author: str = "grace", **more: Any) -> str:
    return json.dumps(
        {
            "schema": "circuitkb.annotation/1",
            "kind": "label",
            "label": {"text": text},
            "target": {"type": "feature", "model": "inceptionv1", "layer": "mixed3b", "unit": unit},
            "author": {"id": author, "type": "human"},
            "method": "manual",
            "source": {"uri": "session 1"},
            "created": "2026-11-20",
            "license": "CC-BY-4.0",
            **more,
        }
    )


def test_the_help_of_import_names_every_format() -> None:
    shown = CliRunner().invoke(app, ["annotate", "import", "--help"], env={"COLUMNS": "400"})
    named = shown.output.partition("recognised without it: ")[2].partition(".")[0].split(", ")
    assert sorted(named) == sorted(FORMATS.names)


def test_a_spreadsheet_comes_in_and_again_changes_nothing(program: Program) -> None:
    sheet = program.folder / "sheet.csv"
    sheet.write_text("unit,label\n3,curve\n4,line\n3,curve\n", "utf-8")
    given = (
        "annotate",
        "import",
        "sheet.csv",
        "--author",
        "ada",
        "--model",
        "inceptionv1",
        "--layer",
        "mixed3b",
        "--unit-base",
        "0",
        "--json",
    )
    first = program(*given).json()
    assert (first["new"], first["known"], first["written"]) == (2, 1, True)
    again = program(*given).json()
    assert (again["new"], again["known"], again["written"]) == (0, 3, False)


def test_a_refused_record_is_named_by_file_and_line_and_nothing_is_written(
    program: Program,
) -> None:
    before = count(program)
    (program.folder / "labels.jsonl").write_text(f"{record(1)}\n{record(480)}\n", "utf-8")
    run = program("annotate", "import", "labels.jsonl")
    assert run.code == 2
    assert "refused: labels.jsonl:2: target.unit: 480 is out of range" in run.err
    assert "error: 1 record is refused, and nothing was written" in run.err
    assert count(program) == before
    told = program("annotate", "import", "labels.jsonl", "--json")
    assert told.code == 2
    assert told.json()["rejections"][0]["line"] == 2
    assert program("annotate", "import", "labels.jsonl", "--partial").code == 0
    assert count(program) == before + 1


def test_who_imports_is_not_taken_for_who_said_it(program: Program) -> None:
    """With the variables of ``add`` set: a tool stays a tool, and nobody's work gets a licence."""
    ada = {"CIRCUITKB_AUTHOR": "ada", "CIRCUITKB_LICENSE": "CC0-1.0"}
    tally = "unit,category,label,score\n1,object,dog,0.1\n"
    (program.folder / "tally.csv").write_text(tally, "utf-8")
    where = ("--model", "inceptionv1", "--layer", "mixed3b")
    assert program("annotate", "import", "tally.csv", *where, env=ada).code == 0
    (program.folder / "sheet.csv").write_text("unit,label\n3,curve\n", "utf-8")
    sheet = ("annotate", "import", "sheet.csv", "--unit-base", "0", *where)
    assert "--author" in program.refused(*sheet, env=ada)
    assert program(*sheet, "--author", "grace", env=ada).code == 0
    rows = program(
        "query",
        "MATCH (w:Annotator)<-[:BY]-(a:Annotation) WHERE a.method <> 'published' "
        "RETURN w.id AS who, w.type AS type, a.license AS license ORDER BY who",
        "--format",
        "json",
    ).json()
    assert [tuple(row.values()) for row in rows] == [
        ("grace", "human", "NOASSERTION"),
        ("netdissect", "tool", "NOASSERTION"),
    ]


def test_several_files_come_in_as_one_or_not_at_all(program: Program) -> None:
    (program.folder / "one.jsonl").write_text(record(1), "utf-8")
    (program.folder / "two.csv").write_text("target,label\ninceptionv1/mixed3b:2,x\n", "utf-8")
    (program.folder / "bad.jsonl").write_text(record(999), "utf-8")
    before = count(program)
    given = ("annotate", "import", "one.jsonl", "two.csv", "--author", "ada", "--json")
    assert program(*given, "bad.jsonl").code == 2
    assert count(program) == before
    report = program(*given).json()
    assert [file["format"] for file in report["files"]] == ["jsonl", "csv"]
    assert (report["new"], count(program)) == (2, before + 2)


def test_a_dry_run_writes_nothing(program: Program) -> None:
    before = count(program)
    run = program("annotate", "import", "-", "--dry-run", stdin=record())
    assert run.code == 0, run.err
    assert "a dry run: nothing was written" in run.err
    assert count(program) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "missing.jsonl"), "missing.jsonl cannot be read"),
        (("import", "."), "circuitkb annotate sync"),
        (("import", "notes.txt"), "notes.txt"),
        (("import", "sheet.csv", "--author", "ada"), "--model"),
        (("import", "sheet.csv", "--author", "ada", "--model", "inceptionv1"), "--unit-base"),
        (("import", "notes.txt", "--format", "jsonn"), "jsonl"),
        (("add", FEATURE, "dog"), "CIRCUITKB_AUTHOR"),
        (("add", "inceptionv1/mixed4b:9999", "dog", "--author", "ada"), "out of range"),
        (("add", "inceptionv2/mixed4b:1", "dog", "--author", "ada"), "inceptionv1"),
        (("add", "mixed4b", "dog", "--author", "ada"), "model/layer:unit"),
        (("add", FEATURE, " ", "--author", "ada"), "blank"),
        (("retract", "ckb:0", "--author", "ada"), "No annotation"),
        (("history", "inceptionv1/mixed4b:9999"), "No annotation"),
        (("vocabulary", "missing.csv"), "missing.csv"),
        (("sync", "notes.txt"), "sync takes a folder"),
        (("agreement", "--model", "inceptionv2"), "No model 'inceptionv2' here"),
        (("consensus", "--model", "inceptionv2"), "No model 'inceptionv2' here"),
        (("agreement", "--layer", "mixed3z"), "No layer 'mixed3z' in any model here"),
        (("export", "labels.xlsx"), "labels.csv"),
        (("import", "-"), "error: standard input is empty"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_or_two(
    program: Program, arguments: tuple[str, ...], says: str
) -> None:
    (program.folder / "notes.txt").write_text("nothing to read\n", "utf-8")
    (program.folder / "sheet.csv").write_text("layer,unit,label\nmixed3b,1,curve\n", "utf-8")
    assert says in program.refused("annotate", *arguments)


def test_a_label_is_added_reviewed_superseded_and_taken_back(program: Program) -> None:
    ada = {"CIRCUITKB_AUTHOR": "ada", "CIRCUITKB_LICENSE": "CC0-1.0"}
    assert program("annotate", "add", FEATURE, "dog head", env=ada).code == 0
    (first,) = [row for row in told(program) if row["said"] == "dog head"]
    id = first["annotation"]
    assert program("annotate", "review", id, "disagree", "--author", "grace").code == 0
    assert program("annotate", "retract", id, "--author", "grace").code == 2
    again = program("annotate", "add", FEATURE, "pet head", "--supersedes", id, env=ada)
    assert again.code == 0, again.err
    states = {row["said"]: row["state"] for row in told(program)}
    assert (states["dog head"], states["pet head"]) == ("superseded", "live")
    card = program("show", FEATURE).out
    assert "pet head" in card
    assert "dog head\n" not in card
    (new,) = [row["annotation"] for row in told(program) if row["said"] == "pet head"]
    assert program("annotate", "retract", new, env=ada).code == 0
    assert {row["said"]: row["state"] for row in told(program)}["pet head"] == "retracted"


def told(program: Program) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = program("annotate", "history", FEATURE, "--format", "json").json()
    return rows


def test_results_go_to_standard_output_alone_in_every_format(program: Program) -> None:
    lines = "\n".join(
        record(unit, text, who)
        for unit in range(20)
        for text, who in (("curve", "grace"), ("line" if unit % 2 else "curve", "ada"))
    )
    assert program("annotate", "import", "-", stdin=lines).code == 0
    for command in ("disagreements", "agreement", "consensus", "vocabulary"):
        rows = program("annotate", command, "--format", "json").json()
        assert rows, command
        table = program("annotate", command, "--format", "csv").out
        assert len(list(csv.DictReader(io.StringIO(table)))) == len(rows)
        assert program("annotate", command, "--limit", "1").out
    human = program("annotate", "agreement", "--layer", "mixed3b", "--format", "json").json()
    overall = next(r for r in human if r["raters"] == "human" and r["concept"] == "(all concepts)")
    assert overall["low"] <= overall["alpha"] <= overall["high"]


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("out.jsonl", b'{"author"'),
        ("out.csv", b"id,kind"),
        ("out.zip", b"PK"),
        ("out.jsonld", b"{"),
    ],
)
def test_an_export_has_the_format_of_its_ending_and_replaces_nothing_unasked(
    program: Program, name: str, begins: bytes
) -> None:
    assert program("annotate", "export", name).code == 0
    assert (program.folder / name).read_bytes().startswith(begins)
    assert "--overwrite" in program.refused("annotate", "export", name)
    assert program("annotate", "export", name, "--overwrite").code == 0


def test_another_lab_imports_a_bundle_with_one_command(program: Program, loaded: Path) -> None:
    assert program("annotate", "export", "labels.zip").code == 0
    other = Program(program.folder, shutil.copytree(loaded, program.folder / "other.ckb"))
    report = other("annotate", "import", "labels.zip", "--json").json()
    assert (report["rejected"], report["conflicting"], report["new"]) == (0, 0, 0)
    assert report["known"] == count(program)


def test_two_stores_meet_over_one_folder(program: Program, loaded: Path) -> None:
    shutil.copytree(loaded, program.folder / "two.ckb")
    two = Program(program.folder, program.folder / "two.ckb")
    for one, text in ((program, "dog"), (two, "cat")):
        assert (
            one("annotate", "add", FEATURE, text, "--author", text, "--license", "CC0-1.0").code
            == 0
        )
    for one in (program, two, program):
        assert one("annotate", "sync", "labels").code == 0
    assert len(list((program.folder / "labels").glob("*.jsonl"))) == 2
    said = [{row["said"] for row in told(one)} for one in (program, two)]
    assert said[0] == said[1]
    assert {"dog", "cat"} <= said[0]


def test_the_published_labels_come_in_once_each_and_a_second_time_not_at_all(
    program: Program,
) -> None:
    """1,358 rows; exact duplicates once, and a unit in several families in all of them."""
    place = (
        resources.files("circuitkb.loaders.published") / "resources" / "inceptionv1" / "labels.csv"
    )
    lines = place.read_text("utf-8").splitlines()
    rows = [(row["layer"], int(row["unit"]), row["label"]) for row in csv.DictReader(lines)]
    assert len(rows) == 1358
    with (program.folder / "labels.csv").open("w", encoding="utf-8", newline="") as sheet:
        csv.writer(sheet).writerows([("layer", "unit", "label"), *rows])
    given = (
        "annotate",
        "import",
        "labels.csv",
        "--author",
        "ada",
        "--model",
        "inceptionv1",
        "--unit-base",
        "0",
        "--json",
    )
    report = program(*given).json()
    distinct = {(layer, unit, " ".join(text.split())) for layer, unit, text in rows}
    assert (report["new"], report["known"]) == (len(distinct), 1358 - len(distinct))
    families = Counter((layer, unit) for layer, unit, _ in distinct)
    stored = program(
        "query",
        "MATCH (f:Feature)<-[:ANNOTATES]-(a:Annotation)-[:BY]->(:Annotator {id: 'ada'}) "
        "RETURN f.layer AS layer, f.unit AS unit, count(a) AS n",
        "--format",
        "json",
        "--limit",
        "5000",
    ).json()
    assert {(row["layer"], row["unit"]): row["n"] for row in stored} == dict(families)
    assert max(families.values()) > 1
    assert program(*given).json()["written"] is False


def test_three_labellings_in_three_formats_give_a_disagreement_table_and_an_alpha(
    program: Program,
) -> None:
    units = range(40)
    sheet = ["unit,label", *(f"{u},{'curve' if u % 3 else 'line'}" for u in units)]
    (program.folder / "ada.csv").write_text("\n".join(sheet) + "\n", "utf-8")
    lines = [record(u, "curve" if u % 4 else "line") for u in units]
    (program.folder / "grace.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    tally = ["unit,category,label,score", *(f"{u + 1},part,curve,0.1" for u in units)]
    (program.folder / "tally.csv").write_text("\n".join(tally) + "\n", "utf-8")
    where = ("--model", "inceptionv1", "--layer", "mixed3b")
    for given in (
        ("ada.csv", "--author", "ada", "--unit-base", "0", *where),
        ("grace.jsonl",),
        ("tally.csv", *where),
    ):
        report = program("annotate", "import", *given, "--json").json()
        assert (report["new"], report["rejected"]) == (40, 0)
    words = ["concept,label,vocabulary", "curve,curve,", "curve,curve,broden"]
    (program.folder / "words.csv").write_text("\n".join(words) + "\n", "utf-8")
    assert program("annotate", "vocabulary", "words.csv").code == 0
    rows = program("annotate", "disagreements", "--label", "curve", "--format", "json").json()
    differ = {f"inceptionv1/mixed3b:{u}" for u in units if not (u % 3 and u % 4)}
    assert differ <= {row["target"] for row in rows}
    alphas = program("annotate", "agreement", "--layer", "mixed3b", "--format", "json").json()
    (line,) = [r for r in alphas if (r["concept"], r["raters"]) == ("line", "human")]
    apart = sum((u % 3 == 0) != (u % 4 == 0) for u in units)
    yes = sum((u % 3 == 0) + (u % 4 == 0) for u in units)
    ratings = 2 * len(units)
    expected = 1 - (ratings - 1) * apart / (yes * (ratings - yes))  # two raters, all pairs
    assert line["alpha"] == pytest.approx(expected)
    assert line["low"] < line["alpha"] < line["high"]
