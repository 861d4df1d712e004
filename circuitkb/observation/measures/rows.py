"""What was measured as rows of the graph: properties, evidence for every unit, labels."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from circuitkb.observation.measures.against_nulls import (
    SHUFFLED,
    Flags,
    Layers,
    Measurement,
    layer_counts,
)
from circuitkb.observation.measures.measure import Doubles, Measure, Places
from circuitkb.schema.ids import FeatureId, annotation_id, canonical_json, content_hash
from circuitkb.schema.provenance import tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table

ANNOTATOR = "circuitkb"
SOURCE = "circuitkb observe"
LICENSE = "CC0-1.0"

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Measurements:
    """Everything that was measured of a model; arrays have the axis (unit,).

    Attributes
    ----------
    layers
        Name and number of units of each layer, as in the responses.
    responsive
        Whether any stimulus moved the unit, before and after the nonlinearity.
    spread
        Standard deviation of its responses to the battery, after the nonlinearity.
    found
        By name of the measure.
    control
        How many units of a copy with shuffled weights pass the same test, by name.
    """

    layers: Layers
    responsive: Flags
    spread: Doubles
    found: Mapping[str, Measurement]
    control: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """How many units pass each measure, and how many of the copy, as they are counted."""
        counts = {}
        for name, found in self.found.items():
            counts[found.measure.counted] = int(found.passed.sum())
            counts[f"{found.measure.counted}_shuffled"] = self.control[name]
        return counts

    @property
    def by_layer(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What became of the units of each layer, by measure: of those without neutral evidence."""
        return {
            name: {
                layer: asdict(counts) for layer, counts in layer_counts(found, self.layers).items()
            }
            for name, found in self.found.items()
            if not found.measure.neutral_evidence
        }


def measurement_rows(
    measurements: Measurements,
    *,
    model: str,
    fingerprint: str,
    created: str | None = None,
    again: Container[str] = (),
) -> GraphRows:
    """Return what was measured of a model's units as rows of the graph.

    Every unit gets ``answers`` and ``spread``; every one that a measure tested an ``Evidence``, or
    every one that passed where the measure has no neutral evidence; those that passed also the
    properties of the measure, and its label, which the evidence supports. Ids come from the model's
    fingerprint, the unit and the measure: measured again, the same nodes are updated.

    Parameters
    ----------
    measurements
        What :func:`~circuitkb.observation.measuring.measure_recording` returned.
    model, fingerprint
        Name and fingerprint of the model.
    created
        Date of the labels, ISO 8601: that of the responses, so that it is the same next time.
    again
        What was counted before, perhaps of other responses: every unit that is tested has evidence
        then, so that what passed no longer turns neutral.

    Notes
    -----
    A store adds and updates, and deletes nothing. Where other responses (of another battery, say)
    no longer let a unit pass, its evidence turns neutral, but its label stays, and so does the
    property unless the store is told to clear it.
    """
    features = [
        FeatureId(model, name, unit) for name, count in measurements.layers for unit in range(count)
    ]
    ids = [str(feature) for feature in features]
    nodes = {"Feature": [_features(measurements, features, ids)]}
    relations: list[Relations] = []
    for found in measurements.found.values():
        every = found.measure.neutral_evidence or found.measure.counted in again
        tested = np.flatnonzero(found.testable if every else found.passed)
        core = [found.measure.kind, found.measure.version]
        evidence = [f"{core[0]}-{content_hash([fingerprint, ids[unit], *core])}" for unit in tested]
        nodes.setdefault("Evidence", []).append(_evidence(found, evidence, tested))
        about = _take(ids, tested)
        relations.append(_relation("ABOUT", ("Evidence", "Feature"), evidence, about, role="unit"))
        passed = np.flatnonzero(found.passed)
        if len(passed) and found.measured.labels:
            labels = _Labels(
                found.measure,
                features=_take(features, passed),
                texts=_take(found.measured.labels, passed),
                evidence=_take(evidence, np.searchsorted(tested, passed)),
            )
            nodes.setdefault("Annotation", []).append(labels.annotations(fingerprint, created))
            nodes["Annotator"] = [_annotator()]
            nodes.setdefault("Label", []).append(labels.labels())
            relations += labels.relations()
    return GraphRows(
        nodes={label: _once(pa.concat_tables(tables)) for label, tables in nodes.items()},
        relations=relations,
    )


def _once(table: pa.Table) -> pa.Table:
    """Return a table in which no id stands twice: two measures may give the same label."""
    ids = table["id"].to_pylist()
    first = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
    return table if len(first) == len(ids) else table.take(sorted(first.values()))


def _features(
    measurements: Measurements, features: Sequence[FeatureId], ids: Sequence[str]
) -> pa.Table:
    measured = {
        name: np.where(found.passed, values, np.nan)
        for found in measurements.found.values()
        for name, values in found.measured.properties.items()
    }
    return node_table(
        "Feature",
        {
            "id": ids,
            "model": [feature.model for feature in features],
            "layer": [feature.layer for feature in features],
            "unit": [feature.unit for feature in features],
            "answers": measurements.responsive,
            "spread": measurements.spread,
            **measured,
        },
    )


def _evidence(found: Measurement, ids: Sequence[str], units: Places) -> pa.Table:
    measure, decides = found.measure, found.shuffled_decides[units]
    return node_table(
        "Evidence",
        {
            "id": ids,
            "kind": [measure.kind] * len(ids),
            "stance": np.where(found.passed[units], "supports", "neutral").tolist(),
            "value": found.measured.statistic[units],
            "null_mean": found.null_mean[units],
            "null_count": np.where(decides, found.shuffled_count[units], measure.permutations),
            "null_method": np.where(decides, SHUFFLED, measure.words.permutes).tolist(),
            "p": found.p[units],
            "q": found.q[units],
            "tested": found.tested[units],
            "method": [measure.kind] * len(ids),
            "version": [measure.version] * len(ids),
            "seed": [found.seed] * len(ids),
            "detail": _details(found, units),
        },
    )


def _details(found: Measurement, units: Places) -> list[str]:
    """Return the figures that have no column, as JSON."""
    columns = dict(found.measured.detail) | {"p_shuffled": found.p_shuffled.round(6)}
    if found.p_permuted is not None:
        columns["p_permuted"] = found.p_permuted.round(6)
    rows = zip(*(column[units].tolist() for column in columns.values()), strict=True)
    return [canonical_json(dict(zip(columns, row, strict=True))) for row in rows]


def _annotator() -> pa.Table:
    return node_table("Annotator", {"id": [ANNOTATOR], "type": ["tool"], "name": [tool()]})


@dataclass(frozen=True)
class _Labels:
    """The labels that a measure gives, one for each unit that passed."""

    measure: Measure
    features: Sequence[FeatureId]
    texts: Sequence[str]
    evidence: Sequence[str]

    @property
    def method(self) -> str:
        return f"{self.measure.kind} {self.measure.version}"

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the annotations: those of the same records in an annotation file."""
        records: list[dict[str, Any]] = [
            {
                "kind": "label",
                "target": {
                    "type": "feature",
                    "model": feature.model,
                    "layer": feature.layer,
                    "unit": feature.unit,
                },
                "label": {"text": text, "vocabulary": ANNOTATOR},
                "author": {"id": ANNOTATOR, "type": "tool"},
                "method": self.method,
                "source": {"uri": SOURCE},
            }
            for feature, text in zip(self.features, self.texts, strict=True)
        ]
        return [annotation_id(record) for record in records]

    def annotations(self, fingerprint: str, created: str | None) -> pa.Table:
        count = len(self.texts)
        return node_table(
            "Annotation",
            {
                "id": self.ids,
                "kind": ["label"] * count,
                "text": self.texts,
                "state": ["live"] * count,
                "method": [self.method] * count,
                "created": [created] * count,
                "source": [SOURCE] * count,
                "license": [LICENSE] * count,
                "fingerprint": [fingerprint] * count,
            },
        )

    def labels(self) -> pa.Table:
        used = sorted(set(self.texts))
        return node_table(
            "Label",
            {
                "id": [f"{ANNOTATOR}:{text}" for text in used],
                "text": used,
                "vocabulary": [ANNOTATOR] * len(used),
            },
        )

    def relations(self) -> list[Relations]:
        features = [str(feature) for feature in self.features]
        labels = [f"{ANNOTATOR}:{text}" for text in self.texts]
        annotators = [ANNOTATOR] * len(self.ids)
        return [
            _relation("ANNOTATES", ("Annotation", "Feature"), self.ids, features),
            _relation("BY", ("Annotation", "Annotator"), self.ids, annotators),
            _relation("USES", ("Annotation", "Label"), self.ids, labels),
            _relation("SUPPORTS", ("Evidence", "Annotation"), self.evidence, self.ids),
        ]


def _take(values: Sequence[T], units: Places) -> list[T]:
    return [values[unit] for unit in units]


def _relation(
    name: str,
    labels: tuple[str, str],
    sources: Sequence[str],
    targets: Sequence[str],
    role: str | None = None,
) -> Relations:
    columns: dict[str, Sequence[str]] = {"source": sources, "target": targets}
    if role:
        columns["role"] = [role] * len(sources)
    return Relations(name, *labels, relation_table(name, columns))
