"""An array of which some rows follow from others, and are made when they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray


class Part(Protocol):
    """The rows of one layer, made when they are read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of units and of stimuli."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """float16 or float32."""
        ...

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        """Return some rows, or some columns of some rows."""
        ...


@dataclass(frozen=True, eq=False)
class LayeredArray(NDArrayOperatorsMixin):
    """Responses that lie in parts, layer by layer, and of which only what is asked for is made.

    A row, a slice, numbers or flags of rows give an array, as do a row and columns; memory: what
    they give. All else that an array does (``.T``, ``.std(axis=1)``, ``> 0``) it does too, and is
    made whole for it.

    Attributes
    ----------
    parts
        What gives the rows of each layer, in order, of one dtype and one number of columns.

    Examples
    --------
    >>> array = LayeredArray((np.array([[1, 2]], np.float32), np.array([[3, 4]], np.float32)))
    >>> array[1].tolist(), array[np.array([1, 0]), 0].tolist(), array[:, 1].tolist()
    ([3.0, 4.0], [3.0, 1.0], [2.0, 4.0])
    >>> array.T.tolist(), (array > 2).sum()
    ([[1.0, 3.0], [2.0, 4.0]], np.int64(2))
    """

    parts: tuple[Part, ...]

    ndim = 2

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        return np.cumsum([part.shape[0] for part in self.parts], dtype=np.intp)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of units and of stimuli."""
        return int(self._ends[-1]), self.parts[0].shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of every part."""
        return self.parts[0].dtype

    @property
    def nbytes(self) -> int:
        """Bytes that it takes whole."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if isinstance(rows, int | np.integer):
            row = range(len(self))[rows]
            return self._of(self._layers(row), row, columns)
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            layer = self._layers(start)
            if step == 1 and start < stop <= self._ends[layer]:
                first = self._ends[layer] - self.parts[layer].shape[0]
                part: NDArray[Any] = self.parts[layer][start - first : stop - first, columns]
                return part
        elif not isinstance(columns, slice | int):
            raise IndexError("Choose rows first, then columns: array[rows][:, columns].")
        places = np.arange(len(self))[rows]
        layers = self._layers(places)
        found = np.empty((*places.shape, self.shape[1]), self.dtype)[..., columns]
        for layer in np.unique(layers).tolist():
            found[layers == layer] = self._of(layer, places[layers == layer], columns)
        return found

    def _layers(self, places: Any) -> Any:
        return self._ends.searchsorted(places, side="right")

    def _of(self, layer: int, places: Any, columns: Any) -> NDArray[Any]:
        first = self._ends[layer] - self.parts[layer].shape[0]
        found: NDArray[Any] = self.parts[layer][places - first, columns]
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *given: Any, **more: Any) -> Any:
        arrays = (np.asarray(one) if isinstance(one, LayeredArray) else one for one in given)
        return getattr(ufunc, method)(*arrays, **more)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole: NDArray[Any] = self[:].astype(dtype or self.dtype, copy=False)
        return whole
