"""What the last search for a motif found in a model, read from its evidence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from circuitkb.motifs.motif import Motif, Pairs
from circuitkb.motifs.transforms import mirror
from circuitkb.report.record import Record, Row, Step

RATE = 0.05
"""Share of false ones among the analogous circuits, and pairs beyond chance, that are named."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Circuit:
    """A target with one pair of cases: what the evidence of the target says of it."""

    target: str
    layer: str
    invariance: float
    pair: Mapping[str, Any]

    @property
    def cases(self) -> Pair:
        """The cases of side 1 and of side 2."""
        return self.pair["side_1"], self.pair["side_2"]

    @property
    def unordered(self) -> Pair:
        """The same pair, whichever side each case stands on."""
        one, other = sorted(self.cases)
        return one, other

    @property
    def shape(self) -> str | None:
        """The shape of the target's tuning; None where it was not tested."""
        shape: str | None = self.pair.get("tuning", {}).get("shape")
        return shape

    @property
    def clearness(self) -> tuple[Any, ...]:
        """What sorts the clearest circuits first."""
        pair = self.pair
        return pair["q"], pair["score"], -pair["mirrored"], self.target, self.cases


@dataclass(frozen=True, eq=False)
class Searched:
    """The last search for a motif in a model, in one way, and what it found.

    Attributes
    ----------
    record, motif, way
        What the report reads; what was searched for, and how.
    step
        The search's Import.
    evidence
        Of the targets that it found, in order of their layers.
    earlier
        Circuits of other searches for the same thing that the graph still holds.
    """

    record: Record
    motif: Motif
    way: Pairs
    step: Step
    evidence: Sequence[Row]
    earlier: int

    @classmethod
    def of(cls, record: Record, motif: Motif, way: Pairs, step: Step) -> Searched:
        """Return what the search of a step found."""
        rows = record.ask(
            "MATCH (e:Evidence {kind: $kind})-[:ABOUT {role: $role}]->(u:Feature {model: $model})"
            "-[:IN_LAYER]->(y:Layer) OPTIONAL MATCH (e)-[made:FROM]->(:Import) "
            "RETURN u.id AS target, u.layer AS layer, e.value AS hits, e.null_mean AS null_mean, "
            "e.p AS p, e.q AS q, e.seed AS seed, e.detail AS detail, made.search AS search "
            "ORDER BY y.position, u.unit, e.id",
            kind=way.evidence,
            role=motif.target,
            model=step.model,
        )
        parsed = [row | {"detail": json.loads(row["detail"])} for row in rows]
        same = [row for row in parsed if row["detail"]["settings"]["of"] == step.summary["of"]]
        last = [row for row in same if _made_by(step, row)]
        held, found = ({(c.target, *c.cases) for c in _circuits(rows)} for rows in (same, last))
        return cls(record, motif, way, step, last, len(held - found))

    @cached_property
    def circuits(self) -> Sequence[Circuit]:
        """What it found, in order of the targets' layers."""
        return _circuits(self.evidence)

    @property
    def figures(self) -> Mapping[str, float]:
        """Hits of the whole model, and what its controls give."""
        figures: Mapping[str, float] = self.step.summary["null"]
        return figures

    @property
    def targets(self) -> set[str]:
        """The targets found."""
        return {row["target"] for row in self.evidence}

    @cached_property
    def pairs(self) -> Counter[Pair]:
        """Distinct pairs of cases, with the number of targets of each."""
        return Counter(circuit.unordered for circuit in self.circuits)

    @cached_property
    def by_pair(self) -> dict[Pair, list[Circuit]]:
        """The circuits of each pair whose targets were counted together, clearest pair first."""
        found: dict[Pair, list[Circuit]] = {}
        for circuit in sorted(self.circuits, key=lambda one: one.clearness):
            if "pair" in circuit.pair:
                found.setdefault(circuit.unordered, []).append(circuit)
        return dict(
            sorted(found.items(), key=lambda item: (item[1][0].pair["pair"]["q"], -len(item[1])))
        )

    @property
    def fdr(self) -> float | None:
        """The largest q; unknown where nothing was found."""
        return self.evidence[0]["detail"]["settings"]["fdr"] if self.evidence else None

    @cached_property
    def related(self) -> Mapping[Pair, float]:
        """Of each distinct pair of cases: q against shuffled networks."""
        of = self.step.summary["of"]
        relation = self.motif.of if of == self.motif.of.name else mirror(of.removeprefix("mirror "))
        rows = self.record.ask(
            "MATCH (a:Feature {model: $model})-[r:TRANSFORMS_TO]->(b:Feature) WHERE a.id < b.id "
            "AND r.`group` = $group AND r.parameter = $parameter "
            "RETURN a.id AS one, b.id AS other, r.q AS q ORDER BY one, other",
            model=self.step.model,
            group=relation.group,
            parameter=relation.parameter,
        )
        known = {(row["one"], row["other"]): row["q"] for row in rows}
        return {pair: known[pair] for pair in sorted(self.pairs.keys() & known.keys())}

    @property
    def chance_pairs(self) -> int:
        """Pairs that are no better related than what shuffled networks have."""
        return sum(q > RATE for q in self.related.values())

    @cached_property
    def analogous(self) -> Mapping[tuple[str, str, str], Sequence[str]]:
        """Targets of other models with an analogous circuit, by target and cases."""
        rows = self.record.ask(
            "MATCH (c:Circuit {model: $model})-[r:ANALOGOUS_TO]-(d:Circuit) "
            "WHERE r.q <= $rate AND c.motif IN $motifs AND d.model IN $models "
            "MATCH (u:Feature)-[:MEMBER_OF {role: $role}]->(c) "
            "MATCH (a:Feature)-[:MEMBER_OF {side: 1}]->(c) "
            "MATCH (b:Feature)-[:MEMBER_OF {side: 2}]->(c) "
            "MATCH (v:Feature)-[:MEMBER_OF {role: $role}]->(d) "
            "RETURN DISTINCT u.id AS target, a.id AS one, b.id AS two, v.id AS other "
            "ORDER BY target, one, two, other",
            model=self.step.model,
            motifs=list(self.motif.kinds),
            role=self.motif.target,
            models=list(self.record.models),
            rate=RATE,
        )
        found: dict[tuple[str, str, str], list[str]] = {}
        for row in rows:
            found.setdefault((row["target"], row["one"], row["two"]), []).append(row["other"])
        return found


def _made_by(step: Step, row: Row) -> bool:
    """Whether a search made some evidence; the store keeps that of earlier ones as well."""
    if row["search"] is not None or "search" in step.summary:
        return bool(row["search"] == step.summary.get("search"))
    # Older versions did not say: the same seed and figures are those of the last search.
    figures = {name: round(value, 4) for name, value in step.summary["null"].items()}
    same = row["detail"].get("model", figures) == figures
    return bool(row["seed"] == step.summary["seed"] and same)


def _circuits(evidence: Sequence[Row]) -> list[Circuit]:
    return [
        Circuit(row["target"], row["layer"], row["detail"].get("invariance"), pair)
        for row in evidence
        for pair in row["detail"]["pairs"]
    ]
