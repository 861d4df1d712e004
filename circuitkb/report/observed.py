"""What was shown to each model, and how many of its units responded: a section of a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from circuitkb.report.markdown import code, count, paragraph, table
from circuitkb.report.record import Record, Row, Step


def observed_section(record: Record) -> list[str]:
    """Return what was shown to each model, and how many units responded."""
    lines: list[str] = []
    steps = list(record.observed.values())
    if steps:
        lines += table(("", *(code(step.model) for step in steps)), _observed_rows(steps))
        lines += paragraph(
            "A silent unit is one that no stimulus moves; it is not counted in what follows.",
            "Shuffled copies have each unit's own weights in another order: they are the null.",
        )
    lines += _not_observed(record)
    return lines


def _observed_rows(steps: Sequence[Step]) -> Iterable[Sequence[str]]:
    said = [step.summary for step in steps]
    yield "battery", *(one["battery"] for one in said)
    yield "stimuli", *(count(one["stimuli"]) for one in said)
    yield "images (pixels)", *(", ".join(one["images"]) for one in said)
    yield "black, white (as the network reads them)", *(_range(one["settings"]) for one in said)
    yield (
        "... said by the source of the weights",
        *("yes" if one["pixels_known"] else "no: assumed" for one in said),
    )
    yield "units", *(count(one["units"]) for one in said)
    yield "silent units", *(count(one["silent"]) for one in said)
    yield "read off the centre by (pixels, at most)", *(f"{one['off_centre']:g}" for one in said)
    yield "seed", *(str(one["settings"]["seed"]) for one in said)
    yield "date", *(step.date for step in steps)


def _range(settings: Row) -> str:
    ends = ("/".join(f"{x:.4g}" for x in settings[end]) for end in ("black", "white"))
    return ", ".join(ends)


def _not_observed(record: Record) -> list[str]:
    lines = []
    for model in record.unobserved:
        lines += paragraph(f"{code(model)} was not observed: {code(f'circuitkb observe {model}')}.")
    for model, node in record.models.items():
        if node["weights"] == "published":
            lines += paragraph(
                f"{code(model)} is published circuits without its network's weights: it cannot be "
                "observed."
            )
    return lines
