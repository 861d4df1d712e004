"""Pairs of units that a transform relates, and the weights from inputs that it relates as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.mirrored_targets import MirroredWiring
from circuitkb.schema.kernels import Connection, Floats


class Related(NamedTuple):
    """Pairs of units of one layer that a transform relates: rows, and both correlations."""

    one: Rows
    other: Rows
    corr_image: Floats
    corr: Floats

    @property
    def both_ways(self) -> Rows:
        """Rows of the pairs, and of the same pairs the other way round; axes (end, pair)."""
        ends = np.stack([self.one, self.other])
        return np.concatenate([ends, ends[::-1]], axis=1)

    def where(self, held: NDArray[np.bool_]) -> Related:
        """Return the pairs of which both rows are held."""
        chosen = held[self.one] & held[self.other]
        return Related(
            self.one[chosen], self.other[chosen], self.corr_image[chosen], self.corr[chosen]
        )


def related(coupled: CoupledResponses, motif: MirroredWiring, layer: str) -> Related:
    """Return the pairs of units of a layer whose responses the transform relates, each once."""
    rows = coupled.measurable_rows(layer)
    corr_image, corr = coupled.compare(rows, rows)
    one, other = np.nonzero(np.triu(motif.corr_image(corr_image) & motif.corr(corr), 1))
    return Related(rows[one], rows[other], corr_image[one, other], corr[one, other])


def partners(coupled: CoupledResponses, mirrored: Iterable[Related]) -> Rows:
    """Return for each unit the row of its best mirrored partner in its layer, -1 without one."""
    found = np.full(len(coupled.measurable), -1, np.intp)
    for pairs in mirrored:
        one, other = pairs.both_ways
        score = np.tile(pairs.corr_image, 2)
        best = np.lexsort((other, -score, one))
        rows, first = np.unique(one[best], return_index=True)
        found[rows] = other[best[first]]
    return found


class Wiring(NamedTuple):
    """Weights of one layer from inputs with a mirrored partner, times the spread of the input.

    Attributes
    ----------
    rows
        Of the layer's units that answer.
    told
        For each row of the model whether it is one of them with inputs enough.
    sources, images
        Rows of the inputs, and of their best partners.
    ends
        Places among ``sources`` of all inputs that mirror one another, both ways round; axes
        (end, pair). Where a layer has copies of a feature, inputs have several partners.
    own, mirrored
        Of each unit, axes (unit, input, place), standardised: its weights from the inputs, and
        from their partners, mirrored.
    gain
        Positive mass from the inputs times their spread, axes (unit, input).
    """

    rows: Rows
    told: NDArray[np.bool_]
    sources: Rows
    images: Rows
    ends: Rows
    own: Floats
    mirrored: Floats
    gain: Floats

    @classmethod
    def of(
        cls,
        into: Sequence[Connection],
        coupled: CoupledResponses,
        mirrored: Mapping[str, Related],
        partner: Rows,
        layer: str,
        motif: MirroredWiring,
    ) -> Wiring | None:
        """Read the kernels into a layer; None where no input has a partner."""
        rows = coupled.measurable_rows(layer)
        layers = list(dict.fromkeys(connection.source for connection in into))
        sources = np.concatenate(
            [np.empty(0, np.intp), *(coupled.measurable_rows(name) for name in layers)]
        )
        sources = sources[partner[sources] >= 0]
        if not len(sources):
            return None
        place = np.full(len(partner), -1, np.intp)
        place[sources] = np.arange(len(sources))
        # A partner that is no input, or has no partner, is read as well.
        both = np.unique(np.concatenate([sources, partner[sources]]))
        column = np.full(len(partner), -1, np.intp)
        column[both] = np.arange(len(both))
        of_row = np.full(len(partner), -1, np.intp)
        of_row[rows] = np.arange(len(rows))
        parts = [_read(one, coupled, of_row, column, (len(rows), len(both)), layer) for one in into]
        spread = coupled.spread[both][None, :, None]
        flat = [part.reshape(*part.shape[:2], -1) for part in parts]
        own: Floats = (np.concatenate(flat, axis=2) * spread).astype(np.float32)
        turned = [motif.of.apply(part).reshape(*part.shape[:2], -1) for part in parts]
        image: Floats = (np.concatenate(turned, axis=2) * spread).astype(np.float32)
        ends = column[sources], column[partner[sources]]
        some = (own[:, ends[0]] != 0).any(axis=2) & (image[:, ends[1]] != 0).any(axis=2)
        told = np.zeros(len(partner), bool)
        told[rows[some.sum(axis=1) >= motif.least]] = True
        gain: Floats = np.maximum(own[:, ends[0]], 0).sum(axis=2)
        return cls(
            rows,
            told,
            sources,
            partner[sources],
            place[np.concatenate([mirrored[name].both_ways for name in layers], axis=1)],
            _standardised(own[:, ends[0]]),
            _standardised(image[:, ends[1]]),
            gain,
        )

    def correlations(self) -> Floats:
        """Return the correlation of each unit's wiring with each unit's, mirrored; symmetric."""
        flat = self.own.reshape(len(self.rows), -1), self.mirrored.reshape(len(self.rows), -1)
        whole: Floats = flat[0] @ flat[1].T
        found: Floats = ((whole + whole.T) / 2).astype(np.float32)
        return found


def _read(
    connection: Connection,
    coupled: CoupledResponses,
    of_row: Rows,
    column: Rows,
    shape: tuple[int, int],
    layer: str,
) -> Floats:
    """Return the kernels of one connection, axes (unit, input, row, column)."""
    grid = connection.kernel.shape[3:]
    found = np.zeros((*shape, *grid), np.float32)
    targets = of_row[coupled.layers[layer]][connection.target_units]
    sources = column[coupled.layers[connection.source]][connection.source_units]
    for group, kernel in enumerate(connection.kernel):
        (out,), (into,) = np.nonzero(targets[group] >= 0), np.nonzero(sources[group] >= 0)
        if len(out) and len(into):
            found[np.ix_(targets[group][out], sources[group][into])] += kernel[out][:, into]
    return found


def _standardised(wiring: Floats) -> Floats:
    flat = wiring - wiring.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.square(flat).sum(axis=(1, 2), keepdims=True))
    found: Floats = (flat / np.where(length > 0, length, 1)).astype(np.float32)
    return found
