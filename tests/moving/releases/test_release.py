"""``circuitkb release``: whole or not at all, never changed, the same bytes wherever it was made.

Costs about ten seconds of a processor.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.atlas.folder import write_atlas
from circuitkb.cli.app import app
from circuitkb.errors import NotFoundError, ReleaseError, SourceError
from circuitkb.moving.files import parquet_folder
from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.progress import Progress
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store
from tests.moving.files.test_parquet_export import ZOO
from tests.stores.contents import content_of, nodes

WHERE = "/srv/ada/secret/w.safetensors"
"""A place on somebody's machine."""


def label(text: str, license: str) -> GraphRows:
    said = {"kind": "label", "text": text, "state": "live", "license": license}
    return nodes("Annotation", {"id": f"a-{text}", **said})


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def held(kb: ckb.KnowledgeBase) -> str:
    """All that a knowledge base holds."""
    return repr([sorted(part.items(), key=repr) for part in content_of(kb.store).values()])


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path_factory.mktemp("released") / "zoo.ckb") as found:
        for rows in ZOO:
            found.store.write(rows)
        found.store.write(
            nodes("Model", {"id": "own", "fingerprint": "f", "source": WHERE, "license": "MIT"})
        )
        imported = {"kind": "load", "source": WHERE, "created": "2026-05-01T10:00:00+00:00"}
        found.store.write(nodes("Import", {"id": "i", **imported}))
        found.store.write(label("red", "CC0-1.0"))
        yield found


def pages(kb: ckb.KnowledgeBase) -> Callable[[Path, Progress], object]:
    return lambda folder, progress: write_atlas(kb, folder, progress=progress)


@pytest.fixture(scope="module")
def released(kb: ckb.KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, not to be changed."""
    target = tmp_path_factory.mktemp("releases") / "zoo-1"
    kb.release("zoo", target, authors=["Ada"], license="CC-BY-4.0", pages=pages(kb))
    return target


@pytest.fixture
def copy(released: Path, tmp_path: Path) -> Path:
    """The release again, to damage."""
    shutil.copytree(released, tmp_path / "zoo-1")
    return tmp_path / "zoo-1"


def test_it_loads_as_what_it_was_made_of_and_is_made_again_of_that(
    kb: ckb.KnowledgeBase, released: Path, tmp_path: Path
) -> None:
    with ckb.open(tmp_path / "copy.ckb") as other:
        other.load(released)
        assert held(other) == held(kb).replace(WHERE, "w.safetensors")
        other.release(
            "zoo", tmp_path / "again", authors=["Ada"], license="CC-BY-4.0", pages=pages(other)
        )
    assert tree(tmp_path / "again") == tree(released)


@pytest.mark.long_on_a_server
def test_it_is_the_same_of_any_store_and_in_whatever_order_things_came(
    store: Store, tmp_path: Path
) -> None:
    for rows in (ZOO[1], ZOO[0], ZOO[2]):
        store.write(rows)
    with ckb.open(tmp_path / "other.ckb") as other:
        for rows in ZOO:
            other.store.write(rows)
        kbs = (ckb.KnowledgeBase(store), other)
        ids = {kb.release("zoo", tmp_path / f"zoo-{number}").id for number, kb in enumerate(kbs)}
    assert len(ids) == 1


def test_every_file_has_its_hash_as_sha256sum_reads_it(released: Path) -> None:
    lines = (released / "SHA256SUMS").read_text("ascii").splitlines()
    sums = dict(reversed(line.split("  ")) for line in lines)
    files = tree(released)
    files.pop("SHA256SUMS")
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = json.loads(files["release.json"])
    data = files.keys() - {"release.json", "CITATION.cff", "croissant.json"}
    assert manifest["files"] == {
        name: {"bytes": len(files[name]), "sha256": sums[name]} for name in sorted(data)
    }


def test_it_says_whose_it_is_under_which_licences_and_how_to_cite_it(released: Path) -> None:
    manifest = json.loads((released / "release.json").read_text("utf-8"))
    assert {model["id"]: model["license"] for model in manifest["models"]} == {
        "one": None,
        "own": "MIT",
        "two": None,
    }
    assert manifest["annotations"] == {"CC0-1.0": 1}
    cited = yaml.safe_load((released / "CITATION.cff").read_text("utf-8"))
    digest = hashlib.sha256((released / "release.json").read_bytes()).hexdigest()
    assert cited["identifiers"][0]["value"] == f"sha256:{digest}"
    assert cited["authors"] == [{"name": "Ada"}]
    assert (cited["cff-version"], cited["license"]) == ("1.2.0", "CC-BY-4.0")
    assert [each["title"] for each in cited["references"]] == ["circuitkb", "one", "own", "two"]
    assert all(each["authors"] for each in cited["references"])


def test_no_place_on_the_machine_is_told(released: Path, tmp_path: Path) -> None:
    told = [str(released.parent).encode(), b"/srv/", b"secret"]
    for name, data in tree(released).items():
        assert not [text for text in told if text in data], name
    for name in ("Model", "Import"):
        found = pq.read_table(released / f"nodes/{name}.parquet")["source"].to_pylist()
        assert "w.safetensors" in found
        assert WHERE not in found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_programs_read_its_tables_by_its_croissant_metadata(
    kb: ckb.KnowledgeBase, released: Path
) -> None:
    import mlcroissant

    data = mlcroissant.Dataset(str(released / "croissant.json"))
    assert data.metadata.ctx.issues.errors == data.metadata.ctx.issues.warnings == set()
    sets = {each.name for each in data.metadata.record_sets}
    assert sets == {each.label for each in NODES} | {each.name for each in RELATIONS}
    rows = list(data.records("Feature"))
    found = {row["Feature/id"].decode(): row["Feature/unit"] for row in rows}
    asked = kb.query("MATCH (f:Feature) RETURN f.id AS id, f.unit AS unit", limit=None)
    assert found == {row["id"]: row["unit"] for row in asked}
    assert len(list(data.records("ANALOGOUS_TO"))) == 1


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


FILES = (
    "release.json",
    "CITATION.cff",
    "croissant.json",
    "SHA256SUMS",
    "circuitkb.json",
    "nodes/Feature.parquet",
    "relations/WEIGHT.parquet",
    "kernels/one.safetensors",
    "atlas/index.html",
)


@pytest.mark.parametrize("harm", [flip, Path.unlink])
@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_missing_file_is_named_and_nothing_is_loaded(
    copy: Path, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    harm(copy / name)
    with ckb.open(tmp_path / "new.ckb") as new:
        with pytest.raises(SourceError) as told:
            new.load(copy)
        assert new.query("MATCH (n) RETURN count(n) AS nodes").rows == ((0,),)
    line = str(told.value)
    # A digit of a hash or a letter of a name, in the list of hashes itself, tells of another file.
    assert name in line or name == "SHA256SUMS"
    assert line.count("\n") == 0


def test_it_ends_with_2_where_a_byte_was_changed(copy: Path, tmp_path: Path) -> None:
    flip(copy / "nodes/Model.parquet")
    done = CliRunner().invoke(app, ["load", str(copy), "--kb", str(tmp_path / "new.ckb")])
    assert done.exit_code == 2
    assert "nodes/Model.parquet is not what was released" in done.stderr


def test_a_check_names_every_file_that_was_changed(copy: Path) -> None:
    whole = CliRunner().invoke(app, ["check", "--kb", str(copy)])
    assert (whole.exit_code, "as they were released" in whole.stdout) == (0, True)
    flip(copy / "nodes/Model.parquet")
    (copy / "atlas/index.html").unlink()
    done = CliRunner().invoke(app, ["check", "--kb", str(copy), "--format", "json"])
    assert done.exit_code == 3
    found = [row["part"] for row in json.loads(done.stdout) if row["state"] == "damaged"]
    assert found == ["atlas/index.html", "nodes/Model.parquet"]
    assert CliRunner().invoke(app, ["check", "--repair", "--kb", str(copy)]).exit_code == 2


def test_a_hash_of_a_file_elsewhere_is_not_followed(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    with (copy / "SHA256SUMS").open("a") as file:
        file.write(f"{digest}  atlas/../../outside\n")
    with ckb.open(tmp_path / "new.ckb") as new, pytest.raises(SourceError, match="leads out"):
        new.load(copy)


@pytest.mark.parametrize("there", ["file", "folder", "release", "link"])
def test_what_is_there_is_never_changed(
    kb: ckb.KnowledgeBase, released: Path, tmp_path: Path, there: str
) -> None:
    target = tmp_path / "zoo-1"
    {
        "file": lambda: target.write_text("mine"),
        "folder": target.mkdir,
        "release": lambda: shutil.copytree(released, target),
        "link": lambda: target.symlink_to(tmp_path / "nowhere"),
    }[there]()
    before = tree(tmp_path)
    with pytest.raises(ReleaseError, match="never changed"):
        kb.release("zoo", target)
    assert tree(tmp_path) == before


def test_labels_without_a_licence_are_not_released_unasked(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "zoo.ckb") as kb:
        kb.store.write(ZOO[0])
        kb.store.write(label("red", "NOASSERTION"))
        with pytest.raises(ReleaseError, match="no licence"):
            kb.release("zoo", tmp_path / "zoo-1")
        assert [path.name for path in tmp_path.iterdir()] == ["zoo.ckb"]
        made = kb.release("zoo", tmp_path / "zoo-1", with_unlicensed=True)
    manifest = json.loads((made.folder / "release.json").read_text("utf-8"))
    assert manifest["annotations"] == {"NOASSERTION": 1}
    assert made.notes == ("one: nobody said under which licence its weights are.",)


def test_one_model_is_released_with_what_speaks_of_it(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    made = kb.release("zoo", tmp_path / "zoo-1", models=["two"])
    assert (made.counts["Model"], made.counts["Annotation"]) == (1, 0)
    with pytest.raises(NotFoundError, match="No model 'onne'"):
        kb.release("zoo", tmp_path / "zoo-2", models=["onne"])


@pytest.mark.parametrize(
    "given",
    [{"name": "../zoo"}, {"name": ""}, {"version": "1/2"}, {"license": "free for all"}],
)
def test_names_that_are_none_are_refused(
    kb: ckb.KnowledgeBase, tmp_path: Path, given: dict[str, Any]
) -> None:
    with pytest.raises(ReleaseError, match="is no"):
        kb.release(**{"name": "zoo", "output": tmp_path / "zoo-1", **given})
    assert not list(tmp_path.iterdir())


def test_an_interrupted_release_leaves_nothing(
    kb: ckb.KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet_folder, "checksum", broken)
    with pytest.raises(KeyboardInterrupt):
        kb.release("zoo", tmp_path / "zoo-1")
    assert not list(tmp_path.iterdir())


def test_a_kill_leaves_no_release_and_the_next_run_is_whole(
    kb: ckb.KnowledgeBase, released: Path, tmp_path: Path
) -> None:
    script = f"""
import time
import circuitkb as ckb
from circuitkb.atlas.folder import write_atlas

def pages(folder, progress):
    write_atlas(kb, folder)
    print("now", flush=True)
    time.sleep(60)

with ckb.open({kb.address!r}, create=False) as kb:
    kb.release("zoo", {str(tmp_path / "zoo-1")!r}, pages=pages)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        os.kill(process.pid, signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".unfinished")
    old = time.time() - 3600
    os.utime(left, (old, old))
    kb.release("zoo", tmp_path / "zoo-1", authors=["Ada"], license="CC-BY-4.0", pages=pages(kb))
    assert [path.name for path in tmp_path.iterdir()] == ["zoo-1"]
    assert tree(tmp_path / "zoo-1") == tree(released)
