"""Orientation as rows of the graph: properties, evidence for every unit, labels where it passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.observation.measures.orientation import METHOD, VERSION, OrientationTuning
from circuitkb.schema.ids import FeatureId, annotation_id, canonical_json, content_hash
from circuitkb.schema.provenance import tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table

ANNOTATOR = "circuitkb"
SOURCE = "circuitkb observe"
LICENSE = "CC0-1.0"

SHUFFLED = "units of the same layer in the network with shuffled weights"
PERMUTED = "orientation labels permuted within each family of stimuli"

Indices = NDArray[np.intp]


def orientation_rows(
    found: OrientationTuning, *, model: str, fingerprint: str, created: str | None = None
) -> GraphRows:
    """Return the orientation of a model's units as rows of the graph.

    Every unit gets ``answers`` and ``spread``; every one that answers an ``Evidence``; those that
    passed also ``orientation`` and ``orientation_selectivity``, and a label with the nearest of
    the orientations shown, which the evidence supports. Ids come from the model's fingerprint,
    the unit and the method: measured again, the same nodes are updated.

    Parameters
    ----------
    found
        What :func:`~circuitkb.observation.measures.orientation.measure_orientation` returned.
    model, fingerprint
        Name and fingerprint of the model.
    created
        Date of the labels, ISO 8601: that of the responses, so that it is the same next time.

    Notes
    -----
    A store adds and updates, and deletes nothing. Where other responses (of another battery, say)
    no longer let a unit pass, its evidence turns neutral, but its label stays, and so does the
    property unless the store is told to clear it.
    """
    features = _feature_ids(found, model)
    answering = np.flatnonzero(found.answers)
    passed = np.flatnonzero(found.passed)
    evidence = [
        f"{METHOD}-{content_hash([fingerprint, features[i], METHOD, VERSION])}" for i in answering
    ]
    nodes: dict[str, pa.Table] = {
        "Feature": _features(found, model, features),
        "Evidence": _evidence(found, evidence, answering),
    }
    relations = [
        _relation(
            "ABOUT", ("Evidence", "Feature"), evidence, _take(features, answering), role="unit"
        )
    ]
    if len(passed):
        supporting = [evidence[i] for i in np.searchsorted(answering, passed)]
        labels, annotated = _labels(found, model, fingerprint, features, supporting, created)
        nodes |= labels
        relations += annotated
    return GraphRows(nodes=nodes, relations=relations)


def _units(found: OrientationTuning) -> Iterator[tuple[str, int]]:
    for layer, units in found.layers:
        for unit in range(units):
            yield layer, unit


def _feature_ids(found: OrientationTuning, model: str) -> list[str]:
    return [str(FeatureId(model, layer, unit)) for layer, unit in _units(found)]


def _features(found: OrientationTuning, model: str, features: Sequence[str]) -> pa.Table:
    measure = found.measure
    return node_table(
        "Feature",
        {
            "id": features,
            "model": [model] * len(features),
            "layer": [layer for layer, _ in _units(found)],
            "unit": [unit for _, unit in _units(found)],
            "answers": found.answers,
            "spread": found.spread,
            "orientation": np.where(found.passed, measure.preferred, np.nan),
            "orientation_selectivity": np.where(found.passed, measure.selectivity, np.nan),
        },
    )


def _evidence(found: OrientationTuning, ids: Sequence[str], units: Indices) -> pa.Table:
    decides = found.shuffled_decides[units]
    null_mean = np.where(decides, found.shuffled_mean[units], found.permuted_mean[units])
    return node_table(
        "Evidence",
        {
            "id": ids,
            "kind": [METHOD] * len(ids),
            "stance": np.where(found.passed[units], "supports", "neutral").tolist(),
            "value": found.measure.statistic[units],
            "null_mean": null_mean,
            "null_count": np.where(decides, found.shuffled_count[units], found.permutations),
            "null_method": np.where(decides, SHUFFLED, PERMUTED).tolist(),
            "p": found.p[units],
            "q": found.q[units],
            "tested": found.tested[units],
            "method": [METHOD] * len(ids),
            "version": [VERSION] * len(ids),
            "seed": [found.seed] * len(ids),
            "detail": _details(found, units),
        },
    )


def _details(found: OrientationTuning, units: Indices) -> list[str]:
    """Return the figures that have no column, as JSON."""
    measure = found.measure
    scale = {curves.family: curves.scale for curves in measure.curves}
    columns = {
        "orientation": measure.preferred.round(2) % 180,
        "selectivity": measure.selectivity.round(4),
        "amplitude": measure.amplitude.round(4),
        "p_shuffled": found.p_shuffled.round(6),
        "p_permuted": found.p_permuted.round(6),
        "wavelength": scale["grating"].astype(np.float64),
        "width": scale["line"].astype(np.float64),
    }
    rows = zip(*(column[units].tolist() for column in columns.values()), strict=True)
    return [canonical_json(dict(zip(columns, row, strict=True))) for row in rows]


def _labels(
    found: OrientationTuning,
    model: str,
    fingerprint: str,
    features: Sequence[str],
    evidence: Sequence[str],
    created: str | None,
) -> tuple[Mapping[str, pa.Table], list[Relations]]:
    """Return annotations of the units that passed; ``evidence`` has the id for each of them."""
    passed = np.flatnonzero(found.passed)
    places = list(_units(found))
    texts = [label_text(angle) for angle in nearest_orientation(found)[passed].tolist()]
    annotations = [
        annotation_id(_record(model, *places[unit], text))
        for unit, text in zip(passed, texts, strict=True)
    ]
    count = len(annotations)
    used = sorted(set(texts))
    nodes = {
        "Annotation": node_table(
            "Annotation",
            {
                "id": annotations,
                "kind": ["label"] * count,
                "text": texts,
                "state": ["live"] * count,
                "method": [f"{METHOD} {VERSION}"] * count,
                "created": [created] * count,
                "source": [SOURCE] * count,
                "license": [LICENSE] * count,
                "fingerprint": [fingerprint] * count,
            },
        ),
        "Annotator": node_table(
            "Annotator", {"id": [ANNOTATOR], "type": ["tool"], "name": [tool()]}
        ),
        "Label": node_table(
            "Label",
            {
                "id": [f"{ANNOTATOR}:{text}" for text in used],
                "text": used,
                "vocabulary": [ANNOTATOR] * len(used),
            },
        ),
    }
    labels = [f"{ANNOTATOR}:{text}" for text in texts]
    relations = [
        _relation("ANNOTATES", ("Annotation", "Feature"), annotations, _take(features, passed)),
        _relation("BY", ("Annotation", "Annotator"), annotations, [ANNOTATOR] * count),
        _relation("USES", ("Annotation", "Label"), annotations, labels),
        _relation("SUPPORTS", ("Evidence", "Annotation"), evidence, annotations),
    ]
    return nodes, relations


def nearest_orientation(found: OrientationTuning) -> NDArray[np.float32]:
    """Return for each unit the orientation shown that is nearest to the preferred one."""
    shown = found.measure.curves[0].orientations
    apart = np.abs(found.measure.preferred[:, None] - shown)
    nearest: NDArray[np.float32] = shown[np.minimum(apart, 180 - apart).argmin(axis=1)]
    return nearest


def label_text(orientation: float) -> str:
    """Return the label of a unit that prefers an orientation.

    Examples
    --------
    >>> label_text(45.0)
    'orientation 45°'
    """
    return f"orientation {orientation:g}°"


def _record(model: str, layer: str, unit: int, text: str) -> dict[str, Any]:
    """Return what a label's id is made of, as an annotation file would say it."""
    return {
        "kind": "label",
        "target": {"type": "feature", "model": model, "layer": layer, "unit": unit},
        "label": {"text": text, "vocabulary": ANNOTATOR},
        "author": {"id": ANNOTATOR, "type": "tool"},
        "method": f"{METHOD} {VERSION}",
        "source": {"uri": SOURCE},
    }


def _take(features: Sequence[str], units: Indices) -> list[str]:
    return [features[unit] for unit in units]


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
