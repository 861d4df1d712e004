"""The figures that a reader looks for first, each beside what chance gives."""

from __future__ import annotations

from collections.abc import Iterator

from circuitkb.observation.measures.measure import measures
from circuitkb.report.markdown import NOTHING, code, count, mean, paragraph, plural, table
from circuitkb.report.motifs import summary_rows
from circuitkb.report.record import Record
from circuitkb.results.match_reports import FEATURES, compared

LISTED = 3
"""Models whose figures stand one below the other; more have a column each."""


def summary(record: Record) -> list[str]:
    """Return them as a table; of more than three models as two, with a column for each."""
    rows = [*_measured(record), *summary_rows(record)]
    matched = list(_matched(record))
    if len(record.models) <= LISTED:
        listed = [(code(model), *figures) for model, *figures in rows] + matched
        return table(("model", "what", "found", "by chance"), listed) if listed else []
    said: dict[str, dict[tuple[str, str], str]] = {}  # by motif: what is found of it, by model
    motif = ""
    for model, what, found, chance in rows:
        motif = motif if what.startswith("...") else what
        said.setdefault(motif, {})[what, model] = f"{found}<br>{chance}"
    lines = []
    if said:
        lines += table(
            ("found, and by chance", *map(code, record.models)),
            (
                (what, *(cells.get((what, model), NOTHING) for model in record.models))
                for cells in said.values()
                for what in dict.fromkeys(what for what, _ in cells)
            ),
        )
    return lines + _matched_pairs(record)


def _matched_pairs(record: Record) -> list[str]:
    """Return what pairs of many models have in common: features pair by pair, circuits added up."""
    if not record.matched:
        return []
    found: dict[str, list[tuple[int, float]]] = {}
    features: dict[frozenset[str], tuple[int, float]] = {}
    for step in record.matched:
        for item in step.summary["compared"]:
            figures = item["found"], item["null_mean"]
            found.setdefault(item["what"], []).append(figures)
            if item["what"] == compared(FEATURES):
                features[frozenset(step.summary["models"])] = figures
    models = [model for model in record.models if any(model in pair for pair in features)]
    lines = paragraph(
        "**Analogous features** of two networks, and in brackets by the null; "
        f"{plural(len(features), 'pair')} were compared."
    )
    lines += table(
        ("", *map(code, models[1:])),
        (
            (
                code(one),
                *(
                    _figures(features.get(frozenset((one, other)))) if other in later else ""
                    for other in models[1:]
                ),
            )
            for one, later in ((one, models[place:]) for place, one in enumerate(models[:-1], 1))
        ),
    )
    return lines + table(
        ("analogous in pairs of networks", "pairs compared", "found in all", "by the null"),
        (
            (
                what,
                count(len(figures)),
                count(sum(number for number, _ in figures)),
                mean(sum(null for _, null in figures)),
            )
            for what, figures in found.items()
        ),
    )


def _figures(figures: tuple[int, float] | None) -> str:
    return NOTHING if figures is None else f"{count(figures[0])} ({mean(figures[1])})"


def _measured(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """Yield for each measure of a model: the model, what, how many units, by chance."""
    for measure in measures():
        for model, step in record.observed.items():
            if measure.counted in step.summary:
                shuffled = count(step.summary[f"{measure.counted}_shuffled"])
                passed = count(step.summary[measure.counted])
                yield model, measure.words.passed, passed, f"{shuffled} in a shuffled copy"


def _matched(record: Record) -> Iterator[tuple[str, str, str, str]]:
    for step in record.matched:
        for item in step.summary["compared"]:
            yield (
                " and ".join(map(code, step.summary["models"])),
                f"analogous {item['what']}",
                count(item["found"]),
                f"{mean(item['null_mean'])} by the null",
            )
