"""Units whose strongest inputs can be compared, as arrays, and those that cannot be tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.inputs import LayerInputs, layer_inputs
from circuitkb.motifs.by_kernels.similarity import Match, count_matches, with_images
from circuitkb.motifs.transforms import Transform
from circuitkb.schema.kernels import Connection, Floats

LEAST_UNITS = 20
"""Units of one layer from which its own inputs are a pool to draw from."""

NO_EXTENT = "their kernels have a single place on the axis of the mirror"
FEW_INPUTS = "fewer than two inputs have positive weight"


@dataclass(frozen=True, eq=False)
class Candidates:
    """Units of one layer with equally many strongest inputs on one grid.

    Attributes
    ----------
    inputs
        The layer's inputs.
    place
        For each unit: its index in ``inputs.unit``.
    rings
        Empty rings that are left out around the kernels.
    edges
        Indices into the edges of ``inputs``, axes (unit, input), strongest first.
    vectors, images
        Standardised kernels and their transforms, axes (unit, input, place).
    hits
        For each unit: matching pairs among its strongest inputs.
    """

    inputs: LayerInputs
    place: NDArray[np.intp]
    rings: int
    edges: NDArray[np.intp]
    vectors: Floats
    images: Floats
    hits: NDArray[np.int64]

    @property
    def k(self) -> int:
        """Strongest inputs of each unit."""
        return int(self.edges.shape[1])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the kernels, without empty rings."""
        rows, columns = self.inputs.grid
        return rows - 2 * self.rings, columns - 2 * self.rings


@dataclass(frozen=True, eq=False)
class NullPool:
    """The strongest inputs of many units on one grid: what chance draws from.

    ``members`` are indices into the list of candidates; ``vectors`` and ``images`` hold all of
    their kernels, axes (kernel, place).
    """

    members: tuple[int, ...]
    of: str
    vectors: Floats
    images: Floats


def find_candidates(
    connections: Sequence[Connection],
    transform: Transform,
    match: Match,
    *,
    share: float,
    at_least: int,
) -> tuple[list[Candidates], Mapping[str, int], int]:
    """Return the units that can be tested, and how many cannot, by reason.

    Returns
    -------
    tuple
        The candidates; the number of units that no connection lets us test, by reason; the
        number of units that can be tested.
    """
    spatial = [c for c in connections if transform.changes(*c.kernel.shape[3:])]
    found: list[Candidates] = []
    few: set[tuple[str, int]] = set()
    tested: set[tuple[str, int]] = set()
    for inputs in layer_inputs(spatial):
        strongest = inputs.strongest(share=share, at_least=at_least)
        rows, columns = inputs.grid
        for rings, k in sorted(set(zip(inputs.rings.tolist(), strongest.tolist(), strict=True))):
            place = np.flatnonzero((inputs.rings == rings) & (strongest == k))
            if not transform.changes(rows - 2 * rings, columns - 2 * rings):
                continue
            units = {(inputs.target, unit) for unit in inputs.unit[place].tolist()}
            if k < 2:
                few |= units
                continue
            tested |= units
            edges = inputs.start[place, None] + np.arange(k)
            vectors, images = with_images(inputs.kernels(edges, rings), transform)
            hits = count_matches(vectors, images, match)
            found.append(Candidates(inputs, place, rings, edges, vectors, images, hits))
    everything = {
        (c.target, unit) for c in connections for unit in np.unique(c.target_units).tolist()
    }
    reasons = Counter(FEW_INPUTS if unit in few else NO_EXTENT for unit in everything - tested)
    # Most units first; the units were counted from a set, which has no order of its own.
    by_count = dict(sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0])))
    return found, by_count, len(tested)


def null_pools(candidates: Sequence[Candidates]) -> list[NullPool]:
    """Gather what chance draws from: a layer's own inputs, or the model's where they are few."""
    by_grid: dict[tuple[int, int], list[int]] = {}
    by_layer: dict[tuple[str, tuple[int, int]], list[int]] = {}
    for index, item in enumerate(candidates):
        by_grid.setdefault(item.grid, []).append(index)
        by_layer.setdefault((item.inputs.target, item.grid), []).append(index)
    found: list[NullPool] = []
    small: dict[tuple[int, int], list[int]] = {}
    for (layer, grid), members in by_layer.items():
        if sum(len(candidates[index].place) for index in members) >= LEAST_UNITS:
            found.append(_null_pool(candidates, members, members, f"layer {layer}"))
        else:
            small.setdefault(grid, []).extend(members)
    for grid, members in small.items():
        found.append(_null_pool(candidates, members, by_grid[grid], "the model"))
    return found


def _null_pool(
    candidates: Sequence[Candidates], members: Sequence[int], source: Sequence[int], of: str
) -> NullPool:
    def gather(arrays: list[Floats]) -> Floats:
        return np.concatenate([array.reshape(-1, array.shape[-1]) for array in arrays])

    return NullPool(
        tuple(members),
        of,
        gather([candidates[index].vectors for index in source]),
        gather([candidates[index].images for index in source]),
    )
