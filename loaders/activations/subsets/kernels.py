"""Chosen edges of one connection, ready to be applied to maps of few units."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from circuitkb.loaders.activations.editing.maps import fitted
from circuitkb.loaders.activations.editing.runs import Geometry
from circuitkb.loaders.activations.subsets.edges import Chosen
from circuitkb.schema.kernels import Connection

SPARSE = 0.1
"""Share of the entries of a matrix below which it is kept sparse."""

Source = tuple[str, tuple[str, ...]]
"""A layer, and the poolings that its features go through."""


def source_of(connection: Connection) -> Source:
    """Return what a connection reads."""
    return connection.source, connection.pooling


@dataclass(frozen=True, eq=False)
class ChosenKernels:
    """Kernels of the chosen edges of one connection.

    Attributes
    ----------
    source
        What they read.
    targets, sources
        Places among the units that are computed; None where they are all of them, in order.
    weight
        Axes (target, source) of a matrix, which may be sparse; or (group times target, source,
        row, column).
    geometry
        How kernels lie on the maps.
    groups
        Of a convolution.
    """

    source: Source
    targets: Tensor | None
    sources: Tensor | None
    weight: Tensor
    geometry: Geometry
    groups: int

    @classmethod
    def of(
        cls,
        connection: Connection,
        chosen: Chosen | None,
        units: Mapping[str, Tensor],
        counts: Mapping[str, int],
    ) -> ChosenKernels | None:
        """Return the chosen edges of a connection; None where there is none.

        Parameters
        ----------
        chosen
            Axes (group, out, in); None for all.
        units, counts
            Of each layer the units that are computed, in order, and how many there are.
        """
        kernel = np.asarray(connection.kernel)
        targets, sources = connection.target_units, connection.source_units
        if chosen is not None:
            groups = chosen.any(axis=(1, 2))
            if not groups.any():
                return None
            kernel = np.where(chosen[groups][..., None, None], kernel[groups], np.float32(0))
            targets, sources, chosen = targets[groups], sources[groups], chosen[groups]
            if len(kernel) == 1:
                out, into = chosen[0].any(axis=1), chosen[0].any(axis=0)
                kernel = kernel[:, out][:, :, into]
                targets, sources = targets[:, out], sources[:, into]
        groups, out, into, rows, columns = kernel.shape
        geometry = Geometry(
            rows,
            columns,
            connection.stride or (1, 1),
            connection.offset or (0, 0),
            connection.pooling,
        )
        weight = torch.from_numpy(kernel.copy())
        at_place = geometry.rows, geometry.columns, geometry.stride, geometry.offset
        if groups == 1 and at_place == (1, 1, (1, 1), (0, 0)):
            weight = weight.reshape(out, into)
            if chosen is not None and torch.count_nonzero(weight) < SPARSE * weight.numel():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that such tensors are new in PyTorch
                    weight = weight.to_sparse_csr()
        else:
            weight = weight.reshape(groups * out, into, rows, columns)
        return cls(
            source_of(connection),
            _places(targets, units[connection.target], counts[connection.target]),
            _places(sources, units[connection.source], counts[connection.source]),
            weight,
            geometry,
            groups,
        )

    @classmethod
    def all_of(cls, connection: Connection, counts: Mapping[str, int]) -> ChosenKernels:
        """Return all edges of a connection, on maps of all units; they share its kernels."""
        found = cls.of(connection, None, every(counts), counts)
        assert found is not None, "all were chosen"
        return found

    def add_to(self, into: Tensor, seen: Tensor) -> Tensor:
        """Return pre-activations to which is added what these edges give.

        Parameters
        ----------
        into, seen
            Units that are computed, of the target and of the source after the poolings; axes
            (unit, image, row, column).
        """
        maps = seen if self.sources is None else seen[self.sources]
        size = into.shape[2], into.shape[3]
        if self.weight.ndim == 2 and maps.shape[2:] == size:
            given = (self.weight @ maps.reshape(len(maps), -1)).reshape(-1, *into.shape[1:])
        else:
            given = self._convolved(maps.transpose(0, 1), size).transpose(0, 1)
        return into + given if self.targets is None else into.index_add(0, self.targets, given)

    def _convolved(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Return what kernels give, axes (image, target, row, column)."""
        geometry = self.geometry
        # With a stride of zero all places read the same one.
        once = tuple(s if step else 1 for s, step in zip(size, geometry.stride, strict=True))
        stride = tuple(max(1, step) for step in geometry.stride)
        fit = Geometry(geometry.rows, geometry.columns, (stride[0], stride[1]), geometry.offset)
        weight = self.weight
        if weight.ndim == 2:
            weight = weight.to_dense() if weight.layout is torch.sparse_csr else weight
            weight = weight[:, :, None, None]
        padded = fitted(maps, fit, (once[0], once[1]))
        found = functional.conv2d(padded, weight, stride=stride, groups=self.groups)
        return found.expand(-1, -1, *size)


def every(counts: Mapping[str, int]) -> dict[str, Tensor]:
    """Return all units of each layer."""
    return {name: torch.arange(count) for name, count in counts.items()}


def _places(wanted: np.ndarray, units: Tensor, count: int) -> Tensor | None:
    """Return where units stand among those that are computed; absent ones have kernels of zero."""
    place = torch.zeros(count, dtype=torch.int64)
    place[units] = torch.arange(len(units))
    found = place[torch.from_numpy(wanted.reshape(-1).astype(np.int64))]
    if len(found) == len(units) and bool((found == torch.arange(len(units))).all()):
        return None
    return found
