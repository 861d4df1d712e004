"""Unions found by responses, with both controls and what failed them: a section of a report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.motifs.transforms import mirror
from circuitkb.report.markdown import (
    NOTHING,
    code,
    correlation,
    count,
    mean,
    paragraph,
    plural,
    probability,
    share,
    table,
)
from circuitkb.report.record import Record, Row, Step, local
from circuitkb.results.harmless_text import for_markdown

RATE = 0.05
"""Share of false ones among the analogous circuits, and pairs beyond chance, that are named."""

CLEAREST = 10
"""Pairs of cases that are shown."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class FoundCircuit:
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
    def clearness(self) -> tuple[Any, ...]:
        """What sorts the clearest circuits first."""
        pair = self.pair
        return pair["q"], pair["score"], -pair["mirrored"], self.target, self.cases


@dataclass(frozen=True, eq=False)
class Search:
    """The last search of a model by responses, and the circuits that it found.

    Attributes
    ----------
    step
        Its Import.
    circuits
        What it found, in order of the targets' layers.
    earlier
        Circuits of other searches for the same thing that the graph still holds.
    criteria, fdr
        What circuits were tested for, and the largest q; unknown where nothing was found.
    related
        q against shuffled networks of each distinct pair of cases.
    analogous
        Targets of other models with an analogous circuit, by target and cases.
    """

    step: Step
    circuits: Sequence[FoundCircuit]
    earlier: int
    criteria: Sequence[str]
    fdr: float | None
    related: Mapping[Pair, float]
    analogous: Mapping[tuple[str, str, str], Sequence[str]]

    @property
    def figures(self) -> Mapping[str, float]:
        """Hits of the whole model, and what its controls give."""
        figures: Mapping[str, float] = self.step.summary["null"]
        return figures

    @property
    def targets(self) -> set[str]:
        """The targets found."""
        return {circuit.target for circuit in self.circuits}

    @property
    def pairs(self) -> Counter[Pair]:
        """Distinct pairs of cases, with the number of targets of each."""
        return Counter(circuit.unordered for circuit in self.circuits)

    @property
    def chance_pairs(self) -> int:
        """Pairs that are no better mirrors than what shuffled networks have."""
        return sum(q > RATE for q in self.related.values())


def searches(record: Record, of: str, by: str) -> list[Step]:
    """Return the last search for unions of each model, by what it read."""
    return [
        step
        for step in record.of("find")
        if step.summary["motif"] == "union"
        and step.summary["of"] == of
        and step.summary["by"] == by
    ]


def transforms(record: Record) -> list[str]:
    """Return what searches took for the relation between the cases, left-right first."""
    found = {step.summary["of"] for step in record.of("find") if step.summary["motif"] == "union"}
    default = mirror("left-right").name
    return sorted(found | {default}, key=lambda name: (name != default, name))


def measured(record: Record, step: Step) -> Search:
    """Return a search by responses with what it found."""
    evidence = record.ask(
        "MATCH (e:Evidence {kind: 'mirrored-responses'})-[:ABOUT {role: 'union'}]->(u:Feature) "
        "WHERE u.model = $model MATCH (u)-[:IN_LAYER]->(y:Layer) RETURN u.id AS target, "
        "u.layer AS layer, e.seed AS seed, e.detail AS detail "
        "ORDER BY y.position, u.unit, e.id",
        model=step.model,
    )
    parsed = [row | {"detail": json.loads(row["detail"])} for row in evidence]
    same = [row for row in parsed if row["detail"]["settings"]["of"] == step.summary["of"]]
    last = [row for row in same if _of_search(row, step)]
    circuits = _circuits(last)
    held = {(c.target, *c.cases) for c in _circuits(same)}
    return Search(
        step,
        circuits,
        earlier=len(held - {(c.target, *c.cases) for c in circuits}),
        criteria=last[0]["detail"]["criteria"]["tested"] if last else [],
        fdr=last[0]["detail"]["settings"]["fdr"] if last else None,
        related=_related(record, step, {circuit.unordered for circuit in circuits}),
        analogous=_analogous(record, step.model),
    )


def _of_search(row: Row, step: Step) -> bool:
    """Whether evidence comes from a search; the store keeps that of earlier ones as well."""
    figures = {name: round(value, 4) for name, value in step.summary["null"].items()}
    return bool(row["seed"] == step.summary["seed"] and row["detail"]["model"] == figures)


def _circuits(evidence: Sequence[Row]) -> list[FoundCircuit]:
    return [
        FoundCircuit(row["target"], row["layer"], row["detail"]["invariance"], pair)
        for row in evidence
        for pair in row["detail"]["pairs"]
    ]


def _related(record: Record, step: Step, pairs: set[Pair]) -> dict[Pair, float]:
    relation = mirror(step.summary["of"].removeprefix("mirror "))
    rows = record.ask(
        "MATCH (a:Feature {model: $model})-[r:TRANSFORMS_TO]->(b:Feature) WHERE a.id < b.id "
        "AND r.`group` = $group AND r.parameter = $parameter "
        "RETURN a.id AS one, b.id AS other, r.q AS q ORDER BY one, other",
        model=step.model,
        group=relation.group,
        parameter=relation.parameter,
    )
    known = {(row["one"], row["other"]): row["q"] for row in rows}
    return {pair: known[pair] for pair in sorted(pairs & known.keys())}


def _analogous(record: Record, model: str) -> dict[tuple[str, str, str], list[str]]:
    rows = record.ask(
        "MATCH (c:Circuit {model: $model})-[r:ANALOGOUS_TO]-(d:Circuit) "
        "WHERE r.q <= $rate AND d.model IN $models "
        "MATCH (u:Feature)-[:MEMBER_OF {role: 'union'}]->(c) "
        "MATCH (a:Feature)-[:MEMBER_OF {side: 1}]->(c) "
        "MATCH (b:Feature)-[:MEMBER_OF {side: 2}]->(c) "
        "MATCH (v:Feature)-[:MEMBER_OF {role: 'union'}]->(d) "
        "RETURN DISTINCT u.id AS target, a.id AS one, b.id AS two, v.id AS other "
        "ORDER BY target, one, two, other",
        model=model,
        models=list(record.models),
        rate=RATE,
    )
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row["target"], row["one"], row["two"]), []).append(row["other"])
    return found


def measured_lines(record: Record, of: str) -> list[str]:
    """Return what was found by responses in all models, and then model by model."""
    found = [measured(record, step) for step in searches(record, of, "responses")]
    if not found:
        return []
    lines = paragraph(
        "By responses: a target and two of its inputs, the cases A and B, tested over every edge "
        "of the model. These must hold:"
    )
    criteria = next((search.criteria for search in found if search.criteria), ())
    lines += [*(f"- {sentence}" for sentence in criteria), ""] if criteria else []
    lines += table(("", *(code(search.step.model) for search in found)), _rows(found))
    lines += paragraph(
        "Hits fulfil every criterion; found are those of low q against the worse of both controls, "
        "by target-decoy competition. Permuted: the weights of each unit permuted "
        "among its inputs of each layer. Matched: mirrored pairs replaced by unrelated ones of "
        "the same layers. Means and maxima of the repetitions. Hits repeat along residual "
        "streams: distinct pairs say more."
    )
    lines += [line for search in found for line in _failures(search)]
    lines += _as_mirrors(found)
    return lines + [line for search in found for line in _one_model(search)]


def _rows(found: Sequence[Search]) -> Iterable[Sequence[str]]:
    yield "units tested", *(count(search.step.summary["tested"]) for search in found)
    yield "not testable", *(count(search.step.summary["not_testable"]) for search in found)
    reasons = [_reasons(search.step.summary["why"]) for search in found]
    for reason in dict.fromkeys(name for one in reasons for name in one):
        yield f"... {for_markdown(reason)}", *(one.get(reason, "0") for one in reasons)
    for what in ("hits", "units", "pairs"):
        yield _NAMES[what], *(count(search.figures[what]) for search in found)
    for control in ("permuted", "matched"):
        yield (
            f"{control}: hits, mean (max)",
            *(_mean_and_max(search.figures, control) for search in found),
        )
        for what in ("units", "pairs"):
            yield (
                f"{control}: {_NAMES[what]}, mean",
                *(mean(search.figures.get(f"{control}_{what}_mean")) for search in found),
            )
    yield "q of at most", *(probability(search.fdr) for search in found)
    yield "**found: circuits**", *(f"**{count(len(search.circuits))}**" for search in found)
    yield "**found: targets**", *(f"**{count(len(search.targets))}**" for search in found)
    yield (
        "**found: distinct mirrored pairs**",
        *(f"**{count(len(search.pairs))}**" for search in found),
    )
    yield (
        "hits that failed (not found)",
        *(count(search.figures["hits"] - len(search.circuits)) for search in found),
    )
    yield "seed", *(str(search.step.summary["seed"]) for search in found)


_NAMES = {"hits": "hits", "units": "units with hits", "pairs": "distinct pairs in hits"}


def _reasons(why: str) -> dict[str, str]:
    """Return how many units could not be tested for each reason, as the search said it."""
    parts = (part.partition(": ") for part in why.split("; ") if part)
    return {reason: for_markdown(number) for number, _, reason in parts}


def _mean_and_max(figures: Mapping[str, float], control: str) -> str:
    if f"{control}_hits_mean" not in figures:
        return NOTHING
    most = count(figures[f"{control}_hits_max"])
    return f"{mean(figures[f'{control}_hits_mean'])} ({most})"


def _failures(search: Search) -> list[str]:
    name, hits = code(search.step.model), search.figures["hits"]
    if not search.circuits:
        return paragraph(f"{name}: none of {plural(hits, 'hit')} holds against both controls.")
    failed = hits - len(search.circuits)
    permuted = search.figures.get("permuted_hits_mean", 0.0)
    matched = search.figures.get("matched_hits_mean", 0.0)
    return paragraph(
        f"{name}: {count(failed)} of {plural(hits, 'hit')} ({share(failed, hits)}) failed. With "
        f"permuted weights there are {share(permuted, hits)} as many hits, with matched pairs "
        f"{share(matched, hits)}.",
        f"{plural(search.earlier, 'circuit')} of earlier searches are in the graph besides, and "
        "are not counted here."
        if search.earlier
        else "",
    )


def _as_mirrors(found: Sequence[Search]) -> list[str]:
    """Return how many pairs are better mirrors than shuffled networks have."""
    some = [search for search in found if search.related]
    if not some:
        return []
    lines = paragraph(
        "**The mirrored pairs as such.** Held against the best partners of the same two layers in "
        "the network with shuffled weights (`TRANSFORMS_TO`):"
    )
    lines += table(
        ("pairs", *(code(search.step.model) for search in some)),
        (
            ("of the circuits found", *(count(len(search.related)) for search in some)),
            (
                f"beyond shuffled weights (q of at most {RATE:.0%})",
                *(count(len(search.related) - search.chance_pairs) for search in some),
            ),
            ("**not beyond them**", *(f"**{count(search.chance_pairs)}**" for search in some)),
            ("largest q", *(probability(max(search.related.values())) for search in some)),
        ),
    )
    if any(search.chance_pairs for search in some):
        lines += paragraph(
            "So being a mirrored pair is no evidence alone: pairs as good stand in networks that "
            "learned nothing. What the controls above test is that a unit unites them."
        )
    return lines


def _one_model(search: Search) -> list[str]:
    if not search.circuits:
        return []
    lines = [f"### {code(search.step.model)}: where, and the clearest", ""]
    layers = dict.fromkeys(circuit.layer for circuit in search.circuits)
    rows = []
    for layer in layers:
        here = [circuit for circuit in search.circuits if circuit.layer == layer]
        rows.append(
            (
                code(layer),
                count(len({circuit.target for circuit in here})),
                count(len(here)),
                count(len({circuit.unordered for circuit in here})),
            )
        )
    lines += table(("layer of the target", "targets", "circuits", "pairs"), rows)
    best: dict[Pair, FoundCircuit] = {}
    for circuit in sorted(search.circuits, key=lambda one: one.clearness):
        best.setdefault(circuit.unordered, circuit)
    shown = list(best.values())[:CLEAREST]
    lines += paragraph(
        f"The {plural(len(shown), 'clearest pair')} of cases, each with its clearest target, by q "
        "and then by the place of the weaker case among the target's inputs. Targets: how many "
        "units unite the pair. Ranks, z (how the target answers to what the case answers to most): "
        "side 1, side 2. r: correlation of one case, mirrored, with the other; in brackets without "
        "the mirror. Inv.: correlation of the target with itself mirrored."
    )
    return lines + table(
        ("target", "side 1", "side 2", "targets", "ranks", "z", "r", "inv.", "q", "analogous"),
        (_clear(search, circuit) for circuit in shown),
    )


def _clear(search: Search, circuit: FoundCircuit) -> Sequence[str]:
    pair, (one, two) = circuit.pair, circuit.cases
    others = search.analogous.get((circuit.target, one, two), ())
    return (
        code(local(circuit.target)),
        code(local(one)),
        code(local(two)),
        count(search.pairs[circuit.unordered]),
        f"{pair['rank_1']}, {pair['rank_2']}",
        f"{pair['z_1']:.1f}, {pair['z_2']:.1f}",
        f"{correlation(pair['mirrored'])} ({correlation(pair['same'])})",
        correlation(circuit.invariance),
        probability(pair["q"]),
        ", ".join(map(code, others)) or NOTHING,
    )
