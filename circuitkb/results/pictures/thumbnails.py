"""Small pictures beside the rows that a notebook shows: kernels, and preferred orientations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from circuitkb.results.pictures.colours import EXCITES, INHIBITS
from circuitkb.schema.errors import CircuitKBError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store

SIZE = 44
"""Pixels of a picture's side."""

LARGEST = 15
"""Rows and columns of a kernel beyond which a picture of this size shows nothing."""


class Thumbnails:
    """Draws what a store knows of a row, or nothing.

    A row with ``source``, ``target`` and ``connection`` gets its kernel, red where it excites and
    blue where it inhibits, as strong as the value is large in this kernel; one with a ``feature``
    that was measured to prefer an orientation gets a line at that angle.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, row: Mapping[str, Any]) -> str:
        """Return SVG, or nothing where nothing is known."""
        try:
            if {"source", "target", "connection"} <= row.keys():
                return self._kernel(row)
            if isinstance(row.get("feature"), str):
                return self._orientation(row["feature"])
        except (CircuitKBError, OSError):
            pass  # a picture that cannot be drawn is no reason to show no table
        return ""

    def _kernel(self, row: Mapping[str, Any]) -> str:
        source, target = FeatureId.parse(row["source"]), FeatureId.parse(row["target"])
        for connection in self._store.kernels(target.model):
            if connection.key == row["connection"]:
                found = connection.find(source.unit, target.unit)
                return "" if found is None else kernel_picture(found)
        return ""

    def _orientation(self, feature: str) -> str:
        rows = self._store.read(
            "MATCH (f:Feature {id: $id}) RETURN f.orientation AS degrees", {"id": feature}
        ).rows
        degrees = rows[0][0] if rows else None
        return "" if degrees is None else orientation_picture(degrees)


def kernel_picture(kernel: Any) -> str:
    """Return the SVG of a kernel, axes (row, column); a single value has no picture.

    Examples
    --------
    >>> svg = kernel_picture(np.array([[1.0, 0.0], [0.0, -0.5]]))
    >>> svg.count(EXCITES), svg.count(INHIBITS), 'fill-opacity="0.50"' in svg
    (1, 1, True)
    >>> kernel_picture(np.array([[2.0]]))
    ''
    """
    rows, columns = kernel.shape
    strongest = float(np.abs(kernel).max(initial=0.0))
    if rows * columns < 2 or max(rows, columns) > LARGEST or not strongest:
        return ""
    side = SIZE / max(rows, columns)
    cells = "".join(
        f'<rect x="{c * side:.1f}" y="{r * side:.1f}" width="{side:.1f}" height="{side:.1f}" '
        f'fill="{EXCITES if value > 0 else INHIBITS}" '
        f'fill-opacity="{abs(value) / strongest:.2f}"/>'
        for (r, c), value in np.ndenumerate(kernel)
        if value
    )
    return _svg(cells, f"kernel, {rows} by {columns}, largest value {strongest:.3g}")


def orientation_picture(degrees: float) -> str:
    """Return the SVG of a line at an angle: 0 horizontal, 45 rising to the right.

    Examples
    --------
    >>> 'x1="4.0" y1="22.0" x2="40.0" y2="22.0"' in orientation_picture(0)
    True
    """
    middle, reach = SIZE / 2, SIZE / 2 - 4
    dx, dy = reach * math.cos(math.radians(degrees)), reach * math.sin(math.radians(degrees))
    line = (
        f'<line x1="{middle - dx:.1f}" y1="{middle + dy:.1f}" x2="{middle + dx:.1f}" '
        f'y2="{middle - dy:.1f}" stroke="#333" stroke-width="4"/>'
    )
    return _svg(line, f"prefers lines at {degrees:.0f} degrees")


def _svg(body: str, told: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" '
        f'viewBox="0 0 {SIZE} {SIZE}" role="img"><title>{escape(told)}</title>'
        f'<rect width="{SIZE}" height="{SIZE}" fill="#fff" stroke="#ccc"/>{body}</svg>'
    )
