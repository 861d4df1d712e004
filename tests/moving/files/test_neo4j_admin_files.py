"""The files for Neo4j's importer: their layout, what they say, and what is refused."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import pytest

from circuitkb.moving.files.neo4j_admin import write_import_files
from circuitkb.schema.errors import CapabilityError
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.kernel_files import KernelFile
from circuitkb.stores.server.marker import ARRAYS, MARKER, marker_properties
from tests.moving.awkward import awkward, in_pieces
from tests.stores.contents import connection, kernel_content, network, nodes, together


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def records(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a file under the names of its header."""
    with (folder / f"{name}.header.csv").open(newline="", encoding="utf-8") as file:
        (header,) = csv.reader(file)
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [dict(zip(header, row, strict=True)) for row in csv.reader(file)]


def test_every_file_is_named_by_an_argument_and_the_other_way_round(folder: Path) -> None:
    write_import_files(in_pieces(awkward()), folder)
    named = [
        file
        for word in shlex.split((folder / "import.args").read_text("utf-8"))
        if word.startswith(("--nodes=", "--relationships="))
        for file in word.rpartition("=")[2].split(",")
    ]
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*.csv")]
    assert sorted(named) == sorted(there)
    assert len(set(named)) == len(named)


def test_ends_refer_to_nodes_by_their_ids(folder: Path) -> None:
    write_import_files([network()], folder)
    features = {row["id:ID(Feature)"] for row in records(folder, "nodes/Feature")}
    for row in records(folder, "relations/WEIGHT.Feature.Feature"):
        assert {row[":START_ID(Feature)"], row[":END_ID(Feature)"]} <= features


def test_the_marker_is_the_one_that_the_store_makes(folder: Path) -> None:
    write_import_files([network()], folder)
    (row,) = records(folder, f"nodes/{MARKER}")
    given = {name.partition(":")[0]: value for name, value in row.items()}
    uuid = given["uuid"]
    assert given == {name: str(value) for name, value in marker_properties(uuid).items()}
    assert not (folder / "after-import.cypher").exists()
    assert "after-import" not in (folder / "README.txt").read_text("utf-8")


def test_two_exports_are_two_knowledge_bases(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_import_files([network()], tmp_path / name)
        found.append(json.loads((tmp_path / name / "circuitkb.json").read_text("utf-8"))["uuid"])
    assert found[0] != found[1]


def test_kernels_lie_where_the_server_store_looks_for_them(folder: Path) -> None:
    kernels = [connection("c"), connection("d", seed=1)]
    write_import_files([network(), GraphRows(kernels={"net": kernels})], folder)
    uuid = json.loads((folder / "circuitkb.json").read_text("utf-8"))["uuid"]
    (row,) = records(folder, f"nodes/{ARRAYS}")
    assert row[f"model:ID({ARRAYS})"] == "net"
    stored = KernelFile(folder / "arrays" / uuid / "kernels" / row["kernels:string"])
    assert [kernel_content(c) for c in stored] == [kernel_content(c) for c in kernels]
    assert row["responses:string"] == ""


def test_a_model_without_lists_that_get_lost_needs_no_cypher_afterwards(folder: Path) -> None:
    model = {"id": "net", "fingerprint": "f", "source": "s", "not_composed": ["a", ""]}
    write_import_files([nodes("Model", model)], folder)
    (row,) = records(folder, "nodes/Model")
    assert row["not_composed:string[]"] == "a\x1f"
    assert not (folder / "after-import.cypher").exists()


@pytest.mark.parametrize("value", [[], [""], ["a\x1fb"]])
def test_a_list_that_would_get_lost_is_set_afterwards_and_the_marker_after_it(
    folder: Path, value: list[str]
) -> None:
    model = {"id": "net", "fingerprint": "f", "source": "s", "not_composed": value}
    write_import_files([nodes("Model", model)], folder)
    (row,) = records(folder, "nodes/Model")
    assert row["not_composed:string[]"] == ""
    repair, marker = (folder / "after-import.cypher").read_text("utf-8").splitlines()
    assert repair.endswith(f"SET n.`not_composed` = {json.dumps(value)};")
    assert marker.startswith(f"CREATE (:`{MARKER}` ")
    assert not (folder / f"nodes/{MARKER}.csv").exists()
    assert "after-import.cypher" in (folder / "README.txt").read_text("utf-8")


@pytest.mark.parametrize("text", ["a\nb", "a\rb"])
def test_lines_within_a_text_are_announced_to_the_importer(folder: Path, text: str) -> None:
    claim = {"id": "c", "text": text}
    write_import_files([together(network(), nodes("Claim", claim))], folder)
    assert "--multiline-fields=true\n" in (folder / "import.args").read_text("utf-8")


def test_files_of_single_lines_are_imported_the_fast_way(folder: Path) -> None:
    write_import_files([network()], folder)
    assert "multiline" not in (folder / "import.args").read_text("utf-8")


def test_a_text_that_neo4j_cannot_index_is_refused_by_name(folder: Path) -> None:
    label = {"id": "v:x", "text": "x" * 8_001}
    with pytest.raises(CapabilityError, match=r"Label.text of 'v:x' .*export parquet"):
        write_import_files([nodes("Label", label)], folder)
