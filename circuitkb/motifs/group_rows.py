"""Found groups of units as rows of the graph: with their members, and the evidence for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from circuitkb.motifs.group_findings import FoundGroup, GroupFindings
from circuitkb.motifs.groups import Groups
from circuitkb.motifs.log import import_id
from circuitkb.motifs.rows import Earlier, KnownCircuit
from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

Row = dict[str, Any]


def group_rows(
    findings: GroupFindings,
    *,
    known_circuits: Iterable[KnownCircuit] | None = None,
    earlier: Mapping[str, Earlier] | None = None,
) -> GraphRows:
    """Return what a search for groups found as rows of the graph.

    Each group is a ``Circuit``, with one ``Evidence`` that has its statistic beside the null, is
    ABOUT its members, SUPPORTS it and is FROM the search. The edges between members are written
    whether or not the graph keeps them.

    Parameters
    ----------
    findings
        What a search returned.
    known_circuits
        Published circuits of the model, where the search compares with them: those that hold all
        members of a group are named in the evidence's ``detail``.
    earlier
        Of circuits that are in the graph already: what was found out about them.
    """
    if not findings.groups:
        return GraphRows()
    circuits: list[Row] = []
    evidence: list[Row] = []
    members: list[Row] = []
    about: dict[str, list[Row]] = {"Feature": [], "Circuit": []}
    for group, (key, _) in zip(findings.groups, findings.members(), strict=True):
        row = _evidence(findings, group, key, known_circuits)
        circuits.append(_circuit(findings, group, key, (earlier or {}).get(key, Earlier())))
        evidence.append(row)
        about["Circuit"].append({"source": row["id"], "target": key, "role": "circuit"})
        for member in group.members:
            about["Feature"].append(
                {"source": row["id"], "target": member.feature, "role": member.role}
            )
            members.append(
                {
                    "source": member.feature,
                    "target": key,
                    "role": member.role,
                    "side": member.side,
                    "weight": member.weight,
                    "facing": member.facing,
                }
            )
    supports = [{"source": row["source"], "target": row["target"]} for row in about["Circuit"]]
    log = import_id(findings.motif.name, findings.motif.of.name, findings.model)
    made = [{"source": row["id"], "target": log, "search": findings.search} for row in evidence]
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
            _relations("FROM", "Evidence", "Import", made),
            Relations("WEIGHT", "Feature", "Feature", findings.weights),
        ],
    )


def _relations(name: str, source: str, target: str, rows: list[Row]) -> Relations:
    return Relations(name, source, target, relation_table(name, rows_of(rows)))


def _circuit(findings: GroupFindings, group: FoundGroup, key: str, before: Earlier) -> Row:
    motif = findings.motif
    return {
        "id": key,
        "motif": motif.name,
        "model": findings.model,
        "origin": "found",
        "of": sorted(before.of | {motif.of.name}),
        "trial": before.trial,
        "trial_q": before.trial_q,
        "score": group.score,
        "stability": group.stability,
        "group": f"{motif.name}:{findings.model}/{group.ties}",
        "method": f"{motif.method}, version {motif.version}; score: {motif.words(motif.score)}",
    }


def _evidence(
    findings: GroupFindings, group: FoundGroup, key: str, known: Iterable[KnownCircuit] | None
) -> Row:
    motif, settings = findings.motif, findings.motif.settings()
    what: list[Any] = [motif.method, motif.version, settings, findings.battery, findings.seed, key]
    detail: Row = {
        "settings": settings,
        **group.figures,
        "members": [
            {name: value for name, value in _said(member) if value is not None}
            for member in group.members
        ],
        "criteria": motif.criteria(),
        "model": {name: round(value, 4) for name, value in findings.figures().items()},
    }
    if findings.battery is not None:
        detail["battery"] = findings.battery
    if known is not None:
        held = {member.feature for member in group.members}
        detail["published_as"] = {one.id: one.motif for one in known if held <= one.members}
    return {
        "id": f"{motif.evidence}-{content_hash([part for part in what if part is not None])}",
        "kind": motif.evidence,
        "stance": "supports",
        "of": motif.of.name,
        "value": group.value,
        "null_mean": group.null_mean,
        "null_count": group.null_count,
        "null_method": motif.null_method if isinstance(motif, Groups) else "",
        "p": group.p,
        "q": group.q,
        "tested": findings.tests,
        "method": motif.method,
        "version": motif.version,
        "seed": findings.seed,
        "detail": canonical_json(detail),
    }


def _said(member: Any) -> Iterable[tuple[str, Any]]:
    return (("feature", member.feature), ("role", member.role), ("side", member.side))
