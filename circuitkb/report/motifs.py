"""Circuits of a motif, with their controls and what failed them: a section of a report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint

from circuitkb.motifs.motif import Motif, Pairs
from circuitkb.motifs.registry import DEFAULT, MOTIFS
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
from circuitkb.report.record import Record, Step, local
from circuitkb.report.searches import RATE, Circuit, Pair, Searched
from circuitkb.report.trials import trials_of
from circuitkb.results.harmless_text import for_markdown

CLEAREST = 10
"""Pairs of cases that are shown."""

_HITS = "_hits_mean"
_CONTROLS = ("permuted", "matched", "shuffled")
"""Of pairs at targets; motifs whose circuits are groups of units have others besides."""


def reported_motifs(record: Record) -> list[Motif]:
    """Return the motifs that have a section: the default one, and others that were searched for."""
    searched = {step.source for step in record.of("find")}
    return [motif for motif in MOTIFS if motif.name == DEFAULT or motif.name in searched]


def unknown_motifs(record: Record) -> list[str]:
    """Return a paragraph on the searches for motifs that no package here describes."""
    names = {step.source for step in record.of("find")} - set(MOTIFS.names)
    if not names:
        return []
    listed = ", ".join(map(code, sorted(names)))
    return paragraph(f"Searched for as well, and described by no package here: {listed}.")


def transforms(record: Record, motif: Motif) -> list[str]:
    """Return what searches took for the relation between the cases, the motif's own first."""
    found = {step.summary["of"] for step in _steps(record, motif)} | {motif.of.name}
    return sorted(found, key=lambda name: (name != motif.of.name, name))


def _steps(record: Record, motif: Motif) -> list[Step]:
    return [step for step in record.of("find") if step.source == motif.name]


def motif_section(record: Record, motif: Motif) -> list[str]:
    """Return what was found of a motif in all models, and then model by model."""
    lines: list[str] = []
    searched = {step.model for step in _steps(record, motif)}
    for of in transforms(record, motif):
        found = []
        for by in motif.searches:
            steps = [
                step
                for step in _steps(record, motif)
                if (step.summary["of"], step.summary["by"]) == (of, by.by)
            ]
            if steps:
                found += EntryPoint("section", by.section, "").load()(record, motif, by, steps)
        if found and of != motif.of.name:
            usual = motif.of.name.removeprefix("mirror ")
            lines += [f"### Instead of {usual}: {of}", ""]
        lines += found
    for model in record.models:
        if model not in searched:
            command = f"circuitkb find {motif.name} --model {model}"
            lines += paragraph(f"{code(model)} was not searched: {code(command)}.")
    return lines


def summary_rows(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """Yield for each search of a motif's own transform: the model, what, found, by chance."""
    for motif in reported_motifs(record):
        for way in motif.searches:
            for step in _steps(record, motif):
                if (step.summary["of"], step.summary["by"]) != (motif.of.name, way.by):
                    continue
                figures = step.summary["null"]
                ends = [name.removesuffix(_HITS) for name in figures if name.endswith(_HITS)]
                order = {control: place for place, control in enumerate(_CONTROLS)}
                chance = [
                    f"{mean(figures[control + _HITS])} {control}"
                    for control in sorted(ends, key=lambda end: order.get(end, len(order)))
                ]
                found = f"{count(figures.get('hits', 0))} ({count(step.summary['circuits'])})"
                # What is found is called by the shape only where the shape was tested.
                label = f"{{axis}} {way.shape.otherwise.replace('-', ' ')}" if way.shape else ""
                label = label if way.by == "responses" and label else way.label
                what = f"{way.words(label)}: hits (found)"
                yield step.model, what, found, ", ".join(chance) or NOTHING
                yield from _tested_further(way, step)


def _tested_further(way: Pairs, step: Step) -> Iterator[tuple[str, str, str, str]]:
    """Yield how many circuits have the shape that the motif asks for, and how many held."""
    shapes, figures = step.summary.get("shapes") or {}, step.summary["null"]
    total = count(step.summary["circuits"])
    if way.shape and shapes:
        name = way.shape.wanted
        key = name.replace(" ", "_")
        drawn = share(figures[f"permuted_{key}_mean"], figures["permuted_hits_mean"])
        real = share(figures[key], figures["hits"])
        yield (
            step.model,
            f"... found with the shape of a {way.name} ({name})",
            f"{count(shapes.get(name, 0))} of {total}",
            f"{drawn} of hits with permuted weights (real {real})",
        )
    if step.summary.get("tried"):
        yield (
            step.model,
            "... found whose trial held",
            f"**{count(step.summary['held'])} of {count(step.summary['tried'])}**",
            "beside other inputs as controls",
        )


def repeated(record: Record) -> tuple[list[list[str]], list[str]]:
    """Return the searches as commands, and those of other transforms as Python."""
    commands, python = [], []
    for motif in reported_motifs(record):
        for of in transforms(record, motif):
            for step in _steps(record, motif):
                said = step.summary
                if said["of"] != of:
                    continue
                if of == motif.of.name:
                    words = ["circuitkb", "find", motif.name, "--model", step.model]
                    commands.append([*words, "--by", said["by"], "--seed", str(said["seed"])])
                else:
                    python.append(
                        f"kb.find({motif.typed(of.removeprefix('mirror '))}, "
                        f"models=[{json.dumps(step.model)}], by={json.dumps(said['by'])}, "
                        f"seed={int(said['seed'])})"
                    )
    return commands, python


def pair_lines(record: Record, motif: Motif, way: Pairs, steps: Sequence[Step]) -> list[str]:
    """Return what one way of searching for pairs at targets found in all models."""
    found = [Searched.of(record, motif, way, step) for step in steps]
    lines = paragraph(way.intro)
    for one in [one for one in found if one.evidence][:1]:
        tested = one.evidence[0]["detail"]["criteria"]["tested"]
        lines += [*(f"- {sentence}" for sentence in tested), ""]
    lines += table(("", *(code(one.step.model) for one in found)), _rows(found))
    lines += paragraph(_EXPLAINED[way.by])
    if way.by == "kernels":
        return lines + [line for one in found for line in _targets(one)]
    lines += [line for one in found for line in _failures(one)]
    lines += _shapes(found)
    lines += trials_of(found)
    lines += _as_mirrors(found)
    lines += [line for one in found for line in _pairs(one)]
    return lines + [line for one in found for line in _one_model(one)]


def _rows(found: Sequence[Searched]) -> Iterable[Sequence[str]]:
    """Yield what was tested, found and failed; counts and controls are those that a search has."""
    said = [one.step.summary for one in found]
    has = dict.fromkeys(name for one in found for name in one.figures)
    yield "units tested", *(count(one["tested"]) for one in said)
    yield "not testable", *(count(one["not_testable"]) for one in said)
    reasons = [_reasons(one["why"]) for one in said]
    for reason in dict.fromkeys(name for one in reasons for name in one):
        yield f"... {for_markdown(reason)}", *(one.get(reason, "0") for one in reasons)
    for what, name in _COUNTS.items():
        if what in has:
            yield name, *(count(one.figures[what]) for one in found)
    for control in _CONTROLS:
        for what, name in _COUNTS.items():
            if f"{control}_{what}_mean" in has:
                many = "mean (max)" if what == "hits" else "mean"
                yield f"{control}: {name}, {many}", *(_drawn(one, control, what) for one in found)
    yield "q of at most", *(probability(one.fdr) for one in found)
    for name, numbers in (
        ("circuits", [len(one.circuits) for one in found]),
        ("targets", [len(one.targets) for one in found]),
        ("distinct mirrored pairs", [len(one.pairs) for one in found]),
    ):
        yield f"**found: {name}**", *(f"**{count(number)}**" for number in numbers)
    failed = [one.figures.get("hits", 0) - len(one.circuits) for one in found]
    yield "hits that failed (not found)", *map(count, failed)
    yield "seed", *(str(one["seed"]) for one in said)


_COUNTS = {"hits": "hits", "units": "units with hits", "pairs": "distinct pairs in hits"}

_EXPLAINED = {
    "responses": "Hits fulfil every criterion; found are those of low q against the worse of both "
    "controls, by target-decoy competition. Permuted: the weights of each unit permuted among its "
    "inputs of each layer. Matched: mirrored pairs replaced by unrelated ones of the same layers. "
    "Means and maxima of the repetitions. Hits repeat along residual streams: distinct pairs say "
    "more.",
    "kernels": "Hits are matching pairs among the strongest inputs of a unit; found are those of "
    "units that have more of them than chance gives, where the pair is beyond chance too. "
    "Shuffled: all kernels of the model shuffled.",
}


def _drawn(search: Searched, control: str, what: str) -> str:
    """Return the mean of a control's draws, of hits with the largest."""
    found = mean(search.figures.get(f"{control}_{what}_mean"))
    most = search.figures.get(f"{control}_{what}_max")
    return found if most is None else f"{found} ({count(most)})"


def _reasons(why: str) -> dict[str, str]:
    """Return how many units could not be tested for each reason, as the search said it."""
    parts = (part.partition(": ") for part in why.split("; ") if part)
    return {reason: for_markdown(number) for number, _, reason in parts}


def _targets(search: Searched) -> list[str]:
    """Return the targets that kernels show, each with its null."""
    if not search.evidence:
        number = plural(search.figures.get("hits", 0), "matching pair")
        return paragraph(f"{code(search.step.model)}: {number}, and no unit beats its null.")
    best_first = sorted(search.evidence, key=lambda row: (row["q"], row["p"], row["target"]))
    return table(
        ("target", "matching pairs", "by chance", "p", "q", "published as"),
        (
            (
                code(local(row["target"])),
                count(row["hits"]),
                mean(row["null_mean"]),
                probability(row["p"]),
                probability(row["q"]),
                ", ".join(f"{code(c)}" for c in sorted(row["detail"]["published_as"])) or NOTHING,
            )
            for row in best_first
        ),
    )


def _failures(search: Searched) -> list[str]:
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


def _shapes(found: Sequence[Searched]) -> list[str]:
    """Return how many circuits have which shape, and how many hits, with their null."""
    test = found[0].way.shape
    some = [one for one in found if any(circuit.shape for circuit in one.circuits)]
    if test is None or not some:
        return []
    lines = paragraph(
        f"**The shape.** The criteria above do not ask how the target is tuned. Only those with "
        f"{test.wanted} are {found[0].motif.plural}; others have mirrored inputs. Found, and in "
        "brackets the share of all hits, and of the hits with permuted weights: where the two "
        "shares are near, the shape is what such inputs give by chance."
    )
    rows = [
        (
            f"**{shape}**" if shape == test.wanted else shape,
            *(_share_of_shape(one, shape) for one in some),
        )
        for shape in test.shapes
    ]
    untold = [sum(circuit.shape is None for circuit in one.circuits) for one in some]
    if any(untold):
        rows.append(("could not be told", *map(count, untold)))
    return lines + table(("tuning of the target", *(code(one.step.model) for one in some)), rows)


def _share_of_shape(search: Searched, shape: str) -> str:
    number = sum(circuit.shape == shape for circuit in search.circuits)
    name, figures = shape.replace(" ", "_"), search.figures
    real = share(figures.get(name, 0), figures["hits"])
    drawn = share(figures.get(f"permuted_{name}_mean", 0), figures.get("permuted_hits_mean", 0))
    return f"{count(number)} ({real}, {drawn})"


def _pairs(search: Searched) -> list[str]:
    """Return the clearest pairs with all their targets, against inputs permuted for all alike."""
    pairs = search.by_pair
    if not pairs:
        return []
    said = {pair: held[0].pair["pair"] for pair, held in pairs.items()}
    beyond = sum(one["q"] <= RATE for one in said.values())
    alone = sum(len(held) == 1 for held in pairs.values())
    kinds = Counter(one["asymmetry"] for one in said.values() if one["asymmetry"])
    differ = ", ".join(f"{name} {number}" for name, number in kinds.most_common())
    shown = list(pairs.items())[:CLEAREST]
    lines = [f"### {code(search.step.model)}: pairs", ""]
    lines += paragraph(
        f"{plural(len(pairs), 'pair')} of cases, {count(beyond)} of them beyond chance (q of at "
        f"most {RATE:.0%}) where inputs are permuted for all targets alike, which keeps copies "
        f"along residual streams; {count(alone)} with one target. The cases differ by: "
        f"{differ or NOTHING}. The {plural(len(shown), 'clearest pair')}, with the targets found, "
        "those whose tuning has two peaks, and the targets at which the pair fulfils every "
        "criterion, with the mean by chance."
    )
    return lines + table(
        (
            "side 1",
            "side 2",
            "differ by",
            "targets",
            "two peaks",
            "all (by chance)",
            "q of the pair",
        ),
        (
            (
                *(
                    f"{code(local(case))}{f' {for_markdown(words)}' if words else ''}"
                    for case, words in zip(held[0].cases, said[pair]["facing"], strict=True)
                ),
                said[pair]["asymmetry"] or NOTHING,
                count(len(held)),
                count(sum(circuit.shape == "two peaks" for circuit in held)),
                f"{count(said[pair]['targets'])} ({mean(said[pair]['null_mean'])})",
                probability(said[pair]["q"]),
            )
            for pair, held in shown
        ),
    )


def _as_mirrors(found: Sequence[Searched]) -> list[str]:
    """Return how many pairs are better mirrors than shuffled networks have."""
    some = [search for search in found if search.related]
    if not some:
        return []
    lines = paragraph(
        "**The mirrored pairs as such.** Compared with the best partners of the same two layers in "
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
            "learned nothing. What the controls above test is that a unit takes both among its "
            "strongest inputs."
        )
    return lines


def _one_model(search: Searched) -> list[str]:
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
    best: dict[Pair, Circuit] = {}
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


def _clear(search: Searched, circuit: Circuit) -> Sequence[str]:
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
