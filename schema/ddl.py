"""The definition of the graph, printed: as a table, as Cypher, as ArcadeDB SQL, as Mermaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from circuitkb.schema.definition import NODES, RELATIONS, Property, PropertyType

_ARCADE: dict[PropertyType, str] = {
    "string": "STRING",
    "integer": "LONG",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "strings": "LIST OF STRING",
}


def cypher_statements() -> list[str]:
    """Return the constraints and indexes for Neo4j 5, each safe to run again.

    Examples
    --------
    >>> cypher_statements()[0]
    'CREATE CONSTRAINT model_id IF NOT EXISTS FOR (n:Model) REQUIRE n.id IS UNIQUE'
    """
    statements = []
    for node in NODES:
        name = node.label.lower()
        statements.append(
            f"CREATE CONSTRAINT {name}_id IF NOT EXISTS FOR (n:{node.label}) REQUIRE n.id IS UNIQUE"
        )
        statements += [
            f"CREATE INDEX {name}_{p.name} IF NOT EXISTS FOR (n:{node.label}) ON (n.{p.name})"
            for p in node.properties
            if p.indexed and p.name != "id"
        ]
    return statements


def arcade_statements() -> list[str]:
    """Return the SQL that declares the types, properties and indexes in ArcadeDB.

    Examples
    --------
    >>> arcade_statements()[:2]
    ['CREATE VERTEX TYPE `Model` IF NOT EXISTS', 'CREATE PROPERTY `Model`.`id` IF NOT EXISTS STRING']
    """  # noqa: E501

    def declare(owner: str, properties: tuple[Property, ...]) -> Iterator[str]:
        for p in properties:
            yield f"CREATE PROPERTY `{owner}`.`{p.name}` IF NOT EXISTS {_ARCADE[p.type]}"

    statements = []
    for node in NODES:
        statements.append(f"CREATE VERTEX TYPE `{node.label}` IF NOT EXISTS")
        statements += declare(node.label, node.properties)
        for p in node.properties:
            if p.indexed:
                unique = "UNIQUE" if p.name == "id" else "NOTUNIQUE"
                statements.append(
                    f"CREATE INDEX IF NOT EXISTS ON `{node.label}` (`{p.name}`) {unique}"
                )
    for relation in RELATIONS:
        statements.append(f"CREATE EDGE TYPE `{relation.name}` IF NOT EXISTS")
        statements += declare(relation.name, relation.properties)
    return statements


def mermaid() -> str:
    """Return an entity-relationship diagram of the graph in Mermaid.

    Examples
    --------
    >>> print(mermaid().splitlines()[0])
    erDiagram
    """
    lines = ["erDiagram"]
    for node in NODES:
        lines.append(f"    {node.label} {{")
        lines += [
            f'        {p.type} {p.name}{" PK" if p.name == "id" else ""} "{p.description}"'
            for p in node.properties
        ]
        lines.append("    }")
    for relation in RELATIONS:
        lines += [
            f"    {source} }}o--o{{ {target} : {relation.name}"
            for source, target in relation.endpoints
        ]
    return "\n".join(lines)


def table_rows() -> list[dict[str, Any]]:
    """Return one row for each property: of, ends, property, type, description.

    Examples
    --------
    >>> table_rows()[0]["of"], table_rows()[0]["property"]
    ('Model', 'id')
    """
    rows: list[dict[str, Any]] = []
    for node in NODES:
        rows += [_row(node.label, "", p) for p in node.properties]
    for relation in RELATIONS:
        ends = ", ".join(f"{source} -> {target}" for source, target in relation.endpoints)
        rows += [_row(relation.name, ends, p) for p in relation.properties]
        if not relation.properties:
            rows.append(
                {
                    "of": relation.name,
                    "ends": ends,
                    "property": "",
                    "type": "",
                    "description": relation.description,
                }
            )
    return rows


def _row(owner: str, ends: str, p: Property) -> dict[str, Any]:
    return {
        "of": owner,
        "ends": ends,
        "property": p.name,
        "type": p.type,
        "description": p.description,
    }
