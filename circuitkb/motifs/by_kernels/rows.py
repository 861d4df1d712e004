"""Found unions as rows of the graph: circuits with their members, and the evidence for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from circuitkb.motifs.by_kernels.findings import Case, UnionCircuit, UnionFindings, UnionTest
from circuitkb.motifs.union import VERSION
from circuitkb.schema.ids import canonical_json, circuit_id, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

METHOD = "mirrored kernels among the strongest inputs"

TESTED = (
    "the cases' kernels into the unit are mirror images and not alike",
    "the cases are among the unit's strongest inputs by positive mass",
)
UNTESTED = (
    "each case answers to mirrored stimuli as the other does to plain ones",
    "the unit answers to either case alone",
    "the unit answers alike to mirrored stimuli",
)

Row = dict[str, Any]


class KnownCircuit(NamedTuple):
    """A published circuit: its id, its motif as published, and the ids of its members."""

    id: str
    motif: str
    members: frozenset[str]


def union_rows(
    findings: UnionFindings, *, known_circuits: Iterable[KnownCircuit] = ()
) -> GraphRows:
    """Return what a search found as rows of the graph.

    Each pair of cases is a ``Circuit`` of its own; ``group`` ties together those of one unit.
    One ``Evidence`` for each unit holds the count of matching pairs against its null, and
    SUPPORTS the unit's circuits. The edges from cases to unit are written whether or not the
    graph keeps them.

    Parameters
    ----------
    findings
        What :func:`~circuitkb.motifs.union.find_unions` returned.
    known_circuits
        Published circuits of the model. One that is published as a union and holds all members
        found at a unit is SUPPORTED too; one of another motif that holds them is named in the
        evidence's ``detail``, since kernels cannot tell which reading is right.

    Examples
    --------
    >>> from circuitkb.motifs.union import find_unions
    >>> union_rows(find_unions([], model="m")).counts()
    {}
    """
    known = list(known_circuits)
    circuits: dict[str, Row] = {}
    members: dict[tuple[str, str], Row] = {}
    evidence: list[Row] = []
    about: dict[str, list[Row]] = {"Feature": [], "Circuit": []}
    supports: list[Row] = []
    for test in findings.found:
        readings = _readings(test, known)
        row = _evidence(findings, test, readings)
        evidence.append(row)
        about["Feature"] += _about(row["id"], test)
        for circuit in test.circuits:
            key = _circuit_id(findings.model, test, circuit)
            circuits.setdefault(key, _circuit(key, findings.model, test, circuit))
            for member in _members(key, test, circuit):
                members.setdefault((member["source"], key), member)
            about["Circuit"].append({"source": row["id"], "target": key, "role": "circuit"})
            supports.append({"source": row["id"], "target": key})
        for circuit_known in (item for item in known if readings.get(item.id) == "union"):
            supports.append({"source": row["id"], "target": circuit_known.id})
    if not circuits:
        return GraphRows()
    return GraphRows(
        nodes={
            "Circuit": node_table("Circuit", rows_of(list(circuits.values()))),
            "Evidence": node_table("Evidence", rows_of(evidence)),
        },
        relations=[
            _relations("MEMBER_OF", "Feature", "Circuit", list(members.values())),
            _relations("ABOUT", "Evidence", "Feature", about["Feature"]),
            _relations("ABOUT", "Evidence", "Circuit", about["Circuit"]),
            _relations("SUPPORTS", "Evidence", "Circuit", supports),
            Relations("WEIGHT", "Feature", "Feature", findings.weights),
        ],
    )


def _relations(name: str, source: str, target: str, rows: list[Row]) -> Relations:
    return Relations(name, source, target, relation_table(name, rows_of(rows)))


def _cases(test: UnionTest) -> dict[str, Case]:
    return {case.feature: case for circuit in test.circuits for case in circuit.cases}


def _readings(test: UnionTest, known: Iterable[KnownCircuit]) -> dict[str, str]:
    """Return how published circuits that hold all members read them: as a union, or otherwise."""
    held = {test.target, *_cases(test)}
    return {
        circuit.id: "union" if "union" in circuit.motif else circuit.motif
        for circuit in known
        if held <= circuit.members
    }


def _circuit_id(model: str, test: UnionTest, circuit: UnionCircuit) -> str:
    members: list[tuple[str, str, int | None]] = [
        (case.feature, "case", case.side) for case in circuit.cases
    ]
    return circuit_id("union", model, [*members, (test.target, "union", None)])


def _circuit(key: str, model: str, test: UnionTest, circuit: UnionCircuit) -> Row:
    return {
        "id": key,
        "motif": "union",
        "model": model,
        "origin": "found",
        "score": circuit.mirrored,
        "group": f"union:{test.target}",
        "method": f"{METHOD}, version {VERSION}; score: correlation of one kernel's mirror image "
        "with the other",
    }


def _members(key: str, test: UnionTest, circuit: UnionCircuit) -> list[Row]:
    cases: list[Row] = [
        {
            "source": case.feature,
            "target": key,
            "role": "case",
            "side": case.side,
            "weight": case.weight,
        }
        for case in circuit.cases
    ]
    return [*cases, {"source": test.target, "target": key, "role": "union"}]


def _about(key: str, test: UnionTest) -> list[Row]:
    rows = [{"source": key, "target": case, "role": "case"} for case in _cases(test)]
    return [{"source": key, "target": test.target, "role": "union"}, *rows]


def _evidence(findings: UnionFindings, test: UnionTest, readings: Mapping[str, str]) -> Row:
    settings = findings.motif.settings()
    what = [METHOD, VERSION, settings, findings.seed, test.target, test.grid, test.hits]
    detail = {
        "settings": settings,
        "grid": list(test.grid),
        "inputs": test.inputs,
        "compared": test.strongest,
        "pairs": [_pair(circuit) for circuit in test.circuits],
        "parallel": {
            case.feature: dict(case.parallel) for case in _cases(test).values() if case.parallel
        },
        "nulls": [asdict(null) for null in test.nulls],
        "criteria": {"tested": TESTED, "untested": UNTESTED},
        "published_as": readings,
    }
    return {
        "id": f"mirrored-inputs-{content_hash(what)}",
        "kind": "mirrored-inputs",
        "stance": "supports",
        "value": float(test.hits),
        "null_mean": test.null.mean,
        "null_count": test.null.draws,
        "null_method": test.null.method,
        "p": test.p,
        "q": test.q,
        "tested": findings.tests,
        "method": METHOD,
        "version": VERSION,
        "seed": findings.seed,
        "detail": canonical_json(detail),
    }


def _pair(circuit: UnionCircuit) -> Row:
    one, other = circuit.cases
    return {
        "side_1": one.feature,
        "side_2": other.feature,
        "mirrored": round(circuit.mirrored, 4),
        "same": round(circuit.same, 4),
        "p": circuit.p,
        "q": circuit.q,
    }
