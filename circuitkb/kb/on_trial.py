"""What a knowledge base says of what is to be tried: circuits, and their earlier trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from circuitkb.schema.errors import IdError, NotFoundError, TrialError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store


def circuit_on_trial(store: Store, id: str) -> dict[str, Any] | None:
    """Return what the graph says of a circuit that is to be tried; None for a feature."""
    try:
        FeatureId.parse(id)
    except IdError:
        pass
    else:
        return None
    rows = store.read(
        "MATCH (c:Circuit {id: $id}) "
        "RETURN c.id AS id, c.of AS of, COLLECT { MATCH (f:Feature)-[m:MEMBER_OF]->(c) "
        "RETURN {feature: f.id, role: m.role, side: m.side} AS member ORDER BY m.side, f.id } "
        "AS members",
        {"id": id},
    ).to_dicts()
    if not rows:
        raise NotFoundError(f"There is no circuit {id!r} here: circuitkb circuits lists them.")
    found = rows[0]
    cases = [one["feature"] for one in found["members"] if one["side"] is not None]
    targets = [one["feature"] for one in found["members"] if one["side"] is None]
    if len(targets) != 1:
        raise TrialError(f"{id} has {len(targets)} targets: try one of its features.")
    return {
        "id": id,
        "of": (found["of"] or [""])[0],
        "target": targets[0],
        "cases": cases,
        "search": next(one["role"] for one in found["members"] if one["side"] is None),
    }


def own_trial(store: Store, circuit: Mapping[str, Any]) -> str | None:
    """Return the id of a circuit's own trial, if it was tried."""
    rows = store.read(
        "MATCH (t:Trial)-[:ABOUT]->(c:Circuit {id: $id}) WHERE t.kind = $kind "
        "RETURN t.id AS id ORDER BY t.created DESC, id LIMIT 1",
        {"id": circuit["id"], "kind": circuit["search"]},
    ).rows
    return rows[0][0] if rows else None


def with_cases(edit: str, circuit: Mapping[str, Any] | None) -> str:
    """Put units in the place of ``case 1`` and ``case 2``."""
    for number, feature in enumerate(circuit["cases"] if circuit else (), start=1):
        edit = edit.replace(f"case {number}", feature)
    return edit


def whole_circuit(store: Store, circuit: str) -> dict[str, Any]:
    """Return all properties of a circuit, to be written again with how its trial ended."""
    from circuitkb.schema.definition import node_type

    properties = ", ".join(f"c.`{p.name}` AS `{p.name}`" for p in node_type("Circuit").properties)
    answer = store.read(f"MATCH (c:Circuit {{id: $id}}) RETURN {properties}", {"id": circuit})
    return answer.to_dicts()[0]


def details_of_edits(store: Store, model: str, fingerprint: str) -> list[dict[str, Any]]:
    """Return the details of earlier edits of the same weights."""
    rows = store.read(
        "MATCH (t:Trial {network: $model, kind: 'edit'}) RETURN t.detail AS detail ORDER BY t.id",
        {"model": model},
        limit=None,
    ).rows
    details = [json.loads(detail) for (detail,) in rows]
    return [detail for detail in details if detail.get("fingerprint") == fingerprint]
