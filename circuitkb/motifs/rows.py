"""Found circuits as rows of the graph: with their members, and the evidence for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitkb.motifs.findings import Findings, FoundCircuit, FoundTarget, RelatedPair
from circuitkb.motifs.log import import_id
from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

if TYPE_CHECKING:
    from circuitkb.motifs.by_responses.tuning_shape import Tuning

SHUFFLED = "best partners of the same layers in the network with shuffled weights"

_DIGITS = {"score": 6, "z": 4, "spread": 6}
"""Places after the point that evidence keeps of a figure; all where it is not named."""

Row = dict[str, Any]


class KnownCircuit(NamedTuple):
    """A published circuit: its id, its motif as published, and the ids of its members."""

    id: str
    motif: str
    members: frozenset[str]


class Earlier(NamedTuple):
    """What earlier searches said of a circuit: transforms, shape, and how its trial ended."""

    of: frozenset[str] = frozenset()
    shape: str | None = None
    trial: str | None = None
    trial_q: float | None = None


def found_rows(
    findings: Findings,
    *,
    known_circuits: Iterable[KnownCircuit] | None = None,
    earlier: Mapping[str, Earlier] | None = None,
) -> GraphRows:
    """Return what a search found as rows of the graph.

    Each pair at a target is a ``Circuit``; ``group`` ties together those of one target. One
    ``Evidence`` for each target holds the count of hits against its null, SUPPORTS the target's
    circuits and is FROM the search. The edges between the members are written whether or not the
    graph keeps them; by responses with ``strength``: the sum of the kernel times the standard
    deviation of the source's responses to the whole battery, which is what the target gains when
    the source rises by one standard deviation everywhere. Pairs that the transform relates by
    responses are joined by ``TRANSFORMS_TO``, both ways.

    Parameters
    ----------
    findings
        What a search returned.
    known_circuits
        Published circuits of the model, where the search compares with them. One that is published
        as this motif and holds all members found at a target is SUPPORTED too; one of another motif
        that holds them is named in the evidence's ``detail``, since kernels cannot tell which
        reading is right.
    earlier
        Of circuits that are in the graph already: what was found out about them.

    Examples
    --------
    >>> from circuitkb.motifs.by_kernels.find import find_by_kernels
    >>> from circuitkb.motifs.union import Union
    >>> found_rows(find_by_kernels([], Union().by_kernels(), model="m")).counts()
    {}
    """
    if not findings.found:
        return GraphRows()
    circuits: dict[str, Row] = {}
    members: dict[tuple[str, str], Row] = {}
    evidence: list[Row] = []
    about: dict[str, list[Row]] = {"Feature": [], "Circuit": []}
    supports: list[Row] = []
    for target in findings.found:
        readings = None if known_circuits is None else _readings(findings, target, known_circuits)
        row = _evidence(findings, target, readings)
        evidence.append(row)
        about["Feature"] += _about(row["id"], findings, target)
        for circuit in target.circuits:
            key, _ = findings.members_of(target, circuit)
            circuits.setdefault(key, _circuit(key, findings, target, circuit, (earlier or {})))
            for member in _members(key, findings, target, circuit):
                members.setdefault((member["source"], key), member)
            about["Circuit"].append({"source": row["id"], "target": key, "role": "circuit"})
            supports.append({"source": row["id"], "target": key})
        for known, motif in (readings or {}).items():
            if motif == findings.motif.name:
                supports.append({"source": row["id"], "target": known})
    log = import_id(findings.motif.name, findings.motif.of.name, findings.model)
    made = [{"source": row["id"], "target": log, "search": findings.search} for row in evidence]
    relations = [
        _relations("MEMBER_OF", "Feature", "Circuit", list(members.values())),
        _relations("ABOUT", "Evidence", "Feature", about["Feature"]),
        _relations("ABOUT", "Evidence", "Circuit", about["Circuit"]),
        _relations("SUPPORTS", "Evidence", "Circuit", supports),
        _relations("FROM", "Evidence", "Import", made),
        Relations("WEIGHT", "Feature", "Feature", findings.weights),
    ]
    related = [row for pair in findings.related or () for row in _transforms(findings, pair)]
    if related:
        relations.append(_relations("TRANSFORMS_TO", "Feature", "Feature", related))
    return GraphRows(
        nodes={
            "Circuit": node_table("Circuit", rows_of(list(circuits.values()))),
            "Evidence": node_table("Evidence", rows_of(evidence)),
        },
        relations=relations,
    )


def _relations(name: str, source: str, target: str, rows: list[Row]) -> Relations:
    return Relations(name, source, target, relation_table(name, rows_of(rows)))


def _readings(
    findings: Findings, target: FoundTarget, known: Iterable[KnownCircuit]
) -> dict[str, str]:
    """Return how published circuits that hold all members read them: as this motif, or else."""
    name = findings.motif.name
    held = {target.target, *target.cases}
    return {
        circuit.id: name if name in circuit.motif else circuit.motif
        for circuit in known
        if held <= circuit.members
    }


def _circuit(
    key: str,
    findings: Findings,
    target: FoundTarget,
    circuit: FoundCircuit,
    earlier: Mapping[str, Earlier],
) -> Row:
    motif = findings.motif
    pair, before = findings.pair(circuit), earlier.get(key, Earlier())
    # Kernels cannot tell a shape, and leave one that responses told.
    shape = circuit.shape or (before.shape if motif.by == "kernels" else None)
    return {
        "id": key,
        "motif": motif.called(shape),
        "shape": shape,
        "asymmetry": pair.asymmetry.name if pair and pair.asymmetry else None,
        "pair": " ".join(sorted(circuit.ends)) if pair else None,
        "pair_targets": pair.count.targets if pair else None,
        "pair_null": pair.count.null_mean if pair else None,
        "pair_p": pair.count.p if pair else None,
        "pair_q": pair.count.q if pair else None,
        "model": findings.model,
        "origin": "found",
        "of": sorted(before.of | {motif.of.name}),
        "trial": before.trial,
        "trial_q": before.trial_q,
        "score": circuit.corr_image,
        "stability": circuit.figures.get("stability"),
        "group": f"{motif.name}:{target.target}",
        "method": f"{motif.method}, version {motif.version}; score: {motif.words(motif.score)}",
    }


def _members(key: str, findings: Findings, target: FoundTarget, circuit: FoundCircuit) -> list[Row]:
    pair = findings.pair(circuit)
    cases: list[Row] = [
        {
            "source": case.feature,
            "target": key,
            "role": case.role,
            "side": case.side,
            "weight": case.weight,
            "facing": pair.facing(case.feature) if pair else None,
        }
        for case in circuit.cases
    ]
    return [*cases, {"source": target.target, "target": key, "role": findings.motif.target}]


def _about(key: str, findings: Findings, target: FoundTarget) -> list[Row]:
    cases = {(c.feature, c.role): None for circuit in target.circuits for c in circuit.cases}
    rows: list[Row] = [{"source": key, "target": feature, "role": role} for feature, role in cases]
    return [{"source": key, "target": target.target, "role": findings.motif.target}, *rows]


def _evidence(findings: Findings, target: FoundTarget, readings: Mapping[str, str] | None) -> Row:
    motif, settings = findings.motif, findings.motif.settings()
    what: list[Any] = [motif.method, motif.version, settings, findings.battery, findings.seed]
    what += [target.target, target.grid, target.hits]
    return {
        # What a way of testing has not (a battery, a grid) is no part of the id.
        "id": f"{motif.evidence}-{content_hash([part for part in what if part is not None])}",
        "kind": motif.evidence,
        "stance": "supports",
        "of": motif.of.name,
        "value": float(target.hits),
        "null_mean": target.null.mean,
        "null_count": target.null.draws,
        "null_method": target.null.method,
        "p": target.p,
        "q": target.q,
        "tested": findings.tests,
        "method": motif.method,
        "version": motif.version,
        "seed": findings.seed,
        "detail": canonical_json(_detail(findings, target, readings)),
    }


def _detail(findings: Findings, target: FoundTarget, readings: Mapping[str, str] | None) -> Row:
    detail = {
        "settings": findings.motif.settings(),
        "inputs": target.inputs,
        "compared": target.strongest,
        "pairs": [_pair(circuit, findings.pair(circuit)) for circuit in target.circuits],
        "criteria": findings.motif.criteria(),
    }
    if findings.battery is not None:
        detail["battery"] = findings.battery
        detail["model"] = {name: round(value, 4) for name, value in findings.figures().items()}
    if target.invariance is not None:
        detail["invariance"] = round(target.invariance, 4)
    if target.grid is not None:
        detail["grid"] = list(target.grid)
        detail["nulls"] = [asdict(null) for null in target.nulls]
        detail["parallel"] = {
            case.feature: dict(case.parallel) for case in target.cases.values() if case.parallel
        }
    if readings is not None:
        detail["published_as"] = readings
    return detail


def _pair(circuit: FoundCircuit, pair: RelatedPair | None) -> Row:
    row: Row = {
        "mirrored": round(circuit.corr_image, 4),
        "same": round(circuit.corr, 4),
        "q": circuit.q,
        **_rounded(circuit.figures),
    }
    if circuit.tuning is not None:
        row["tuning"] = _tuning(circuit.tuning)
    if pair is not None:
        row["pair"] = {
            **asdict(pair.count),
            "asymmetry": pair.asymmetry and pair.asymmetry.name,
            "over_shuffled": pair.asymmetry and round(pair.asymmetry.ratio, 3),
            "facing": [pair.facing(case.feature) for case in circuit.cases],
        }
    for case in circuit.cases:
        row[f"side_{case.side}"] = case.feature
        row |= {f"{name}_{case.side}": value for name, value in _rounded(case.figures).items()}
    return row


def _tuning(tuning: Tuning) -> Row:
    return {
        "shape": tuning.shape,
        "stimuli": tuning.family,
        "angles": list(tuning.angles),
        "cases": [round(value, 4) for value in tuning.cases],
        "midway": [round(value, 4) for value in tuning.midway],
        "error": round(tuning.error, 4),
    }


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {
        name: round(value, _DIGITS[name]) if name in _DIGITS else value
        for name, value in figures.items()
    }


def _transforms(findings: Findings, pair: RelatedPair) -> list[Row]:
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
        f"version {findings.motif.version}; null: {SHUFFLED}",
    }
    return [
        {"source": pair.one, "target": pair.other, **row},
        {"source": pair.other, "target": pair.one, **row},
    ]
