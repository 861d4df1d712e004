"""Circuits found by measured answers as rows of the graph, with evidence and both controls."""

from __future__ import annotations

from typing import Any

from circuitkb.motifs.by_responses.find import VERSION
from circuitkb.motifs.by_responses.findings import (
    MeasuredCircuit,
    MeasuredFindings,
    MeasuredUnit,
    RelatedPair,
)
from circuitkb.motifs.motif import Between, PairMotif
from circuitkb.schema.ids import canonical_json, circuit_id, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

METHOD = "mirrored responses among the strongest inputs"

NULL_METHOD = (
    "p, null_mean and null_count: permutations of the unit's own weights among its inputs of each "
    "layer; q: target-decoy over all hits of the model, the larger of permuted weights and of "
    "matched unrelated pairs, for the unit's best pair"
)

SHUFFLED = "best partners of the same layers in the network with shuffled weights"

Row = dict[str, Any]


def measured_rows(findings: MeasuredFindings) -> GraphRows:
    """Return what a search by responses found as rows of the graph.

    Each pair at a target is a ``Circuit``; ``group`` ties together those of one target. One
    ``Evidence`` for each target holds the count of hits against its null, and SUPPORTS the
    target's circuits. The pairs are joined by ``TRANSFORMS_TO``, both ways. The edges between the
    members are written whether or not the graph keeps them, with ``strength``: the sum of the
    kernel times the standard deviation of the source's answers to the whole battery, which is
    what the target gains when the source rises by one standard deviation everywhere.

    Parameters
    ----------
    findings
        What :func:`~circuitkb.motifs.by_responses.find.find_by_responses` returned.
    """
    if not findings.found:
        return GraphRows()
    circuits: list[Row] = []
    members: list[Row] = []
    evidence: list[Row] = []
    about: dict[str, list[Row]] = {"Feature": [], "Circuit": []}
    supports: list[Row] = []
    for unit in findings.found:
        row = _evidence(findings, unit)
        evidence.append(row)
        about["Feature"] += _about(row["id"], findings, unit)
        for circuit in unit.circuits:
            key = _circuit_id(findings, unit, circuit)
            circuits.append(_circuit(key, findings, unit, circuit))
            members += _members(key, findings, unit, circuit)
            about["Circuit"].append({"source": row["id"], "target": key, "role": "circuit"})
            supports.append({"source": row["id"], "target": key})
    related = [row for pair in findings.related for row in _transforms(findings, pair)]
    return GraphRows(
        nodes={
            "Circuit": node_table("Circuit", rows_of(circuits)),
            "Evidence": node_table("Evidence", rows_of(evidence)),
        },
        relations=[
            _relations("MEMBER_OF", "Feature", "Circuit", members),
            _relations("ABOUT", "Evidence", "Feature", about["Feature"]),
            _relations("ABOUT", "Evidence", "Circuit", about["Circuit"]),
            _relations("SUPPORTS", "Evidence", "Circuit", supports),
            _relations("TRANSFORMS_TO", "Feature", "Feature", related),
            Relations("WEIGHT", "Feature", "Feature", findings.weights),
        ],
    )


def _relations(name: str, source: str, target: str, rows: list[Row]) -> Relations:
    return Relations(name, source, target, relation_table(name, rows_of(rows)))


def _circuit_id(findings: MeasuredFindings, unit: MeasuredUnit, circuit: MeasuredCircuit) -> str:
    members: list[tuple[str, str, int | None]] = [
        (case.feature, case.role, case.side) for case in circuit.cases
    ]
    motif = findings.motif
    return circuit_id(motif.name, findings.model, [*members, (unit.target, motif.target, None)])


def _circuit(
    key: str, findings: MeasuredFindings, unit: MeasuredUnit, circuit: MeasuredCircuit
) -> Row:
    return {
        "id": key,
        "motif": findings.motif.name,
        "model": findings.model,
        "origin": "found",
        "score": circuit.turned,
        "group": f"{findings.motif.name}:{unit.target}",
        "method": f"{METHOD}, version {VERSION}; score: correlation of one input's answers to "
        f"transformed stimuli ({findings.motif.of.name}) with the other's",
    }


def _members(
    key: str, findings: MeasuredFindings, unit: MeasuredUnit, circuit: MeasuredCircuit
) -> list[Row]:
    cases: list[Row] = [
        {
            "source": case.feature,
            "target": key,
            "role": case.role,
            "side": case.side,
            "weight": case.weight,
        }
        for case in circuit.cases
    ]
    return [*cases, {"source": unit.target, "target": key, "role": findings.motif.target}]


def _about(key: str, findings: MeasuredFindings, unit: MeasuredUnit) -> list[Row]:
    cases = {(case.feature, case.role): None for circuit in unit.circuits for case in circuit.cases}
    rows: list[Row] = [{"source": key, "target": feature, "role": role} for feature, role in cases]
    return [{"source": key, "target": unit.target, "role": findings.motif.target}, *rows]


def _evidence(findings: MeasuredFindings, unit: MeasuredUnit) -> Row:
    settings = findings.motif.settings()
    what = [METHOD, VERSION, settings, findings.battery, findings.seed, unit.target, unit.hits]
    detail = {
        "settings": settings,
        "battery": findings.battery,
        "inputs": unit.inputs,
        "compared": unit.strongest,
        "invariance": round(unit.invariance, 4),
        "pairs": [_pair(circuit) for circuit in unit.circuits],
        "model": {name: round(value, 4) for name, value in findings.figures().items()},
        "criteria": {"tested": criteria(findings.motif), "untested": []},
    }
    return {
        "id": f"mirrored-responses-{content_hash(what)}",
        "kind": "mirrored-responses",
        "stance": "supports",
        "value": float(unit.hits),
        "null_mean": unit.null_mean,
        "null_count": unit.draws,
        "null_method": NULL_METHOD,
        "p": unit.p,
        "q": unit.q,
        "tested": findings.tested,
        "method": METHOD,
        "version": VERSION,
        "seed": findings.seed,
        "detail": canonical_json(detail),
    }


def _pair(circuit: MeasuredCircuit) -> Row:
    row: Row = {
        "mirrored": round(circuit.turned, 4),
        "same": round(circuit.same, 4),
        "score": round(circuit.score, 6),
        "q": circuit.q,
    }
    for case in circuit.cases:
        row |= {
            f"side_{case.side}": case.feature,
            f"rank_{case.side}": case.rank,
            f"z_{case.side}": round(case.answer, 4),
            f"spread_{case.side}": round(case.spread, 6),
        }
    return row


def criteria(motif: PairMotif) -> list[str]:
    """Return what a motif's circuits were tested for, in sentences.

    Examples
    --------
    >>> from circuitkb.motifs.union import Union
    >>> for sentence in criteria(Union().by_responses()):
    ...     print(sentence)
    corr(A on the images of the stimuli, B) is above 0.8
    corr(A, B) is below 0.5
    case: among the strongest inputs by positive mass times spread
    case: the target's mean z on what it answers to most is above 1
    corr(target on the images of the stimuli, target) is above 0.8
    """
    found = [
        f"corr(A on the images of the stimuli, B) is {_range(motif.turned)}",
        f"corr(A, B) is {_range(motif.same)}",
    ]
    for role in dict.fromkeys(motif.roles):
        mass = "positive" if role.sign == "excites" else "negative"
        found.append(f"{role.name}: among the strongest inputs by {mass} mass times spread")
        if role.answer != Between():
            what = "the target's mean z on what it answers to most"
            found.append(f"{role.name}: {what} is {_range(role.answer)}")
    if motif.invariance != Between():
        what = "corr(target on the images of the stimuli, target)"
        found.append(f"{what} is {_range(motif.invariance)}")
    return found


def _range(between: Between) -> str:
    low, high = between.ends()
    ends = [
        f"above {low:g}" if low is not None else "",
        f"below {high:g}" if high is not None else "",
    ]
    return " and ".join(filter(None, ends)) or "anything"


def _transforms(findings: MeasuredFindings, pair: RelatedPair) -> list[Row]:
    """Return a pair both ways: the transform is its own inverse."""
    of = findings.motif.of
    row: Row = {
        "group": of.group,
        "parameter": of.parameter,
        "score": pair.score,
        "same": pair.same,
        "null_mean": pair.null_mean,
        "p": pair.p,
        "q": pair.q,
        "method": f"correlation of responses after the nonlinearity to {findings.battery}, "
        f"version {VERSION}; null: {SHUFFLED}",
    }
    return [
        {"source": pair.one, "target": pair.other, **row},
        {"source": pair.other, "target": pair.one, **row},
    ]
