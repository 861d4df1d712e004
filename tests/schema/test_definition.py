"""One definition: tables, statements and diagrams follow it."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from circuitkb.schema import ddl
from circuitkb.schema.definition import NODES, RELATIONS, node_type, relation_type
from circuitkb.schema.errors import SchemaError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import (
    GraphRows,
    Relations,
    node_schema,
    node_table,
    relation_schema,
    relation_table,
    rows_of,
)


def test_every_node_has_an_id_first_and_property_names_are_unique() -> None:
    for node in NODES:
        names = [p.name for p in node.properties]
        assert names[0] == "id"
        assert len(set(names)) == len(names)
        assert node_schema(node.label).names == names


def test_every_relation_joins_known_labels_and_its_key_is_among_its_properties() -> None:
    labels = {node.label for node in NODES}
    for relation in RELATIONS:
        assert {end for pair in relation.endpoints for end in pair} <= labels
        assert set(relation.key) <= {p.name for p in relation.properties}
        assert relation_schema(relation.name).names[:2] == ["source", "target"]


def test_all_printed_forms_name_every_label_relation_and_property() -> None:
    arcade = "\n".join(ddl.arcade_statements())
    diagram = ddl.mermaid()
    rows = {(row["of"], row["property"]) for row in ddl.table_rows()}
    for item in (*NODES, *RELATIONS):
        owner = item.label if hasattr(item, "label") else item.name
        assert f"`{owner}`" in arcade
        assert owner in diagram
        for p in item.properties:
            assert f"`{owner}`.`{p.name}`" in arcade
            assert (owner, p.name) in rows
    unique = [s for s in ddl.cypher_statements() if "IS UNIQUE" in s]
    assert len(unique) == len(NODES)


@pytest.mark.parametrize("label", ["feature", "Featur", "Neuron", ""])
def test_an_unknown_label_is_refused_with_what_is_known(label: str) -> None:
    with pytest.raises(SchemaError, match="is not a node label"):
        node_type(label)


def test_an_unknown_relation_or_property_is_refused() -> None:
    with pytest.raises(SchemaError, match="Did you mean 'WEIGHT'"):
        relation_type("WEIGHTS")
    with pytest.raises(SchemaError, match="Did you mean 'positive'"):
        relation_type("WEIGHT").property("positiv")
    with pytest.raises(SchemaError, match="no property 'colour'"):
        node_table("Feature", {"id": ["m/l:0"], "colour": ["red"]})


def test_rows_that_break_the_schema_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"Layer\.position is required"):
        node_table("Layer", {"id": ["m/l"], "model": ["m"], "name": ["l"], "channels": [1]})
    with pytest.raises(SchemaError, match=r"Import\.seconds"):
        node_table("Import", {"id": ["i"], "kind": ["load"], "seconds": ["long"]})
    with pytest.raises(SchemaError, match="differ in length"):
        relation_table("BY", {"source": ["a", "b"], "target": ["c"]})
    with pytest.raises(SchemaError, match="BY does not go from Feature to Annotator"):
        Relations("BY", "Feature", "Annotator", relation_table("BY", {"source": [], "target": []}))


def test_not_a_number_counts_as_absent() -> None:
    rows = {"source": ["a"], "target": ["b"], "positive_dx": [float("nan")], "connection": ["c"]}
    assert relation_table("WEIGHT", rows)["positive_dx"].null_count == 1


def test_counts_add_up_over_tables_of_one_relation() -> None:
    one = relation_table("SUPPORTS", {"source": ["e"], "target": ["c"]})
    rows = GraphRows(
        {"Claim": node_table("Claim", rows_of([{"id": "c", "text": "t"}]))},
        [
            Relations("SUPPORTS", "Evidence", "Claim", one),
            Relations("SUPPORTS", "Evidence", "Circuit", one),
        ],
    )
    assert rows.counts() == {"Claim": 1, "SUPPORTS": 2}


def test_a_connection_whose_arrays_do_not_fit_is_refused() -> None:
    units = np.zeros((1, 2), np.int32)
    with pytest.raises(SchemaError, match="Connection 'c0'"):
        Connection("c0", "a", "b", "direct", units, units, np.zeros((1, 2, 3, 1, 1), np.float32))


def test_the_annotation_schema_is_itself_valid() -> None:
    text = resources.files("circuitkb.schema").joinpath("resources/annotation.schema.json")
    Draft202012Validator.check_schema(json.loads(text.read_text(encoding="utf-8")))


def test_lists_of_strings_and_nulls_fit_their_columns() -> None:
    table = node_table(
        "Model", {"id": ["m"], "fingerprint": ["0"], "source": ["s"], "not_composed": [["a", "b"]]}
    )
    assert table.schema.field("not_composed").type == pa.list_(pa.string())
    assert table["edges"].null_count == 1
