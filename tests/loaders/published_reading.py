"""Reading the rows of published circuits, for the tests of their loader."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from circuitkb.schema.tables import GraphRows

SOURCE = "published:inceptionv1"
M = "inceptionv1/"


def resource(name: str) -> str:
    place = files("circuitkb.loaders.published").joinpath("resources", "inceptionv1", name)
    return place.read_text(encoding="utf-8")


def nodes(rows: GraphRows, label: str) -> list[dict[str, Any]]:
    return rows.nodes[label].to_pylist()


def relations(rows: GraphRows, name: str, target: str | None = None) -> list[dict[str, Any]]:
    return [
        row
        for item in rows.relations
        if item.name == name and target in (None, item.target_label)
        for row in item.table.to_pylist()
    ]


def weights(rows: GraphRows, source: str, target: str) -> list[dict[str, Any]]:
    ends = M + source, M + target
    return [w for w in relations(rows, "WEIGHT") if (w["source"], w["target"]) == ends]


def evidence(rows: GraphRows, kind: str) -> list[dict[str, Any]]:
    return [
        row | {"detail": json.loads(row["detail"])}
        for row in nodes(rows, "Evidence")
        if row["kind"] == kind
    ]
