"""What a knowledge base says of what is to be tried: circuits, and their earlier trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from circuitkb.motifs.registry import MOTIFS
from circuitkb.schema.errors import IdError, NotFoundError, TrialError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.motifs.motif import Motif
    from circuitkb.trials.trial import OnTrial


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
        "RETURN c.id AS id, c.of AS of, c.model AS model, c.motif AS motif, "
        "COLLECT { MATCH (f:Feature)-[m:MEMBER_OF]->(c) "
        "RETURN {feature: f.id, role: m.role, side: m.side} AS member ORDER BY m.side, f.id } "
        "AS members",
        {"id": id},
    ).to_dicts()
    if not rows:
        raise NotFoundError(f"There is no circuit {id!r} here: circuitkb circuits lists them.")
    found = rows[0]
    motif = next((each for each in MOTIFS if found["motif"] in each.kinds), None)
    cases = [one["feature"] for one in found["members"] if one["side"] is not None]
    return {
        "id": id,
        "of": (found["of"] or [""])[0],
        "model": found["model"],
        "members": [(one["feature"], one["role"], one["side"]) for one in found["members"]],
        "targets": [one["feature"] for one in found["members"] if one["side"] is None],
        "cases": cases,
        "motif": motif,
    }


def target_of(circuit: Mapping[str, Any]) -> str:
    """Return the one target of a circuit, whose inputs are edited.

    Raises
    ------
    TrialError
        It has none, or several.
    """
    targets = circuit["targets"]
    if len(targets) != 1:
        raise TrialError(
            f"{circuit['id']} has more than one target: try one of its features, as in: circuitkb "
            f"trial {circuit['members'][0][0]} 'ablate'"
        )
    target: str = targets[0]
    return target


def own_engine(circuit: Mapping[str, Any]) -> tuple[str, OnTrial]:
    """Return what runs a circuit's own trial, and the circuit as that takes it.

    Raises
    ------
    TrialError
        Its motif has none, or it names no edges that could be taken away.
    """
    from circuitkb.trials.trial import on_trial

    motif: Motif | None = circuit["motif"]
    engine = next((way.trial for way in motif.searches if way.trial), None) if motif else None
    found = on_trial(motif, circuit["id"], circuit["members"]) if motif and engine else None
    if engine is None or found is None:
        about = circuit["id"] if len(circuit["targets"]) == 1 else circuit["members"][0][0]
        raise TrialError(
            f"{circuit['id']} has no trial of its own: say what to change, as in: circuitkb trial "
            f"{about} 'ablate'"
        )
    return engine, found


def own_trial(store: Store, circuit: Mapping[str, Any]) -> str | None:
    """Return the id of a circuit's own trial, if it was tried."""
    rows = store.read(
        "MATCH (t:Trial)-[:ABOUT]->(c:Circuit {id: $id}) WHERE t.kind = $kind "
        "RETURN t.id AS id ORDER BY t.created DESC, id LIMIT 1",
        {"id": circuit["id"], "kind": circuit["motif"].name if circuit["motif"] else ""},
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
