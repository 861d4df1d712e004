"""A report of what was found, written from the store alone: no figure in it is typed in."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from circuitkb.motifs.motif import Motif
from circuitkb.observation.measures.measure import measures
from circuitkb.report.by_network import Section, split, write_pages
from circuitkb.report.coverage import coverage_section, measured_again
from circuitkb.report.markdown import NOTHING, code, commands, count, paragraph, table
from circuitkb.report.matches import matches_section
from circuitkb.report.measures import BY_LAYER, by_layer_section, measure_section
from circuitkb.report.motifs import (
    motif_section,
    repeated,
    reported_motifs,
    unknown_motifs,
)
from circuitkb.report.observed import observed_section
from circuitkb.report.pictures import picture_of
from circuitkb.report.record import Record, Step
from circuitkb.report.summary import summary
from circuitkb.report.unexplained import unexplained_section
from circuitkb.results.harmless_text import for_markdown
from circuitkb.stores.base import Store

LIMITS = """\
- **Synthetic stimuli.** What units answer to photographs was not measured. Deep units answer to
  few of the stimuli, or to none; that fewer of them pass may be the battery's fault.
- **One place.** Each unit was read where its receptive field lies on the middle of the image.
- **Units, not directions.** A feature that is spread over many units is not seen.
- **One training run of each network.** What is the same in networks of one family, trained on the
  same images by the same recipe, may come from these.
- **Few shuffled copies.** A small layer cannot pass by few of its units, whatever they do: that
  nothing passed does not show that nothing is there.
- **Shuffled weights keep each unit's own values**, and its mean and spread. Other nulls ask other
  questions.
- **Hits are not independent.** A feature stands in several layers along a residual stream, and so
  do the circuits it is in. The proofs behind p and q ask for less dependence than that.
- **Edges, not needs.** A trial takes edges to one unit away. That the network needs the unit, or
  that it means what people call it, is not shown by it.
- **Sides are names.** Side 1 answers more to the first stimulus of each mirrored couple; which way
  a thing faces in a photograph is not known."""


def report(
    store: Store,
    models: Sequence[str] | None = None,
    *,
    pictures: Path | None = None,
    by_network: Path | None = None,
    beside: Path | None = None,
) -> str:
    """Return a report in Markdown; see :meth:`circuitkb.kb.knowledge_base.KnowledgeBase.report`."""
    record = Record.read(store, models)
    lines = ["# What was found", ""]
    lines += paragraph(
        f"Made by {code('circuitkb report')} from a knowledge base: every figure was read or "
        "counted there. What failed its null stands beside what passed."
    )
    if not record.models:
        return _text(
            [
                *lines,
                *paragraph(
                    f"There is no model yet. Load one, as in {code('circuitkb load MODEL')}, "
                    f"with a name such as {code('efficientnet_lite0')}; "
                    f"{code('circuitkb demo')} does all."
                ),
            ]
        )
    lines += coverage_section(record)
    lines += unexplained_section(record)
    lines += _front(record)
    lines += summary(record)
    motifs = reported_motifs(record)

    def drawn(motif: Motif) -> list[str]:
        if pictures is None:
            return []
        return picture_of(store, motif, list(record.models), pictures, beside or Path())

    sections: list[Section] = [
        ("What was observed", observed_section(record)),  # others name it as section 1
        *((measure.words.title, measure_section(record, measure)) for measure in measures()),
        (BY_LAYER, by_layer_section(record, measures())),
        *((motif.title, [*drawn(motif), *motif_section(record, motif)]) for motif in motifs),
        ("Universality", matches_section(record)),
        ("What this cannot tell", [LIMITS, ""]),
        ("How to repeat it", _repeat_section(record)),
    ]
    if by_network is not None:
        sections, pages = split(sections, list(record.models))
        lines += write_pages(pages, by_network, beside or Path())
    for number, (title, section) in enumerate(sections, 1):
        lines += [f"## {number}. {title}", "", *section]
    return _text(lines)


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _front(record: Record) -> list[str]:
    tools = dict.fromkeys(step.tool for step in record.steps)
    dates = sorted({step.date for step in record.observed.values()})
    batteries = dict.fromkeys(step.source for step in record.observed.values())
    seeds = sorted({seed for step in record.steps if (seed := _seed(step)) is not None})
    rows = [
        ("report by", f"circuitkb {version('circuitkb')}"),
        ("measured by", for_markdown(", ".join(tools)) or NOTHING),
        ("battery", for_markdown(", ".join(batteries)) or NOTHING),
        ("observed on", for_markdown(", ".join(dates)) or NOTHING),
        ("seeds", ", ".join(map(str, seeds)) or NOTHING),
    ]
    lines = table(("", ""), rows)
    return lines + table(
        ("model", "weights", "fingerprint", "features", "edges", "kept"),
        (
            (
                code(name),
                for_markdown(node.get("weights") or NOTHING),
                code(node["fingerprint"][:16]),
                count(node.get("features")),
                count(node.get("edges")),
                count(node.get("edges_kept")),
            )
            for name, node in record.models.items()
        ),
    )


def _seed(step: Step) -> int | None:
    """Return the seed of a step; loading has none."""
    settings = step.summary.get("settings", {})
    seed: int | None = step.summary.get("seed", settings.get("seed"))
    return seed


def _repeat_section(record: Record) -> list[str]:
    lines = paragraph(
        "In this order, with the variable `CIRCUITKB` set to the knowledge base. Values of black "
        "and white that were given to an observation (section 1) are to be given again."
    )
    lines += commands([*_typed(record), *measured_again(record), _report_command(record)])
    _, others = repeated(record)
    if others:
        lines += paragraph("The other mirrors, in Python, with `kb = circuitkb.open(STORE)`:")
        lines += commands(others, "python")
    lines += unknown_motifs(record)
    if record.steps:
        lines += paragraph("It took, with whatever else ran on the machine:")
        lines += table(("step", "of", "seconds", "date"), _times(record))
    return lines


def _typed(record: Record) -> Iterable[str]:
    for name, node in record.models.items():
        words = ["circuitkb", "load", node["source"]]
        if name != node["source"]:
            words += ["--name", name]
        if node.get("keep") is not None:
            words += ["--keep", str(node["keep"])]
        yield shlex.join(words)
    for model, step in record.observed.items():
        yield shlex.join(["circuitkb", "observe", model, "--seed", str(_seed(step))])
    searches, _ = repeated(record)
    yield from map(shlex.join, searches)
    for step in record.matched:
        yield shlex.join(
            ["circuitkb", "match", *step.summary["models"], "--seed", str(_seed(step))]
        )


def _report_command(record: Record) -> str:
    models = [word for name in record.models for word in ("--model", name)]
    return shlex.join(["circuitkb", "report", *models, "--output", "findings.md"])


def _times(record: Record) -> Iterable[Sequence[str]]:
    for kind in ("load", "observe", "find", "match"):
        for step in record.matched if kind == "match" else record.of(kind):
            of = step.summary["models"] if kind == "match" else [step.model]
            yield (
                f"{kind} {step.source}, {step.summary['of']}" if kind == "find" else kind,
                " and ".join(map(code, of)),
                f"{step.seconds:.1f}",
                step.date,
            )
