"""Small pictures beside the rows that a notebook shows: kernels, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from circuitkb.observation.measures.measure import PICTURE as SIZE
from circuitkb.observation.measures.measure import Measure, measures
from circuitkb.results.pictures.colours import EXCITES, INHIBITS
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.schema.errors import CircuitKBError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.stores.base import Store

LARGEST = 15
"""Rows and columns of a kernel beyond which a picture of this size shows nothing."""


class Thumbnails:
    """Draws what a store knows of a row, or nothing; kernels stay open for as long as it is there.

    A row with ``source``, ``target`` and ``connection`` gets its kernel, red where it excites and
    blue where it inhibits, as strong as the value is large in this kernel; one with a ``feature``
    that passed a measure gets the picture of the first one that draws it: a line at its angle.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._opened: dict[str, dict[str, Connection]] = {}
        self._sign = Provenance(store).sign

    def __call__(self, row: Mapping[str, Any]) -> str:
        """Return SVG, or nothing where nothing is known."""
        try:
            if {"source", "target", "connection"} <= row.keys():
                return self._kernel(row)
            if isinstance(row.get("feature"), str):
                return self._measured(row["feature"])
        except (CircuitKBError, OSError):
            pass  # a picture that cannot be drawn is no reason to show no table
        return ""

    def _kernel(self, row: Mapping[str, Any]) -> str:
        source, target = FeatureId.parse(row["source"]), FeatureId.parse(row["target"])
        if target.model not in self._opened:
            kept = self._store.kernels(target.model)
            self._opened[target.model] = {connection.key: connection for connection in kept}
        connection = self._opened[target.model].get(row["connection"])
        found = None if connection is None else connection.find(source.unit, target.unit)
        drawn = "" if found is None else kernel_picture(found)
        return self._sign(drawn, f"{source} to {target}", target.model)

    def _measured(self, feature: str) -> str:
        drawn = [each for each in measures() if each.picture and each.properties]
        columns = ", ".join(f"f.{p.name} AS {p.name}" for m in drawn for p in m.properties)
        answer = self._store.read(
            f"MATCH (f:Feature {{id: $id}}) RETURN {columns}", {"id": feature}
        )
        for row in answer.rows:
            values = dict(zip(answer.columns, row, strict=True))
            for measure in drawn:
                if values[measure.properties[0].name] is not None:
                    return self._sign(measure_picture(measure, values), feature)
        return ""


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


def measure_picture(measure: Measure, values: Mapping[str, Any]) -> str:
    """Return the SVG that a measure draws of a feature's properties; none where it fails.

    Examples
    --------
    >>> orientation = next(each for each in measures() if each.name == "orientation")
    >>> svg = measure_picture(orientation, {"orientation": 0})
    >>> 'x1="4.0" y1="22.0" x2="40.0" y2="22.0"' in svg
    True
    """
    if measure.picture is None:
        return ""
    try:
        return _svg(*measure.picture(values))
    except Exception:  # whatever another package's code may raise
        return ""


def _svg(body: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" '
        f'viewBox="0 0 {SIZE} {SIZE}" role="img"><title>{escape(title)}</title>'
        f'<rect width="{SIZE}" height="{SIZE}" fill="#fff" stroke="#ccc"/>{body}</svg>'
    )
