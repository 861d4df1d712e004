"""Rows that use every label, relation and property of the schema, with values that get lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from typing import Any

from circuitkb.schema.definition import NODES, RELATIONS, Property
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table
from tests.stores.contents import TEXTS, connection, pictures, responses

Rows = dict[tuple[str, ...], list[dict[str, Any]]]

COUNT = 40
"""Nodes of each label: enough for every awkward value to stand in every property."""

VALUES: dict[str, Sequence[Any]] = {
    "string": [
        *TEXTS,
        " ",
        "  leading and trailing  ",
        '"',
        '""',
        '"quoted"',
        'trailing"',
        "\\",
        'a\\"b',
        "\n",
        "\r",
        "carriage\rreturn\r\nand line\n",
        "\x00",
        "\x1f\x7f",
        "comma, semicolon; tab\t",
        "null",
        "NaN",
        "-1",
        "=1+1",
        "\ufeffmark",
        "\u2028\u2029\x85\x0b\x0c",
        "\ud7ff\ue000\uffff\U0010ffff",
        "\\u0041",
        "a|b",
    ],
    "integer": [0, -1, 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)],
    "float": [
        0.0,
        -1e-9,
        5e-324,
        -2.2250738585072014e-308,
        1.7976931348623157e308,
        0.1,
        1 / 3,
        1e22,
        1e-7,
        123456789.12345679,
        float(2**53 + 2),
    ],
    "boolean": [True, False],
    "strings": [
        [],
        [""],
        ["", ""],
        ["a"],
        ["a", ""],
        ["", "a"],
        ['q"q', "x,y", "l\nm", "\r"],
        ["\x00", " "],
        ["unit\x1fseparator"],
        ["\\", "\\u0041", "\\\\"],
        ["Ünïcödé 🧠", "\u2028"],
        [";", "|"],
    ],
}
"""Null is added to each, where it may stand."""


def values(item: Property, count: int, start: int) -> list[Any]:
    """Return ``count`` values of a property; another ``start`` begins elsewhere in the list."""
    known = [*VALUES[item.type], *([] if item.required else [None])]
    if item.indexed and item.type == "string":
        known = [value for value in known if len(value or "") < 8_000]
    return list(islice(cycle(known), start % len(known), start % len(known) + count))


def awkward(*, infinite: bool = False) -> GraphRows:
    """Return rows of everything, and arrays of two models.

    Parameters
    ----------
    infinite
        Whether numbers may be infinite, which the embedded store does not hold.
    """
    nodes = {}
    for node in NODES:
        columns: dict[str, list[Any]] = {"id": _ids(node.label)}
        for place, item in enumerate(node.properties[1:]):
            columns[item.name] = values(item, COUNT, place)
        if "model" in columns:
            columns["model"] = ["net" if i % 2 else "other" for i in range(COUNT)]
        if infinite and "p" in columns:
            columns["p"][:2] = [float("inf"), float("-inf")]
        nodes[node.label] = node_table(node.label, columns)
    relations = []
    for relation in RELATIONS:
        for source, target in relation.endpoints:
            count = COUNT
            columns = {
                "source": _ids(source),
                "target": [*_ids(target)[3:], *_ids(target)[:3]],
            }
            for place, item in enumerate(relation.properties):
                columns[item.name] = values(item, count, place)
            table = relation_table(relation.name, columns)
            relations.append(Relations(relation.name, source, target, table))
    return GraphRows(
        nodes=nodes,
        relations=relations,
        kernels={"net": [connection("c"), connection("d", seed=1)], "other": []},
        responses={"net": responses(), "other": responses(3)},
        pictures={key: pictures(key) for key in ("net/dogs", "net/a/b:1", "other/dogs")},
    )


def _ids(label: str) -> list[str]:
    """Return ids, among them some that are easily mistaken; models are named as models are."""
    plain = [f"{label.lower()}-{number}" for number in range(COUNT)]
    if label == "Model":
        return ["net", "other", *plain[2:]]
    awkward = [
        "Ünïcödé 🧠/a:0",
        'q"uote',
        "comma,a",
        "line\nbreak",
        " blank ",
        "nul\x00",
        "\\u0041",
    ]
    return [*awkward, *plain[len(awkward) :]]


def in_pieces(rows: GraphRows, size: int = 7) -> Iterable[GraphRows]:
    """Cut rows into many pieces, nodes before relations before arrays, as a store exports them."""
    for label, table in rows.nodes.items():
        for start in range(0, table.num_rows, size):
            yield GraphRows(nodes={label: table.slice(start, size)})
    for item in rows.relations:
        for start in range(0, item.table.num_rows, size):
            part = item.table.slice(start, size)
            yield GraphRows(
                relations=[Relations(item.name, item.source_label, item.target_label, part)]
            )
    for model, connections in rows.kernels.items():
        yield GraphRows(kernels={model: connections})
    for model, answers in rows.responses.items():
        yield GraphRows(responses={model: answers})
    for key, batch in rows.pictures.items():
        yield GraphRows(pictures={key: batch})


def plain(rows: GraphRows) -> dict[tuple[str, ...], list[str]]:
    """Return all rows by kind, in order, as text that tells -0.0 from 0.0 and 1 from 1.0."""
    found: dict[tuple[str, ...], list[str]] = {}
    for label, table in rows.nodes.items():
        found.setdefault((label,), []).extend(map(told, table.to_pylist()))
    for item in rows.relations:
        kind = (item.name, item.source_label, item.target_label)
        found.setdefault(kind, []).extend(map(told, item.table.to_pylist()))
    return {kind: sorted(records) for kind, records in found.items()}


def told(record: dict[str, Any]) -> str:
    """Return a record as text, without what is null."""
    return repr(sorted((name, value) for name, value in record.items() if value is not None))
