"""What a search for a motif found, beside what it finds with permuted inputs.

- ``ratio``: its hits, as a multiple of those with permuted inputs;
- ``held``: share of its circuits whose own trial held;
- ``two peaks``: share of its circuits whose target's tuning has a peak at each case.

Null of ``held``: the false discovery rate of 5% that those trials were corrected for, drawn as
often as there are circuits; of ``two peaks``: the shares among hits with permuted inputs.
Stability: circuits whose target has an even number, and an odd one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitkb.claims.ways.way import DRAWS, Asked, NotTestableError, Run
from circuitkb.motifs.registry import motif_named
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store

RATE = 0.05
"""False discovery rate of the motif's own trials."""

_DRAWS_OF_SEARCH = 20
"""Draws from the null that a search by responses makes."""

_SUMMARIES = """\
MATCH (i:Import {kind: 'find', model: $model}) WHERE i.source = $motif
RETURN i.summary AS summary ORDER BY i.id"""

_CIRCUITS = """\
MATCH (f:Feature)-[m:MEMBER_OF]->(c:Circuit {model: $model, origin: 'found'})
WHERE m.role = $target AND m.side IS NULL AND $of IN c.of
RETURN DISTINCT c.id AS id, f.id AS target, c.shape AS shape, c.trial AS trial ORDER BY id"""


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a motif, or a transform of it, that does not exist."""
    motif = motif_named(prediction["motif"])
    if not prediction["of"].startswith(("mirror ", "rotate ")):
        raise QueryError(f"of: {prediction['of']!r} relates no parts of {motif.name}")


def search_of(asked: Asked) -> dict[str, Any]:
    """Return what was written of the search that a prediction is about.

    Raises
    ------
    NotTestableError
        The model was not searched.
    """
    motif, of = asked.prediction["motif"], asked.prediction["of"]
    rows = asked.store.read(_SUMMARIES, {"model": asked.model, "motif": motif}, limit=None).rows
    found: list[dict[str, Any]] = [json.loads(row[0]) for row in rows]
    done = next((one for one in found if one["of"] == of), None)
    if done is None:
        raise NotTestableError(f"it was not searched: circuitkb find {motif} --model {asked.model}")
    return done


def circuits_of(asked: Asked) -> list[dict[str, Any]]:
    """Return the circuits that the search found, each with its target."""
    values = {
        "model": asked.model,
        "target": motif_named(asked.prediction["motif"]).target,
        "of": asked.prediction["of"],
    }
    return asked.store.read(_CIRCUITS, values, limit=None).to_dicts()


def run(asked: Asked) -> Run:
    """Read what was found, and its null."""
    done = search_of(asked)
    circuits = circuits_of(asked)
    odd = np.array([FeatureId.parse(one["target"]).unit % 2 for one in circuits], bool)
    measures = {"ratio": _ratio, "held": _held, "two peaks": _two_peaks}
    return measures[asked.prediction["statistic"]](done, circuits, odd)


def _ratio(done: Mapping[str, Any], circuits: list[dict[str, Any]], odd: Any) -> Run:
    null = done["null"]
    names = ("permuted_hits_mean", "permuted_hits_max")
    if "hits" not in null or any(name not in null for name in names):
        names = ("shuffled_hits_mean", "shuffled_hits_max")
    mean, most = (float(null.get(name, np.nan)) for name in names)
    if not np.isfinite(mean):
        raise NotTestableError("the search has no null of hits")
    hits, mean = float(null["hits"]), max(mean, 1 / _DRAWS_OF_SEARCH)
    share = float(odd.mean()) if len(odd) else 0.5
    return Run(
        hits / mean,
        (2 * (1 - share) * hits / mean, 2 * share * hits / mean),
        "hits of the search, as a multiple of those with permuted inputs",
        f"permuted inputs, {_DRAWS_OF_SEARCH} times: {mean:g} hits on average, {most:g} at most",
        "circuits of targets of even and of odd number",
        p=1 / (_DRAWS_OF_SEARCH + 1) if hits > most else 1.0,
        null_mean=1.0,
        null_count=_DRAWS_OF_SEARCH,
        detail={"hits": hits, "permuted_mean": mean, "circuits": len(circuits)},
    )


def _held(done: Mapping[str, Any], circuits: list[dict[str, Any]], odd: Any) -> Run:
    tried = np.array([one["trial"] is not None for one in circuits], bool)
    held = np.array([one["trial"] == "held" for one in circuits], bool)
    return _share(held, tried, odd, RATE, "whose own trial held", "trials at their level of 5%")


def _two_peaks(done: Mapping[str, Any], circuits: list[dict[str, Any]], odd: Any) -> Run:
    null = done["null"]
    shaped = np.array([one["shape"] is not None for one in circuits], bool)
    two = np.array([one["shape"] == "two peaks" for one in circuits], bool)
    every = sum(
        null.get(f"permuted_{n}_mean", 0) for n in ("two_peaks", "flat", "between", "other")
    )
    if not every:
        raise NotTestableError("the search has no null of shapes")
    rate = null["permuted_two_peaks_mean"] / every
    return _share(two, shaped, odd, rate, "with two peaks", "hits with permuted inputs")


def _share(yes: Any, of: Any, odd: Any, rate: float, what: str, control: str) -> Run:
    if of.sum() < 10:
        raise NotTestableError(f"{int(of.sum())} circuits are too few")
    rng = np.random.default_rng(0)
    null = rng.binomial(int(of.sum()), rate, size=DRAWS) / of.sum()
    return Run(
        float(yes[of].mean()),
        tuple(float(yes[of & side].mean()) for side in (~odd, odd)),
        f"share of the circuits {what}",
        f"{control}: a share of {rate:.2f}",
        "circuits of targets of even and of odd number",
        null=tuple(null.tolist()),
        detail={"yes": int(yes[of].sum()), "circuits": int(of.sum())},
    )
