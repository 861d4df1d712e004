"""A folder of Parquet: what other programs find in it, and that nothing is lost on the way back."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circuitkb.moving.files.loading import load_folder
from circuitkb.moving.files.parquet_folder import ROWS_IN_A_GROUP, write_parquet
from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.progress import silent
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema
from circuitkb.stores import open_store
from tests.moving.awkward import awkward, in_pieces, plain
from tests.stores.contents import content, content_of, network, together


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


class Taken:
    """Stands in for a store that takes rows and holds nothing yet."""

    def __init__(self) -> None:
        self.writes: list[GraphRows] = []

    def read(self, cypher: str, *_: object, **__: object) -> object:
        class Empty:
            rows = [] if "fingerprint" in cypher else [(0,)]

        return Empty

    def write(self, rows: GraphRows, *_: object) -> None:
        self.writes.append(rows)


def rows_back(folder: Path) -> GraphRows:
    store = Taken()
    load_folder(store, store.write, folder, silent)  # type: ignore[arg-type]
    (rows,) = store.writes
    return rows


def test_every_value_comes_back_bit_for_bit(folder: Path) -> None:
    rows = awkward(infinite=True)
    write_parquet(in_pieces(rows), folder)
    back = rows_back(folder)
    assert plain(back) == plain(rows)
    arrays, expected = content([back]), content([rows])
    assert arrays["kernels"] == expected["kernels"]
    assert arrays["responses"] == expected["responses"]
    assert arrays["pictures"] == expected["pictures"]


def test_a_store_that_loads_the_folder_is_the_one_that_was_exported(
    folder: Path, tmp_path: Path
) -> None:
    first, second = open_store(tmp_path / "one.ckb"), open_store(tmp_path / "two.ckb")
    first.write(awkward())
    write_parquet(first.export(), folder)
    load_folder(second, second.write, folder, silent)
    assert content_of(second) == content_of(first)
    first.close()
    second.close()


def test_the_same_rows_make_the_same_bytes_however_they_come_in_pieces(tmp_path: Path) -> None:
    found = []
    for size in (3, 1000):
        target = tmp_path / str(size)
        target.mkdir()
        write_parquet(in_pieces(awkward(), size), target)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        found.append({p.relative_to(target).as_posix(): p.read_bytes() for p in files})
    assert found[0] == found[1]


def test_duckdb_reads_relations_with_the_labels_that_they_join(folder: Path) -> None:
    rows = awkward()
    write_parquet([rows], folder)
    found = duckdb.sql(
        f"SELECT source_label, target_label, count(*) FROM '{folder}/relations/ABOUT.parquet' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    expected = sorted(
        (r.source_label, r.target_label, r.table.num_rows)
        for r in rows.relations
        if r.name == "ABOUT"
    )
    assert found == expected


def test_duckdb_joins_weights_with_their_features(folder: Path) -> None:
    write_parquet([network()], folder)
    found = duckdb.sql(
        f"SELECT f.unit, sum(w.sum) FROM '{folder}/relations/WEIGHT.parquet' w "
        f"JOIN '{folder}/nodes/Feature.parquet' f ON w.target = f.id GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert found == [(0, 9.0), (1, 3.0), *((unit, -3.0) for unit in range(2, 6))]


def test_kinds_without_rows_have_a_file_with_their_columns(folder: Path) -> None:
    write_parquet([], folder)
    for node in NODES:
        schema = pq.read_schema(folder / f"nodes/{node.label}.parquet")
        assert schema.names == node_schema(node.label).names
    for relation in RELATIONS:
        names = pq.read_schema(folder / f"relations/{relation.name}.parquet").names
        assert set(names) == {*relation_schema(relation.name).names, "source_label", "target_label"}


def test_an_empty_knowledge_base_is_exported_and_loaded(folder: Path, tmp_path: Path) -> None:
    write_parquet([], folder)
    store = open_store(tmp_path / "zoo.ckb")
    report = load_folder(store, store.write, folder, silent)
    assert (report.created, report.models) == (False, {})
    store.close()


def test_rows_are_written_group_by_group_and_counted(folder: Path) -> None:
    count = ROWS_IN_A_GROUP + 5
    ends = {"source": ["a"] * count, "target": ["b"] * count}
    table = pa.table(ends, schema=relation_schema("IN_LAYER"))
    item = Relations("IN_LAYER", "Feature", "Layer", table)
    write_parquet([together(GraphRows(relations=[item]))], folder)
    file = pq.ParquetFile(folder / "relations/IN_LAYER.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [
        ROWS_IN_A_GROUP,
        5,
    ]
    about = json.loads((folder / "circuitkb.json").read_text("utf-8"))
    assert about["relations"]["IN_LAYER"] == count
    assert about["files"]["relations/IN_LAYER.parquet"]["rows"] == count
