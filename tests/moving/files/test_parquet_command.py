"""``circuitkb export`` and ``circuitkb load DIR``, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import circuitkb as ckb
from circuitkb.cli.app import app
from tests.stores.contents import content_of, network


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A knowledge base with one network, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIRCUITKB", raising=False)
    with ckb.open("zoo.ckb") as base:
        base.store.write(network())
    return tmp_path / "zoo.ckb"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_an_exported_folder_loads_into_another_knowledge_base(zoo: Path) -> None:
    exported = run("export", "parquet", "folder", "--kb", "zoo.ckb", "--format", "json")
    assert exported.exit_code == 0, exported.stderr
    assert {row["kind"]: row["rows"] for row in json.loads(exported.stdout)} == {
        "Model": 1,
        "Layer": 1,
        "Feature": 6,
        "IN_LAYER": 6,
        "IN_MODEL": 1,
        "WEIGHT": 12,
    }
    assert f"circuitkb load {zoo.parent / 'folder'}" in exported.stderr
    loaded = run("load", "folder", "--kb", "copy.ckb")
    assert loaded.stdout.startswith("folder loaded in")
    with ckb.open("zoo.ckb") as one, ckb.open("copy.ckb") as other:
        assert content_of(other.store) == content_of(one.store)


def test_the_files_for_neo4j_come_with_the_file_that_explains_them(zoo: Path) -> None:
    exported = run("export", "neo4j-admin", "files", "--kb", "zoo.ckb", "--model", "net")
    assert exported.exit_code == 0, exported.stderr
    assert f"see {zoo.parent / 'files' / 'README.txt'}" in exported.stderr
    assert "@import.args" in Path("files/README.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ("xlsx", "folder"),
            "'xlsx' is not a format. Known: gexf, graphml, json, neo4j-admin, parquet.",
        ),
        (("parquet", "zoo.ckb", "--force"), "holds something that is no export of circuitkb"),
        (("parquet", "folder", "--model", "nett"), "Did you mean 'net'?"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_line(
    zoo: Path, arguments: tuple[str, ...], why: str
) -> None:
    refused = run("export", *arguments, "--kb", "zoo.ckb")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert why in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not Path("folder").exists()
