"""One measured value on a line, beside what was predicted and what chance or the controls give."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_WIDE, _LEFT, _HIGH = 520, 20, 96
_INK, _FAINT, _BAND, _NULL = "#1b1f24", "#57606a", "#d0d7de", "#b35900"


def measured_picture(values: Mapping[str, Any]) -> str:
    """Return the SVG of a trial or of evidence, or nothing where there is nothing beside the value.

    The black dot is what was measured; the grey band is the interval that was predicted, the line
    in it the prediction; the orange line is the mean of the controls, or of the null.

    Parameters
    ----------
    values
        ``measured`` (or ``value``) and, where they are known, ``predicted``, ``low``, ``high`` and
        ``null_mean``.

    Examples
    --------
    >>> svg = measured_picture({"measured": -1.8, "predicted": -1.7, "low": -2, "high": -1.5})
    >>> svg.count("<circle"), svg.count("<rect"), "measured -1.8" in svg
    (1, 1, True)
    >>> measured_picture({"value": 3.0})
    ''
    """
    measured = values.get("measured", values.get("value"))
    named = {name: values.get(name) for name in ("predicted", "low", "high", "null_mean")}
    known = {name: float(value) for name, value in named.items() if value is not None}
    if measured is None or not known:
        return ""
    shown = [float(measured), 0.0, *known.values()]
    least, most = min(shown), max(shown)
    reach = most - least or 1.0

    def x(value: float) -> float:
        return _LEFT + (value - least) / reach * (_WIDE - 2 * _LEFT)

    parts = []
    if {"low", "high"} <= known.keys():
        start, width = x(known["low"]), max(x(known["high"]) - x(known["low"]), 2.0)
        parts.append(
            f'<rect x="{start:.1f}" y="34" width="{width:.1f}" height="24" fill="{_BAND}"/>'
        )
    said = [f"measured {float(measured):.4g}"]
    for name, colour, word in (
        ("predicted", _INK, "predicted"),
        ("null_mean", _NULL, "controls" if "measured" in values else "chance"),
    ):
        if name in known:
            at = x(known[name])
            parts.append(f'<path d="M{at:.1f} 30V62" stroke="{colour}" stroke-width="2"/>')
            said.append(f"{word} {known[name]:.4g}")
    zero = x(0.0)
    parts += [
        f'<path d="M{_LEFT} 70H{_WIDE - _LEFT}" stroke="{_FAINT}"/>',
        f'<path d="M{zero:.1f} 66V74" stroke="{_FAINT}"/>',
        f'<text x="{zero:.1f}" y="88" text-anchor="middle" fill="{_FAINT}">0</text>',
        f'<circle cx="{x(float(measured)):.1f}" cy="46" r="5" fill="{_INK}"/>',
        f'<text x="{_LEFT}" y="18" fill="{_INK}">{escape("; ".join(said))}</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDE}" height="{_HIGH}" '
        f'viewBox="0 0 {_WIDE} {_HIGH}" role="img" font-family="sans-serif" font-size="12">'
        f"<title>{escape('; '.join(said))}</title>{''.join(parts)}</svg>"
    )
