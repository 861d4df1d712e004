"""Layers whose kernels differ from row to row more than from column to column.

Memory: four numbers for each kernel of one layer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.motifs.weight_banding import BandedLayer
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, by_target
from circuitkb.schema.progress import Progress, silent

NO_EXTENT = "their kernels have a single row or column"
FEW = "fewer than ten units, or than ten sources"
LEAST = 10
"""Units and sources of a layer that is tested."""

Doubles = NDArray[np.float64]


def find_in_model(
    connections: Sequence[Connection],
    responses: object,
    motif: BandedLayer,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search all kernels of a model, observed or not, for banded layers, with both nulls.

    Parameters
    ----------
    connections
        All kernels of the model.
    responses
        Not read.
    motif, model
        What to look for, and the model's name, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    into = by_target(connections)
    reasons = {NO_EXTENT: 0, FEW: 0}
    tests = []
    for place, (layer, every) in enumerate(into.items()):
        progress(f"{model}: comparing rows with columns", 0.95 * place / len(into))
        spatial = [one for one in every if min(one.kernel.shape[3:]) > 1]
        units = np.unique(np.concatenate([one.target_units.ravel() for one in every]))
        if not spatial:
            reasons[NO_EXTENT] += len(units)
            continue
        bands = Bands(spatial)
        if min(len(bands.units), len(bands.sources)) < LEAST:
            reasons[FEW] += len(units)
            continue
        tests.append(_test(layer, bands, motif, model, rng))
    progress(f"{model}: searched", 1.0)
    return findings_of(
        motif, tests, connections, model=model, seed=seed, started=started, not_tested=reasons
    )


class Bands:
    """Variances over rows and over columns of all kernels into one layer.

    Attributes
    ----------
    units, sources
        Numbers of the units; places of the sources over all connections.
    difference, total
        Variance of row means less that of column means, and their sum, axes (unit, source).
    """

    def __init__(self, connections: Sequence[Connection]) -> None:
        self.units = np.unique(np.concatenate([one.target_units.ravel() for one in connections]))
        ends = [(one.source, unit) for one in connections for unit in np.unique(one.source_units)]
        self.sources = {end: place for place, end in enumerate(dict.fromkeys(ends))}
        shape = len(self.units), len(self.sources)
        self.difference, self.total = np.zeros((2, *shape), np.float32)
        row = np.full(int(self.units.max()) + 1, -1)
        row[self.units] = np.arange(len(self.units))
        for one in connections:
            column = np.array(
                [[self.sources[one.source, unit] for unit in own] for own in one.source_units]
            )
            for part in blocks(len(one.kernel), int(np.prod(one.kernel.shape[1:]))):
                kernel = one.kernel[part].astype(np.float32)
                over_rows = kernel.mean(axis=4).var(axis=3)
                over_columns = kernel.mean(axis=3).var(axis=3)
                place = row[one.target_units[part]][:, :, None], column[part][:, None, :]
                np.add.at(self.difference, place, over_rows - over_columns)
                np.add.at(self.total, place, over_rows + over_columns)

    def contrasts(self, signs: NDArray[np.float32] | None = None) -> Doubles:
        """Return the contrast of each unit; ``signs`` of sources turn kernels by their diagonal."""
        turned = self.difference if signs is None else self.difference * signs
        above, below = turned.sum(axis=1, dtype=np.float64), self.total.sum(axis=1)
        found: Doubles = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return found


def _test(
    layer: str, bands: Bands, motif: BandedLayer, model: str, rng: np.random.Generator
) -> LayerTest:
    own = bands.contrasts()
    signs = rng.choice(np.array([-1, 1], np.float32), (motif.draws, len(own)))
    by_source = rng.choice(np.array([-1, 1], np.float32), (motif.draws, len(bands.sources)))

    def statistic(contrasts: Doubles) -> Statistic:
        value = np.array([excess(contrasts)])
        return Statistic(value, motif.excess(value))

    def describe(place: int) -> Described:
        del place
        order = np.argsort(-own, kind="stable")[: motif.named]
        names = [str(FeatureId(model, layer, int(bands.units[unit]))) for unit in order]
        members = tuple(Member(name, motif.target) for name in names)
        figures = {"units": len(own), "banded": round(float((own > 0).mean()), 4)}
        return Described(members, (), figures, float(own.mean()))

    return LayerTest(
        layer,
        statistic(own),
        {
            "units": Statistic.draws(statistic(own * sign) for sign in signs),
            "sources": Statistic.draws(statistic(bands.contrasts(sign)) for sign in by_source),
        },
        describe,
    )


def excess(contrasts: Doubles) -> float:
    """Return the mean in standard errors.

    Examples
    --------
    >>> round(excess(np.array([0.1, 0.2, 0.3])), 2)
    3.46
    """
    error = contrasts.std(ddof=1) / np.sqrt(len(contrasts))
    return float(contrasts.mean() / error) if error > 0 else 0.0
