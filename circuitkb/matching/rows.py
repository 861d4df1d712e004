"""Matches as rows of the graph: relations between features and circuits, and their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from circuitkb.matching.circuits import CircuitMatches
from circuitkb.matching.features import Control, FeatureMatches
from circuitkb.matching.match import Matches, Withdrawn
from circuitkb.matching.responses import Rows
from circuitkb.results.match_reports import FEATURES
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.ids import FeatureId, canonical_json, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

VERSION = "1"
METHOD = f"mutual nearest by response, version {VERSION}"

SHUFFLED = "the same search with the weights of either model shuffled"

_LAYER_PAIRS = 50

Row = dict[str, Any]
Two = tuple[str, str]


def matching_rows(matches: Matches, *, models: Two, fingerprints: Two) -> GraphRows:
    """Return what two models have in common as rows of the graph.

    ANALOGOUS_TO goes from the first model to the second; whoever asks should not care about its
    direction. One ``Evidence`` about both models has the counts with their controls. Ids come from
    the fingerprints, the method and its settings: matched again, the same ones are updated.

    Parameters
    ----------
    matches
        What :func:`~circuitkb.matching.match.match` returned.
    models, fingerprints
        Name and fingerprint of the first and of the second model.

    Raises
    ------
    ObservationError
        Both are one model.

    Notes
    -----
    A store adds and updates, and deletes nothing. A pair that an earlier match wrote and that
    holds no more is written again with q and p of 1: ``WHERE r.q <= 0.05`` leaves it out.
    """
    if models[0] == models[1]:
        raise ObservationError(f"{models[0]!r} is matched with itself: name two models.")
    about = _About(models, fingerprints, matches)
    evidence = [about.features(matches.features)]
    relations = [
        _analogous("Feature", _feature_rows(matches.features, models), matches.withdrawn_features)
    ]
    evidence += [about.circuits(kind, found) for kind, found in matches.circuits.items()]
    if matches.circuits or matches.withdrawn_circuits:
        found = [row for each in matches.circuits.values() for row in _circuit_rows(each)]
        relations.append(_analogous("Circuit", found, matches.withdrawn_circuits))
    roles = [
        {"source": row["id"], "target": model, "role": role}
        for row in evidence
        for model, role in zip(models, ("first", "second"), strict=True)
    ]
    return GraphRows(
        nodes={"Evidence": node_table("Evidence", rows_of(evidence))},
        relations=[
            *relations,
            Relations("ABOUT", "Evidence", "Model", relation_table("ABOUT", rows_of(roles))),
        ],
    )


def _analogous(label: str, found: Sequence[Row], withdrawn: Sequence[Withdrawn]) -> Relations:
    rows = [row | {"rank": 1, "method": METHOD} for row in found]
    rows += [
        {
            "source": pair.source,
            "target": pair.target,
            "score": pair.score,
            "p": 1.0,
            "q": 1.0,
            "method": METHOD,
        }
        for pair in withdrawn
    ]
    return Relations("ANALOGOUS_TO", label, label, relation_table("ANALOGOUS_TO", rows_of(rows)))


def _feature_rows(found: FeatureMatches, models: Two) -> list[Row]:
    kept = found.found
    sides = (found.first, found.second)
    ids = [
        [
            str(FeatureId(model, side.layers[layer], unit))
            for layer, unit in zip(
                side.layer[place].tolist(), side.unit[place].tolist(), strict=True
            )
        ]
        for model, side, place in zip(models, sides, found.pairs[:, kept], strict=True)
    ]
    return _columns(
        source=ids[0],
        target=ids[1],
        score=found.score[kept].tolist(),
        null_mean=found.null_best[:, kept].mean(axis=0).tolist(),
        p=found.p[kept].tolist(),
        q=found.q[kept].tolist(),
    )


def _circuit_rows(found: CircuitMatches) -> list[Row]:
    kept = found.found
    first, second = found.pairs[:, kept].tolist()
    return _columns(
        source=[found.first[place] for place in first],
        target=[found.second[place] for place in second],
        score=found.score[kept].tolist(),
        null_mean=found.null_mean[kept].tolist(),
        p=found.p[kept].tolist(),
        q=found.q[kept].tolist(),
    )


def _columns(**columns: Sequence[Any]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


class _About:
    """Evidence about two models."""

    def __init__(self, models: Two, fingerprints: Two, matches: Matches) -> None:
        self.models, self.fingerprints, self.matches = models, fingerprints, matches

    def _row(self, kind: str, found: FeatureMatches | CircuitMatches, **others: Any) -> Row:
        settings = {"threshold": found.threshold, "fdr": found.fdr}
        key = [kind, list(self.fingerprints), METHOD, settings]
        kept = found.found
        detail = {
            "models": list(self.models),
            "battery": self.matches.battery,
            "stimuli": self.matches.stimuli,
            "settings": settings,
            "mutual": len(found.score),
            "mutual_above": int(np.count_nonzero(found.score > found.threshold)),
            **others.pop("detail"),
        }
        return {
            "id": f"{kind}-{content_hash(key)}",
            "kind": kind,
            "stance": "supports" if kept.any() else "neutral",
            "value": float(np.count_nonzero(kept)),
            "q": float(found.q[kept].max()) if kept.any() else None,
            "tested": len(found.score),
            "method": METHOD,
            "version": VERSION,
            "detail": canonical_json(detail),
            **others,
        }

    def features(self, found: FeatureMatches) -> Row:
        """Return the evidence for analogous features."""
        above = [control.above(found.threshold) for control in found.controls]
        detail = {
            "compared": [len(found.first.rows), len(found.second.rows)],
            "controls": [
                {
                    "shuffled": self.models[control.shuffled - 1],
                    "above": count,
                    "mutual": len(control.score),
                    "compared": list(control.compared),
                    "depth_correlation": control.depth,
                    "pairs": _above(found, control),
                }
                for control, count in zip(found.controls, above, strict=True)
            ],
            "bands": [_bands(found, member) for member in (0, 1)],
            "layer_pairs": _layer_pairs(found),
            "depth": asdict(found.depth),
        }
        return self._row(
            FEATURES,
            found,
            null_mean=fmean(above),
            null_count=len(above),
            null_method=SHUFFLED,
            detail=detail,
        )

    def circuits(self, kind: str, found: CircuitMatches) -> Row:
        """Return the evidence for analogous circuits of one motif."""
        worst = max(found.nulls, key=lambda null: fmean(null.above) / null.drawn, default=None)
        detail = {
            "compared": [len(found.first), len(found.second)],
            "left_out": list(found.left_out),
            "swapped": found.swapped,
            "targets": list(found.targets),
            "case_pairs": list(found.case_pairs),
            "nulls": [
                {"made": null.name, "drawn": round(null.drawn, 4), "above": list(null.above)}
                for null in found.nulls
            ],
        }
        return self._row(
            kind,
            found,
            null_mean=fmean(worst.above) / worst.drawn if worst else None,
            null_count=len(worst.above) if worst else None,
            null_method=worst.name if worst else None,
            seed=found.seed,
            detail=detail,
        )


def _above(found: FeatureMatches, control: Control) -> list[list[Any]]:
    """Return a control's pairs above the threshold: both units in their models, and the score."""
    return [
        [
            *(
                f"{side.layers[layer]}:{unit}"
                for side, layer, unit in zip(
                    (found.first, found.second),
                    control.layers[:, pair].tolist(),
                    control.units[:, pair].tolist(),
                    strict=True,
                )
            ),
            round(float(control.score[pair]), 4),
        ]
        for pair in np.flatnonzero(control.score > found.threshold).tolist()
    ]


def _bands(found: FeatureMatches, member: int) -> list[Row]:
    """Return counts for each band of layers of one model."""
    units = (found.first, found.second)[member]
    above = found.score > found.threshold
    rows = []
    for band in found.bands[member]:
        here = band.holds(found.layers[member])
        rows.append(
            {
                "layers": [units.layers[band.start], units.layers[band.stop - 1]],
                "compared": int(np.count_nonzero(band.holds(units.layer))),
                "above": int(np.count_nonzero(here & above)),
                "found": int(np.count_nonzero(here & found.found)),
                "control": [
                    int(
                        np.count_nonzero(
                            band.holds(control.layers[member]) & (control.score > found.threshold)
                        )
                    )
                    for control in found.controls
                ],
            }
        )
    return rows


def _layer_pairs(found: FeatureMatches) -> list[list[Any]]:
    """Return the layers that share most features: first, second, number of matches."""
    pairs: Rows = found.layers[:, found.found]
    layers, counts = np.unique(pairs, axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_LAYER_PAIRS]
    return [
        [found.first.layers[layers[0, i]], found.second.layers[layers[1, i]], int(counts[i])]
        for i in order.tolist()
    ]
