"""``export`` and ``load`` of a knowledge base: all or nothing, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import circuitkb as ckb
from circuitkb import KnowledgeBase
from circuitkb.errors import (
    ModelConflictError,
    NotFoundError,
    SchemaError,
    SourceError,
    StoreError,
    StoreFullError,
    StoreVersionError,
    UnknownSourceError,
)
from circuitkb.moving.files import loading as files_loading
from circuitkb.moving.files import parquet_folder
from circuitkb.moving.files.parquet_folder import write_parquet
from circuitkb.schema.tables import GraphRows, Relations, relation_table
from tests.stores.contents import (
    connection,
    content,
    content_of,
    feature,
    network,
    nodes,
    relations,
    responses,
    together,
)


def another(name: str) -> GraphRows:
    """A model of two features with a weight, evidence about one, and kernels."""
    ids = [f"{name}/a:0", f"{name}/a:1"]
    ends = {"source": ids[:1], "target": ids[1:], "connection": ["c"], "sum": [-1e-300]}
    return together(
        nodes("Model", {"id": name, "fingerprint": name * 8, "source": "test"}),
        nodes("Feature", *(feature(unit, model=name) for unit in (0, 1))),
        nodes("Evidence", {"id": f"e-{name}", "kind": "k", "method": "m"}),
        relations("ABOUT", "Evidence", "Feature", {"source": f"e-{name}", "target": ids[0]}),
        GraphRows(
            relations=[
                Relations("WEIGHT", "Feature", "Feature", relation_table("WEIGHT", ends)),
            ],
            kernels={name: [connection("c")]},
            responses={name: responses()},
        ),
    )


def joined() -> GraphRows:
    """An analogy between two models, and an annotator who says nothing."""
    analogy = {"source": "one/a:0", "target": "two/a:1", "method": "m", "score": 0.5}
    return together(
        nodes("Annotator", {"id": "silent", "type": "human"}),
        relations("ANALOGOUS_TO", "Feature", "Feature", analogy),
    )


ZOO = (another("one"), another("two"), joined())
"""Two models that are joined."""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds the zoo, to copy."""
    path = tmp_path_factory.mktemp("written") / "zoo.ckb"
    with ckb.open(path) as found:
        for rows in ZOO:
            found.store.write(rows)
    return path


@pytest.fixture
def zoo(written: Path, tmp_path: Path) -> Iterator[KnowledgeBase]:
    """The zoo in a store."""
    shutil.copytree(written, tmp_path / "zoo.ckb")
    with ckb.open(tmp_path / "zoo.ckb") as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The zoo as it is exported."""
    (tmp_path / "folder").mkdir()
    write_parquet(ZOO, tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[KnowledgeBase]:
    """An empty knowledge base."""
    with ckb.open(tmp_path / "copy.ckb") as found:
        yield found


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def reseal(folder: Path, name: str) -> None:
    """Let circuitkb.json agree with a file that was changed."""
    about = json.loads((folder / "circuitkb.json").read_text("utf-8"))
    data = (folder / name).read_bytes()
    about["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "circuitkb.json").write_text(json.dumps(about), "utf-8")


def test_a_folder_loads_as_the_knowledge_base_it_came_from(
    zoo: KnowledgeBase, copy: KnowledgeBase, tmp_path: Path
) -> None:
    exported = zoo.export("parquet", tmp_path / "folder")
    loaded = copy.load(tmp_path / "folder")
    assert content_of(copy.store) == content_of(zoo.store)
    assert exported.counts["Feature"] == loaded.counts["Feature"] == 4
    assert loaded.models == {"one": True, "two": True}
    assert "2 new models, 4 features, 2 edges" in loaded.message


def test_loading_it_again_changes_nothing(
    folder: Path, copy: KnowledgeBase, tmp_path: Path
) -> None:
    copy.load(folder)
    before = tree(tmp_path / "copy.ckb")
    again = copy.load(folder)
    assert tree(tmp_path / "copy.ckb") == before
    assert not again.created
    assert "no node or relation is new" in again.message


def test_a_large_folder_is_loaded_model_by_model_to_the_same_content(
    folder: Path, copy: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_loading, "ROWS_AT_ONCE", 3)
    write = copy.store.write
    states = []

    def seen(rows: GraphRows, *options: Any) -> None:
        write(rows, *options)
        states.append(content_of(copy.store))

    monkeypatch.setattr(copy.store, "write", seen)
    copy.load(folder)
    assert states[0] == content([another("one")])
    assert states[1]["kernels"].keys() == {"one", "two"}
    assert states[2] == content(ZOO)
    assert len(states) == 3


def test_a_load_that_breaks_off_leaves_whole_models_and_goes_on(
    folder: Path, copy: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_loading, "ROWS_AT_ONCE", 3)
    write = copy.store.write

    def broken(rows: GraphRows, *options: Any) -> None:
        if "two" in rows.nodes["Model"]["id"].to_pylist():
            raise KeyboardInterrupt
        write(rows, *options)

    monkeypatch.setattr(copy.store, "write", broken)
    with pytest.raises(KeyboardInterrupt):
        copy.load(folder)
    monkeypatch.setattr(copy.store, "write", write)
    assert content_of(copy.store) == content([another("one")])
    assert copy.load(folder).models == {"one": False, "two": True}
    assert content_of(copy.store) == content(ZOO)


def test_one_model_is_exported_with_what_speaks_of_it(
    zoo: KnowledgeBase, copy: KnowledgeBase, tmp_path: Path
) -> None:
    zoo.export("parquet", tmp_path / "folder", models=["one"])
    copy.load(tmp_path / "folder")
    assert content_of(copy.store) == content([another("one")])


def test_exporting_twice_makes_the_same_bytes(zoo: KnowledgeBase, tmp_path: Path) -> None:
    zoo.export("parquet", tmp_path / "folder")
    before = tree(tmp_path / "folder")
    zoo.export("parquet", tmp_path / "folder", force=True)
    assert tree(tmp_path / "folder") == before


def test_a_folder_that_holds_something_is_never_touched(zoo: KnowledgeBase, tmp_path: Path) -> None:
    zoo.export("parquet", tmp_path / "export")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years", "utf-8")
    for target, force, why in (
        (tmp_path / "export", False, "--force"),
        (foreign, False, "no export"),
        (foreign, True, "no export"),
        (foreign / "thesis.tex", True, "is a file"),
        (tmp_path / "zoo.ckb", True, "no export"),
    ):
        before = tree(tmp_path)
        with pytest.raises(StoreError, match=why):
            zoo.export("parquet", target, force=force)
        assert tree(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_export_that_breaks_off_leaves_the_folder_as_it_was(
    zoo: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    zoo.export("parquet", tmp_path / "folder")
    before = tree(tmp_path)

    def broken(*_: object) -> str:
        raise error

    monkeypatch.setattr(parquet_folder, "checksum", broken)
    with pytest.raises((KeyboardInterrupt, StoreFullError)):
        zoo.export("parquet", tmp_path / "folder", force=True)
    with pytest.raises((KeyboardInterrupt, StoreFullError)):
        zoo.export("parquet", tmp_path / "new" / "folder")
    assert tree(tmp_path) == before


def test_an_unknown_format_or_model_is_named_with_what_there_is(
    zoo: KnowledgeBase, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=r"'xlsx' is not a format.*neo4j-admin, parquet"):
        zoo.export("xlsx", tmp_path / "folder")
    with pytest.raises(NotFoundError, match=r"No model 'onne' here. Did you mean 'one'"):
        zoo.export("parquet", tmp_path / "folder", models=["onne"])
    assert not (tmp_path / "folder").exists()


def test_other_weights_under_a_name_stop_the_load_before_anything_is_written(
    folder: Path, copy: KnowledgeBase
) -> None:
    copy.store.write(nodes("Model", {"id": "two", "fingerprint": "other", "source": "test"}))
    before = content_of(copy.store)
    with pytest.raises(ModelConflictError, match="'two' is here already with other weights"):
        copy.load(folder)
    assert content_of(copy.store) == before


def test_another_network_with_the_same_weights_stops_the_load_of_a_folder(
    tmp_path: Path, copy: KnowledgeBase
) -> None:
    model = {"id": "net", "fingerprint": "f", "source": "test"}
    with ckb.open(tmp_path / "from.ckb") as source:
        source.store.write(nodes("Model", model | {"computation": "torch1:a"}))
        source.export("parquet", tmp_path / "one")
    copy.store.write(nodes("Model", model | {"computation": "torch1:b"}))
    before = content_of(copy.store)
    with pytest.raises(ModelConflictError, match="as another network with the same weights"):
        copy.load(tmp_path / "one")
    assert content_of(copy.store) == before


def test_what_the_store_holds_besides_stays(folder: Path, copy: KnowledgeBase) -> None:
    copy.store.write(network())
    copy.load(folder)
    both = content([*ZOO, network()])
    assert content_of(copy.store) == both


def change_a_byte(folder: Path) -> None:
    path = folder / "relations/WEIGHT.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_short(folder: Path) -> None:
    path = folder / "kernels/one.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def lose_a_file(folder: Path) -> None:
    (folder / "nodes/Feature.parquet").unlink()


def name_a_file_outside(folder: Path) -> None:
    path = folder / "circuitkb.json"
    path.write_text(path.read_text("utf-8").replace("nodes/Feature", "../../Feature"), "utf-8")


def lead_out_of_the_folder(folder: Path) -> None:
    path = folder / "nodes/Feature.parquet"
    shutil.move(path, folder.parent / "outside.parquet")
    path.symlink_to(folder.parent / "outside.parquet")


def write_no_json(folder: Path) -> None:
    (folder / "circuitkb.json").write_text("{", "utf-8")


def nest_deeply(folder: Path) -> None:
    (folder / "circuitkb.json").write_text("[" * 200_000, "utf-8")


def lack_a_checksum(folder: Path) -> None:
    about = json.loads((folder / "circuitkb.json").read_text("utf-8"))
    del about["files"]["nodes/Model.parquet"]["sha256"]
    (folder / "circuitkb.json").write_text(json.dumps(about), "utf-8")


def hold_a_pipe(folder: Path) -> None:
    (folder / "nodes/Label.parquet").unlink()
    os.mkfifo(folder / "nodes/Label.parquet")
    about = json.loads((folder / "circuitkb.json").read_text("utf-8"))
    about["files"]["nodes/Label.parquet"]["bytes"] = 0
    (folder / "circuitkb.json").write_text(json.dumps(about), "utf-8")


def hold_no_parquet(folder: Path) -> None:
    (folder / "nodes/Label.parquet").write_bytes(b"text")
    reseal(folder, "nodes/Label.parquet")


def add_a_column(folder: Path) -> None:
    path = folder / "nodes/Label.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("colour", pa.nulls(table.num_rows)), path)
    reseal(folder, "nodes/Label.parquet")


def change_a_type(folder: Path) -> None:
    path = folder / "nodes/Feature.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("unit")
    pq.write_table(table.set_column(place, "unit", table["unit"].cast(pa.string())), path)
    reseal(folder, "nodes/Feature.parquet")


def lack_a_column(folder: Path) -> None:
    path = folder / "nodes/Feature.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["model"]), path)
    reseal(folder, "nodes/Feature.parquet")


def join_what_cannot_be_joined(folder: Path) -> None:
    path = folder / "relations/ABOUT.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("source_label")
    labels = pa.array(["Model"] * table.num_rows)
    pq.write_table(table.set_column(place, "source_label", labels), path)
    reseal(folder, "relations/ABOUT.parquet")


def end_nowhere(folder: Path) -> None:
    path = folder / "nodes/Evidence.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    reseal(folder, "nodes/Evidence.parquet")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (change_a_byte, "WEIGHT.parquet is not what was exported"),
        (cut_short, "one.safetensors is not what was exported"),
        (lose_a_file, "Feature.parquet cannot be read"),
        (name_a_file_outside, "has no place in the layout"),
        (lead_out_of_the_folder, "leads out of the folder"),
        (write_no_json, "circuitkb.json is no JSON"),
        (nest_deeply, "circuitkb.json is no JSON"),
        (lack_a_checksum, r"files.nodes/Model.parquet.sha256: Field required"),
        (hold_a_pipe, "Label.parquet is not what was exported"),
        (hold_no_parquet, "Label.parquet is no Parquet file"),
        (add_a_column, "has a column 'colour'"),
        (change_a_type, "unit holds string, not int64"),
        (lack_a_column, "lacks the column 'model'"),
        (join_what_cannot_be_joined, "ABOUT does not go from Model to Feature"),
        (end_nowhere, "no Evidence has the id"),
    ],
)
def test_a_folder_that_is_not_what_was_exported_is_refused_and_nothing_written(
    folder: Path,
    copy: KnowledgeBase,
    spoil: Callable[[Path], None],
    why: str,
) -> None:
    spoil(folder)
    with pytest.raises((SourceError, SchemaError), match=why) as caught:
        copy.load(folder)
    assert len(str(caught.value).splitlines()) == 1
    assert content_of(copy.store) == content([])


def test_a_folder_of_a_later_version_is_refused(folder: Path, copy: KnowledgeBase) -> None:
    path = folder / "circuitkb.json"
    path.write_text(path.read_text("utf-8").replace('"version": 1', '"version": 2'), "utf-8")
    with pytest.raises(StoreVersionError, match=r"version 2 .*written by circuitkb"):
        copy.load(folder)


def test_a_property_that_an_older_version_did_not_have_is_absent(
    folder: Path, copy: KnowledgeBase
) -> None:
    path = folder / "nodes/Feature.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["orientation"]), path)
    reseal(folder, "nodes/Feature.parquet")
    copy.load(folder)
    assert content_of(copy.store) == content(ZOO)


def test_what_is_no_exported_folder_is_told_apart(
    zoo: KnowledgeBase, folder: Path, tmp_path: Path
) -> None:
    zoo.export("neo4j-admin", tmp_path / "files")
    with pytest.raises(SourceError, match="export parquet"):
        zoo.load(tmp_path / "files")
    with pytest.raises(SourceError, match="--name"):
        zoo.load(folder, name="three")
    with pytest.raises(UnknownSourceError, match="circuitkb pull"):
        zoo.load(tmp_path / "zoo.ckb")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownSourceError, match="is a folder"):
        zoo.load(tmp_path / "empty")
