"""Proofs that claims predict: what a bundle takes along, and what one brings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuitkb.claims.reading import PROOFS, Line
from circuitkb.schema.errors import ClaimError, ProofError
from circuitkb.schema.tables import (
    GraphRows,
    Relations,
    node_schema,
    node_table,
    relation_table,
    rows_of,
)
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.proofs.proof import Proof

_MEASURED = {"proved": 1.0, "refuted": 0.0}
"""What a trial measured, by how the proof that it names ended."""

_PROOFS = """\
UNWIND $ids AS id MATCH (p:Proof {id: id}) RETURN properties(p) AS proof ORDER BY p.id"""

_OWN = "MATCH (m:Model {fingerprint: $fingerprint, id: $model}) RETURN m.id AS id"

_FEATURES = "UNWIND $ids AS id MATCH (f:Feature {id: id}) RETURN f.id AS id"

_CIRCUITS = "UNWIND $ids AS id MATCH (c:Circuit {id: id}) RETURN c.id AS id"


def proof_of(trial: Mapping[str, Any]) -> str | None:
    """Return the id of the proof that the row of a trial names, if it names one.

    Examples
    --------
    >>> proof_of({"detail": '{"proof": "proof-1"}'}), proof_of({"detail": "{}"})
    ('proof-1', None)
    """
    found = json.loads(trial["detail"]).get("proof")
    return found if isinstance(found, str) else None


def proofs_of(store: Store, trials: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the proofs that trials name, as rows of the graph, by id."""
    ids = sorted({id for trial in trials if (id := proof_of(trial)) is not None})
    if not ids:
        return []
    rows = store.read(_PROOFS, {"ids": ids}, limit=None).to_dicts()
    return [dict(row["proof"]) for row in rows]


def speaking(ends: Iterable[tuple[str, str, str]]) -> list[Relations]:
    """Return that proofs are ABOUT claims, and speak for or against them.

    Parameters
    ----------
    ends
        Id of the proof, id of the claim, and the outcome of the trial that names the proof.
    """
    ends = list(dict.fromkeys(ends))
    found = []
    if ends:
        rows = [{"source": one[0], "target": one[1], "role": "claim"} for one in ends]
        found.append(Relations("ABOUT", "Proof", "Claim", relation_table("ABOUT", rows_of(rows))))
    for outcome, name in (("held", "SUPPORTS"), ("failed", "REFUTES")):
        rows = [{"source": one[0], "target": one[1]} for one in ends if one[2] == outcome]
        if rows:
            found.append(Relations(name, "Proof", "Claim", relation_table(name, rows_of(rows))))
    return found


def carried_proofs(
    store: Store,
    proofs: Sequence[Mapping[str, Any]],
    trials: Sequence[Mapping[str, Any]],
    lines: Sequence[Line],
) -> GraphRows:
    """Return the proofs that a bundle brings, each of a claim in it, as it stands there.

    They are ABOUT their features and their circuit where the weights that they are of are here.

    Raises
    ------
    ClaimError
        One is damaged, is of another statement than its claim predicts, or ended otherwise than
        its trial says.
    """
    if not proofs:
        return GraphRows()
    from circuitkb.proofs.proof import Proof

    said = {line.record["id"]: line.record for line in lines}
    named: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        if (id := proof_of(trial)) is not None:
            named.setdefault(id, []).append(trial)
    known = set(node_schema("Proof").names)
    rows, made, ends = {}, [], []
    for row in proofs:
        id = str(row.get("id"))[:60]
        try:
            if set(row) - known:
                raise ProofError("unknown properties")
            proof = Proof.of_row({**dict.fromkeys(known), **row})
            right = proof.id == row["id"] and _whole(proof)
        except (ProofError, KeyError, TypeError, ValueError):
            right = False
        if not right:
            raise ClaimError(f"{PROOFS}: {id} is damaged. Nothing was written.")
        of = named.get(id, [])
        claims = [said.get(json.loads(trial["detail"])["settings"]["claim"]) for trial in of]
        if not of or not all(map(_agrees, of, claims, [proof] * len(of))):
            raise ClaimError(
                f"{PROOFS}: {id} is not what its claim predicts here. Nothing was written."
            )
        rows[id] = dict(row)
        made.append(proof)
        ends += [
            (id, claim["id"], str(trial.get("outcome")))
            for trial, claim in zip(of, claims, strict=True)
            if claim is not None
        ]
    nodes = {"Proof": node_table("Proof", rows_of(list(rows.values())))}
    return GraphRows(nodes=nodes, relations=[*speaking(ends), *_about(store, made)])


def _whole(proof: Proof) -> bool:
    """Tell whether a proof ended somehow, and its counterexample can be read."""
    from circuitkb.proofs.proof import unpacked

    if proof.witness is not None and "values" in proof.witness:
        unpacked(proof.witness)
    return proof.outcome in ("proved", "refuted", "undecided", "vacuous")


def _agrees(trial: Mapping[str, Any], claim: Mapping[str, Any] | None, proof: Proof) -> bool:
    """Tell whether a proof is what a claim predicts, and ended as the trial that names it says."""
    from circuitkb.proofs.box import Box
    from circuitkb.proofs.statement import WHEN, Statement

    prediction = (claim or {}).get("prediction", {})
    if prediction.get("test") != "proof":
        return False
    weights = json.loads(trial["detail"])["settings"]["conditions"]["weights"]
    try:
        box = Box.parse(prediction.get("box", "range"), prediction.get("within", ()))
        asked = Statement.parse(
            prediction.get("when") or WHEN, prediction["then"], len(proof.cases)
        )
    except ProofError:
        return False
    ended = _MEASURED.get(proof.outcome)
    return (
        prediction["tried"] == (proof.circuit or proof.target)
        and weights.get(proof.model) == proof.fingerprint
        and str(box) == proof.box
        and str(asked) == proof.asked
        # One that was decided again with other time may have ended, or not, since.
        and (ended is None or trial.get("measured") in (ended, 0.5))
    )


def _about(store: Store, proofs: Sequence[Proof]) -> list[Relations]:
    """Return what proofs are about, as far as it is here with the weights that they are of."""
    from circuitkb.proofs.proof import proof_rows

    own = [
        proof
        for proof in proofs
        if store.read(_OWN, {"fingerprint": proof.fingerprint, "model": proof.model}).rows
    ]
    here = {
        "Feature": _here(store, _FEATURES, {id for one in own for id in (one.target, *one.cases)}),
        "Circuit": _here(store, _CIRCUITS, {one.circuit for one in own if one.circuit}),
    }
    found = []
    for one in proof_rows(own).relations if own else ():
        ends = one.source_label, one.target_label
        rows = [row for row in one.table.to_pylist() if row["target"] in here[one.target_label]]
        if rows:
            found.append(Relations(one.name, *ends, relation_table(one.name, rows_of(rows))))
    return found


def _here(store: Store, text: str, ids: set[str]) -> set[str]:
    if not ids:
        return set()
    return {id for (id,) in store.read(text, {"ids": sorted(ids)}, limit=None).rows}
