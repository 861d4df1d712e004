"""What is not explained: the first thing that a report says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from circuitkb.motifs.explained import DRAWS, Explained, explained
from circuitkb.report.markdown import NOTHING, code, count, paragraph, share, table
from circuitkb.report.motifs import reported_motifs
from circuitkb.report.record import Record, Step
from circuitkb.report.searches import Searched


@dataclass(frozen=True)
class Told:
    """What the circuits found by responses tell of a model.

    Attributes
    ----------
    name
        The model's.
    explained
        What the edges of their cases explain; None where kept responses do not tell it.
    circuits, tried, held
        How many were found, tried, and held.
    labelled, units
        Units with a label, given or measured, and all that were observed.
    """

    name: str
    explained: Explained | None
    circuits: int
    tried: int
    held: int
    labelled: int
    units: int


def told(record: Record) -> list[Told]:
    """Return what found circuits tell of each model that was observed and then searched."""
    return [found for model in record.observed if (found := _read(record, model)) is not None]


def unexplained_section(record: Record) -> list[str]:
    """Return what the circuits found by responses leave open in each model that was searched so."""
    models = told(record)
    if not models:
        return paragraph(
            "**Nothing is explained**: no network was observed and then searched for circuits by "
            f"its responses ({code('circuitkb observe MODEL')}, {code('circuitkb find')})."
        )
    lines = paragraph(
        "**What is not explained.** Below is what the found circuits leave unexplained of the "
        "variance around them: that of all units of the layers that hold a target, before the "
        "nonlinearity, over the battery. A target is foretold from the edges of its cases alone, "
        "all else at its mean; of a unit without a circuit nothing is explained. The null: each "
        "target's edges exchanged for those of the same ranks (positive kernel times spread of "
        f"the source) of a random unit of its layer, {DRAWS} times."
    )
    return lines + table(("", *(code(one.name) for one in models)), _rows(models))


def _read(record: Record, model: str) -> Told | None:
    edges: dict[str, set[str]] = defaultdict(set)
    steps: list[Step] = []
    for motif in reported_motifs(record):
        for way in (way for way in motif.searches if way.by == "responses" and way.at_target):
            for step in record.of("find"):
                said = step.summary
                if (step.source, step.model, said["by"]) == (motif.name, model, way.by):
                    steps.append(step)
                    for circuit in Searched.of(record, motif, way, step).circuits:
                        edges[circuit.target].update(circuit.cases)
    responses = record.store.responses(model)
    if not steps or responses is None:
        return None
    rows = {
        responses.row(target): [responses.row(case) for case in cases]
        for target, cases in edges.items()
    }
    (labels,) = record.ask(
        "MATCH (f:Feature {model: $model})<-[about:ANNOTATES]-"
        "(:Annotation {kind: 'label', state: 'live'}) WHERE about.role IS NULL "
        "RETURN count(DISTINCT f) AS labelled",
        model=model,
    )
    return Told(
        model,
        explained(record.store.kernels(model), responses, rows),
        circuits=sum(step.summary["circuits"] for step in steps),
        tried=sum(step.summary.get("tried", 0) for step in steps),
        held=sum(step.summary.get("held", 0) for step in steps),
        labelled=labels["labelled"],
        units=len(responses.after),
    )


def _rows(models: Sequence[Told]) -> Iterator[Sequence[str]]:
    def said(say: Callable[[Explained], str]) -> Iterator[str]:
        return (NOTHING if one.explained is None else say(one.explained) for one in models)

    yield "**variance left unexplained**", *said(lambda one: f"**{one.unexplained:.1%}**")
    yield (
        "... by the null: mean, least",
        *said(lambda one: f"{fmean(one.null):.1%}, {min(one.null):.1%}"),
    )
    yield "... in the layer that is explained best", *said(lambda one: f"{_least(one):.1%}")
    yield (
        "targets, of units in their layers",
        *said(lambda one: f"{count(one.targets)} of {count(one.units)}"),
    )
    if any(one.explained and one.explained.left_out for one in models):
        yield (
            "targets left out: what an edge gives is not told by one place",
            *said(lambda one: count(one.left_out)),
        )
    yield "circuits found", *(count(one.circuits) for one in models)
    yield "... tried", *(count(one.tried) for one in models)
    yield "... **whose trial held**", *(f"**{count(one.held)}**" for one in models)
    yield "units with a label, given or measured", *(_labels(one) for one in models)


def _least(found: Explained) -> float:
    return min(found.layers.values())


def _labels(one: Told) -> str:
    return f"{count(one.labelled)} of {count(one.units)} ({share(one.labelled, one.units)})"
