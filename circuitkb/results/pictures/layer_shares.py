"""The layers of a model in a row: of each, which share of its features something holds for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_LABELS, _BAR, _HIGH, _GAP, _TOP, _FOOT = 150, 18, 48, 26, 24, 150
_INK, _FAINT, _GROUND = "#1b1f24", "#57606a", "#eaeef2"


def shares_picture(layers: Sequence[Mapping[str, Any]], shares: Mapping[str, str]) -> str:
    """Return the SVG of small multiples: a row for each share, a bar for each layer.

    A full bar is all features of the layer; the tooltip has the counts. Nothing is drawn where
    there are no layers.

    Parameters
    ----------
    layers
        In order of computation, each with ``layer``, ``features``, and counts by name.
    shares
        Names of counts, and what each is called.

    Examples
    --------
    >>> rows = [{"layer": "a", "features": 4, "oriented": 1}]
    >>> svg = shares_picture(rows, {"oriented": "orientation beyond chance"})
    >>> "a: 1 of 4" in svg
    True
    >>> shares_picture([], {"oriented": "oriented"})
    ''
    """
    if not layers:
        return ""
    width = _LABELS + len(layers) * _BAR + 12
    height = _TOP + len(shares) * (_HIGH + _GAP) + _FOOT
    parts = []
    for row, (name, called) in enumerate(shares.items()):
        top = _TOP + row * (_HIGH + _GAP)
        held, whole = (sum(int(each[key] or 0) for each in layers) for key in (name, "features"))
        parts.append(
            f'<text x="0" y="{top + 16}" fill="{_INK}">{escape(called)}</text>'
            f'<text x="0" y="{top + 34}" fill="{_FAINT}">{held:,} of {whole:,}</text>'
        )
        for place, each in enumerate(layers):
            count, all_ = int(each[name] or 0), int(each["features"])
            filled = _HIGH * count / all_ if all_ else 0.0
            x = _LABELS + place * _BAR
            parts.append(
                f"<g><title>{escape(str(each['layer']))}: {count:,} of {all_:,}</title>"
                f'<rect x="{x}" y="{top}" width="{_BAR - 3}" height="{_HIGH}" fill="{_GROUND}"/>'
                f'<rect x="{x}" y="{top + _HIGH - filled:.1f}" width="{_BAR - 3}" '
                f'height="{filled:.1f}" fill="{_INK}"/></g>'
            )
    foot = _TOP + len(shares) * (_HIGH + _GAP)
    for place, each in enumerate(layers):
        x = _LABELS + place * _BAR + 11
        parts.append(
            f'<text transform="translate({x} {foot}) rotate(-60)" text-anchor="end" '
            f'fill="{_FAINT}">{escape(str(each["layer"])[:24])}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="11">'
        f"<title>Shares of the features of {len(layers)} layers</title>{''.join(parts)}</svg>"
    )
