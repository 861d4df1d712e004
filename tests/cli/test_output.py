"""Results go to standard output alone, in a form that the next program reads."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
from typing import Any

import pyarrow as pa
import pytest

DOG_HEAD = "inceptionv1/mixed4b:418"
CASES = {"mixed4a:308": 1, "mixed4a:234": 1, "mixed4a:222": 2, "mixed4a:235": 2}


def test_the_version_is_printed(fresh: Any) -> None:
    run = fresh("--version")
    assert run.code == 0
    assert run.out.startswith("circuitkb 0.")


def test_a_load_says_what_it_did_and_draws_no_bar_into_a_pipe(fresh: Any) -> None:
    run = fresh("load", "published:inceptionv1")
    assert run.code == 0
    assert "inceptionv1" in run.out
    (note,) = run.err.splitlines()
    assert note.startswith("note: only 497 pairs of units have a published kernel")
    again = fresh("load", "published:inceptionv1")
    assert again.code == 0
    assert fresh("models", "--format", "json").json()[0]["circuits"] == 14


@pytest.mark.parametrize("command", ["models", "features", "edges", "circuits"])
def test_json_csv_and_arrow_of_a_list_hold_the_same_rows(published: Any, command: str) -> None:
    limit = ("--limit", "7")
    rows = published(command, "--format", "json", *limit).json()
    text = published(command, "--format", "csv", *limit).out
    stream = published(command, "--format", "arrow", *limit).raw
    table = pa.ipc.open_stream(stream).read_all()
    assert 1 <= len(rows) <= 7
    assert len({tuple(row) for row in rows}) == 1
    assert len(list(csv.DictReader(io.StringIO(text)))) == len(rows) == table.num_rows
    first = "circuit" if command == "circuits" else table.column_names[0]
    assert table[first].to_pylist() == [next(iter(row.values())) for row in rows]


def test_cut_rows_are_told_on_standard_error_alone(published: Any) -> None:
    run = published("features", "--limit", "3", "--format", "json")
    assert len(run.json()) == 3
    assert "more" in run.err
    assert "--limit" in run.err


def test_the_dog_head_union_stands_in_the_json_of_circuits(published: Any) -> None:
    found = published(
        "circuits",
        "--motif",
        "mirrored-inputs",
        "--origin",
        "found",
        "--feature",
        DOG_HEAD,
        "--format",
        "json",
    ).json()
    assert found
    for circuit in found:
        assert {"id", "motif", "model", "members", "score", "nulls", "group"} <= set(circuit)
        assert circuit["motif"] == "mirrored-inputs", "kernels tell no shape"
        sides = {}
        for member in circuit["members"]:
            assert {"feature", "role", "side", "weight"} <= set(member)
            if member["role"] == "case":
                sides[member["feature"].partition("/")[2]] = member["side"]
            else:
                assert (member["feature"], member["role"]) == (DOG_HEAD, "union")
        one, two = sides
        assert CASES[one] != CASES[two]
        assert sides[one] != sides[two]
    assert {
        member["feature"].partition("/")[2]
        for circuit in found
        for member in circuit["members"]
        if member["role"] == "case"
    } == set(CASES)


def test_a_value_of_a_parameter_is_json_or_else_text(published: Any) -> None:
    run = published(
        "query",
        "RETURN $f AS f, $i AS i, $b AS b, $n AS n, $t AS t, $q AS q, $l AS l",
        "-p",
        "f=0.5",
        "-p",
        "i=3",
        "-p",
        "b=true",
        "-p",
        "n=null",
        "-p",
        f"t={DOG_HEAD}",
        "-p",
        'q="2"',
        "-p",
        "l=[1, 2]",
        "--format",
        "json",
    )
    assert run.json() == [
        {"f": 0.5, "i": 3, "b": True, "n": None, "t": DOG_HEAD, "q": "2", "l": [1, 2]}
    ]


def test_a_query_is_read_from_standard_input(published: Any) -> None:
    run = published("query", "-", "--format", "csv", stdin="MATCH (m:Model) RETURN m.id AS id")
    assert run.out == "id\ninceptionv1\n"


def test_ask_shows_the_cypher_it_ran_and_that_cypher_gives_the_answer(published: Any) -> None:
    run = published(
        "ask",
        "find all circuits unioning left/right orientation detectors across models",
        "--format",
        "json",
        "--cypher",
    )
    assert run.code == 0
    assert DOG_HEAD in json.dumps(run.json())
    assert "MATCH" in run.err
    assert "--cypher" not in run.err
    by_name = published("ask", "union", "-p", "cases=oriented", "--format", "json")
    assert by_name.json() == run.json()
    assert len(published("ask", "union", "--format", "json").json()) > len(run.json())


def test_query_shows_the_cypher_that_ran(published: Any) -> None:
    text = "MATCH (a)-[w:WEIGHT]->(b {id: $unit}) RETURN a.id AS id ORDER BY id"
    given = ("query", text, "-p", f"unit={DOG_HEAD}", "--format", "csv")
    run = published(*given, "--cypher")
    assert run.code == 0
    ran, parameters = run.err.splitlines()
    assert ran == text.replace("(a)", "(a:Feature)").replace("(b {", "(b:Feature {")
    assert parameters == f'parameters: unit="{DOG_HEAD}"'
    plain = published(*given)
    assert (plain.out, plain.err) == (run.out, "")
    assert len(plain.out.splitlines()) == 5
    assert ":Feature" not in published.refused("query", f"{text} LIMIT", "--cypher", lines=3)


def test_ask_says_the_question_the_parameters_and_how_to_see_the_cypher(published: Any) -> None:
    run = published("ask", "labels of curve detectors in inception", env={"COLUMNS": "100"})
    assert run.code == 0
    first, second, *_, last = run.err.splitlines()
    assert first == "question: labels: Features by label, and who says so"
    assert second == 'parameters: label="curve", models=["inceptionv1"]'
    assert last == "note: --cypher shows the query that ran"
    assert "MATCH" not in run.err


def test_authors_are_cited_in_a_table_and_named_in_full_elsewhere(published: Any) -> None:
    question = ("ask", "labels", "-p", "label=curve", "--limit", "5")
    table = published(*question, env={"COLUMNS": "100"}).out.splitlines()
    assert len(table) == 2 + 5
    assert all(line.rstrip().endswith("Olah et al. 2020") for line in table[2:])
    for more in (("--wide",), ("--format", "json"), ("--format", "csv")):
        assert "Nick Cammarata" in published(*question, *more).out


LISTS = [
    ("ask", "union"),
    ("ask", "hubs"),
    ("ask", "--list"),
    ("ask", "imports"),
    ("ask", "inputs", "-p", f"feature={DOG_HEAD}"),
    ("circuits",),
    ("models",),
    ("edges", "--target", DOG_HEAD),
    ("features", "--label", "curve"),
    ("query", "MATCH (a:Annotator) RETURN a.id, a.name ORDER BY a.id"),
]


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_a_table_has_a_line_for_each_row_in_a_hundred_columns(
    published: Any, arguments: tuple[str, ...]
) -> None:
    count = len(published(*arguments, "--format", "json").json())
    lines = published(*arguments, env={"COLUMNS": "100"}).out.splitlines()
    assert max(map(len, lines)) <= 100
    below = lines[next(i for i, line in enumerate(lines) if line.startswith("─")) + 1 :]
    assert len(below) == min(count, 100)


def test_the_questions_are_listed_without_a_knowledge_base(fresh: Any) -> None:
    listed = fresh("ask", "--list", "--format", "json")
    assert listed.code == 0
    assert "union" in [row["question"] for row in listed.json()]


def test_show_tells_the_same_as_text_and_as_json(published: Any) -> None:
    card = published("show", DOG_HEAD, "--format", "json").json()
    text = published("show", DOG_HEAD, "--wide").out
    assert card["id"] == DOG_HEAD
    assert "Dog Heads" in json.dumps(card)
    assert "Dog Heads" in text


def test_a_narrow_terminal_folds_ids_and_loses_nothing(published: Any) -> None:
    narrow = published("models", env={"COLUMNS": "40"})
    assert max(len(line) for line in narrow.out.splitlines()) <= 40
    assert "…" not in narrow.out
    wide = published("models", "--wide", env={"COLUMNS": "40"})
    assert "published:inceptionv1" in wide.out


@pytest.mark.parametrize("format_", ["table", "cypher", "mermaid", "json"])
def test_the_definition_of_the_graph_is_printed(fresh: Any, format_: str) -> None:
    run = fresh("schema", "--format", format_)
    assert run.code == 0
    assert "WEIGHT" in run.out or format_ == "cypher"
    assert "Feature" in run.out
    if format_ == "json":
        assert {"of", "property", "type", "description"} <= set(run.json()[0])


def test_a_reader_that_goes_away_is_no_error(published: Any) -> None:
    command = f"'{published.path}' features --format csv --limit 10000 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        env=published.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("feature,")


def test_bytes_are_not_written_to_a_terminal(published: Any) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [published.path, "models", "--format", "arrow"],
        env=published.environment(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"rows.arrow" in done.stderr


def test_a_query_needs_none_of_the_heavy_packages(published: Any, without: Any) -> None:
    heavy = ["torch", "torchvision", "pandas", "scipy", "matplotlib", "networkx", "polars"]
    run = published("query", "MATCH (m:Model) RETURN m.id", env=without(heavy))
    assert run.code == 0, run.err
    assert "inceptionv1" in run.out
