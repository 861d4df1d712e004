"""What was shown, and which units prefer an orientation: two sections of a report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from circuitkb.observation.measures.nulls import corrected
from circuitkb.observation.measures.orientation import RATE
from circuitkb.observation.measures.orientation_rows import SHUFFLED
from circuitkb.report.markdown import (
    NOTHING,
    code,
    correlation,
    count,
    paragraph,
    plural,
    share,
    table,
)
from circuitkb.report.record import Record, Row, Step


@dataclass(eq=False)
class Layer:
    """The units of one layer that answer, and what became of them.

    Attributes
    ----------
    name, receptive_field
        The layer, and the side in pixels that a unit of it sees.
    selectivity
        Of the units that passed.
    p_permuted, p_shuffled
        Of all units, against each null alone.
    passed
        Whether they beat both.
    pool
        Units of shuffled copies that each unit was held against; None if no unit says.
    """

    name: str
    receptive_field: int | None
    selectivity: list[float] = field(default_factory=list)
    p_permuted: list[float] = field(default_factory=list)
    p_shuffled: list[float] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    pool: int | None = None

    @property
    def tested(self) -> int:
        """Units that answer."""
        return len(self.passed)

    @property
    def beyond_permuted(self) -> list[bool]:
        """Whether permuted labels alone would have let each unit pass."""
        return _beyond(self.p_permuted)

    @property
    def beyond_shuffled(self) -> list[bool]:
        """Whether shuffled weights alone would have let each unit pass."""
        return _beyond(self.p_shuffled)

    @property
    def failed(self) -> int:
        """Units that beat permuted labels alone and did not pass."""
        both = zip(self.beyond_permuted, self.passed, strict=True)
        return sum(beyond and not passed for beyond, passed in both)

    @property
    def fewest(self) -> int | None:
        """Units that must beat every shuffled unit before any can pass, as so many are tested."""
        if self.pool is None:
            return None
        return math.ceil(self.tested / (RATE * (1 + self.pool)))


def _beyond(p: Sequence[float]) -> list[bool]:
    found: list[bool] = (corrected(np.array(p, np.float64)) <= RATE).tolist()
    return found


def layers(record: Record, model: str) -> list[Layer]:
    """Return the layers of an observed model that have units that answer, in order."""
    known = record.ask(
        "MATCH (y:Layer {model: $model}) RETURN y.name AS name, "
        "y.receptive_field AS receptive_field ORDER BY y.position, name",
        model=model,
    )
    found = {row["name"]: Layer(**row) for row in known}
    for row in _units(record, model):
        layer, detail = found[row["layer"]], json.loads(row["detail"])
        passed = row["stance"] == "supports"
        layer.passed.append(passed)
        layer.p_permuted.append(detail["p_permuted"])
        layer.p_shuffled.append(detail["p_shuffled"])
        if passed:
            layer.selectivity.append(detail["selectivity"])
        if row["null_method"] == SHUFFLED:
            layer.pool = row["null_count"]
    return [layer for layer in found.values() if layer.tested]


def _units(record: Record, model: str) -> list[Row]:
    return record.ask(
        "MATCH (e:Evidence {kind: 'orientation-tuning'})-[:ABOUT]->(f:Feature {model: $model}) "
        "RETURN f.layer AS layer, e.stance AS stance, e.null_count AS null_count, "
        "e.null_method AS null_method, e.detail AS detail ORDER BY layer, f.unit, e.id",
        model=model,
    )


def observed_section(record: Record) -> list[str]:
    """Return what was shown to each model, and how many units answered."""
    lines = ["## 1. What was observed", ""]
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


def orientation_section(record: Record) -> list[str]:
    """Return which units prefer an orientation, layer by layer, and which failed a null."""
    lines = ["## 2. Orientation", ""]
    if not record.observed:
        models = record.unobserved or ["MODEL"]
        return [
            *lines,
            *paragraph(
                "Nothing was measured:",
                "; ".join(code(f"circuitkb observe {model}") for model in models) + ".",
            ),
        ]
    lines += paragraph(
        "A unit prefers an orientation if gratings, lines and edges agree on one, more than for "
        "units of the same layer in shuffled copies, *and* more than with its orientations "
        f"permuted; false discovery rate {RATE:.0%} in each layer.",
        "`docs/observation.md` has the statistic.",
    )
    measured = {model: layers(record, model) for model in record.observed}
    lines += table(
        ("units", *(code(model) for model in measured)),
        _totals(measured, [step.summary["oriented_shuffled"] for step in record.observed.values()]),
    )
    for model, found in measured.items():
        lines += _failed(model, found)
    lines += paragraph(
        "By layer. Failed: beyond permuted orientations alone, not beyond both nulls. Selectivity: "
        "median of those that passed, from 0 to 1. Fewest: units of the layer that must each beat "
        "every shuffled unit before any can pass; a layer that holds fewer such units shows "
        "nothing, whatever they do."
    )
    for model, found in measured.items():
        lines += [f"### {code(model)} by layer", "", *_by_layer(found)]
    return lines


def _totals(measured: dict[str, list[Layer]], shuffled: Sequence[int]) -> Iterable[Sequence[str]]:
    models = list(measured.values())
    tested = [sum(layer.tested for layer in found) for found in models]
    passed = [sum(map(sum, (layer.passed for layer in found))) for found in models]
    yield "tested", *map(count, tested)
    yield "**passed: beyond both nulls**", *(f"**{count(number)}**" for number in passed)
    yield "... as a share", *map(share, passed, tested)
    yield "a shuffled copy by the same test", *map(count, shuffled)
    yield (
        "beyond permuted orientations alone",
        *(count(sum(sum(layer.beyond_permuted) for layer in found)) for found in models),
    )
    yield (
        "... **that fail against shuffled weights**",
        *(f"**{count(sum(layer.failed for layer in found))}**" for found in models),
    )
    yield (
        "beyond shuffled weights alone",
        *(count(sum(sum(layer.beyond_shuffled) for layer in found)) for found in models),
    )
    yield "layers tested", *(count(len(found)) for found in models)
    yield (
        "layers where nothing passed",
        *(count(sum(not any(layer.passed) for layer in found)) for found in models),
    )


def _failed(model: str, found: Sequence[Layer]) -> list[str]:
    beyond = sum(sum(layer.beyond_permuted) for layer in found)
    failed = sum(layer.failed for layer in found)
    if not failed:
        return paragraph(f"{code(model)}: no unit beats permuted orientations and then fails.")
    return paragraph(
        f"{code(model)}: permuted orientations alone would have claimed "
        f"{plural(beyond, 'unit')}. {count(failed)} of them ({share(failed, beyond)}) do not hold "
        "against units with shuffled weights, and are not claimed."
    )


def _by_layer(found: Sequence[Layer]) -> list[str]:
    lines = table(
        ("layer", "sees (pixels)", "tested", "passed", "failed", "selectivity", "fewest"),
        (
            (
                code(layer.name),
                NOTHING if layer.receptive_field is None else str(layer.receptive_field),
                count(layer.tested),
                f"**{count(sum(layer.passed))}**",
                count(layer.failed),
                correlation(median(layer.selectivity)) if layer.selectivity else NOTHING,
                count(layer.fewest),
            )
            for layer in found
        ),
    )
    none = [layer for layer in found if not any(layer.passed)]
    said = [
        f"{code(layer.name)} ({count(layer.failed)} of {count(layer.tested)} failed)"
        for layer in none
    ]
    return lines + paragraph(
        f"Nothing passed in {plural(len(none), 'layer')}: {'; '.join(said)}."
        if none
        else "Something passed in every layer."
    )
