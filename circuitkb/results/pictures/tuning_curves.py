"""How a feature answers to orientations, beside the same of the network with shuffled weights."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.kept import battery_of
from circuitkb.observation.measures.tuning import tuning_curves
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.responses import Responses

Values = NDArray[np.float64]

_WIDE, _HIGH, _LEFT, _TOP, _GAP = 220, 110, 44, 34, 28
_INK, _FAINT, _BAND = "#1b1f24", "#57606a", "#d0d7de"


def tuning_picture(responses: Responses, feature: str) -> str:
    """Return the SVG of a feature's tuning to gratings, lines and edges, each with its control.

    A curve is the feature's excitation above grey before its nonlinearity, at the scale that it
    likes best, in standard deviations of its responses. The band holds the middle 90% of the units
    of its layer in the network with shuffled weights, each turned so that it peaks where the
    feature does: a curve within it is what chance gives.

    Raises
    ------
    NotFoundError
        The feature is not among the responses.
    """
    layer, units = _rows(responses, feature)
    row = responses.row(feature)
    stimuli = battery_of(responses).stimuli
    own = tuning_curves(_scaled(responses.before[row : row + 1]), stimuli)
    shuffled = tuning_curves(_scaled(responses.shuffled_before[units]), stimuli)
    panels = []
    for place, (curve, others) in enumerate(zip(own, shuffled, strict=True)):
        answered = others.curve[others.peak > 0].astype(np.float64)
        low, high = _band(answered, int(curve.curve[0].argmax()))
        title = f"{curve.family}, {curve.scale[0]:.3g} pixels"
        panels.append(
            _panel(place, title, curve.levels, curve.curve[0].astype(np.float64), low, high)
        )
    width = len(panels) * (_LEFT + _WIDE) + (len(panels) - 1) * _GAP + 12
    height = _TOP + _HIGH + 40
    said = f"Tuning of {feature}; grey: the middle 90% of the shuffled units of {layer}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="11">'
        f"<title>{escape(said)}</title>{''.join(panels)}</svg>"
    )


def _rows(responses: Responses, feature: str) -> tuple[str, slice]:
    layer = FeatureId.parse(feature).layer
    if layer not in responses.rows:
        raise NotFoundError(f"{feature} is not among what was observed.")
    rows = responses.rows[layer]
    return layer, slice(rows.start, rows.stop)


def _scaled(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return responses in standard deviations of each unit."""
    found = rows.astype(np.float32)
    spread = found.std(axis=1, keepdims=True)
    found /= np.where(spread > 0, spread, np.float32(1))
    return found


def _band(curves: Values, peak: int) -> tuple[Values, Values]:
    """Return the middle 90% of curves that are turned so that all peak at one place."""
    count = curves.shape[1]
    if not len(curves):
        return np.zeros(count), np.zeros(count)
    places = (np.arange(count) + curves.argmax(axis=1)[:, None] - peak) % count
    low, high = np.percentile(np.take_along_axis(curves, places, axis=1), [5, 95], axis=0)
    return low, high


def _panel(
    place: int, title: str, angles: Iterable[float], curve: Values, low: Values, high: Values
) -> str:
    """Draw one family; the curve is closed, as 180 degrees are 0."""
    x0 = place * (_LEFT + _WIDE + _GAP) + _LEFT
    most = float(max(curve.max(), high.max(), 1e-9))
    xs = [x0 + angle / 180 * _WIDE for angle in (*angles, 180.0)]

    def line(values: Values) -> list[str]:
        closed = (*values, values[0])
        ys = (_TOP + _HIGH * (1 - float(value) / most) for value in closed)
        return [f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)]

    foot = _TOP + _HIGH
    marks = "".join(
        f'<text x="{x0 + angle / 180 * _WIDE:.1f}" y="{foot + 16}" text-anchor="middle" '
        f'fill="{_FAINT}">{angle}°</text>'
        for angle in (0, 45, 90, 135, 180)
    )
    return (
        f'<g><text x="{x0}" y="18" fill="{_INK}" font-weight="bold">{escape(title)}</text>'
        f'<polygon points="{" ".join([*line(high), *reversed(line(low))])}" fill="{_BAND}"/>'
        f'<polyline points="{" ".join(line(curve))}" fill="none" stroke="{_INK}" '
        f'stroke-width="2"/>'
        f'<path d="M{x0} {_TOP}V{foot}H{x0 + _WIDE}" fill="none" stroke="{_FAINT}"/>'
        f'<text x="{x0 - 6}" y="{_TOP + 8}" text-anchor="end" fill="{_FAINT}">{most:.2g} sd</text>'
        f'<text x="{x0 - 6}" y="{foot}" text-anchor="end" fill="{_FAINT}">0</text>{marks}</g>'
    )
