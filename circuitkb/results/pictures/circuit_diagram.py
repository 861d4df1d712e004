"""A circuit as a picture for notebooks: features by their depth, weights with both masses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from circuitkb.observation.measures.measure import PICTURE as SIZE
from circuitkb.results.pictures.colours import EXCITES, INHIBITS

_WIDE, _HIGH, _GAP, _MARGIN = 170, 44, 24, 16
_STEP = 110
MOST = 24
"""Features that a picture shows: with more it is no picture."""


def diagram(
    members: Sequence[Mapping[str, Any]],
    weights: Sequence[Mapping[str, Any]],
    kernels: Sequence[str] = (),
) -> str:
    """Return an SVG of features and the weights between them, sources below their targets.

    Each weight has a red line for the mass of its kernel that excites and a blue one for the mass
    that inhibits, as wide as the mass is large (relative to the largest); the tooltip has both.
    The net sign of a spatial kernel is not its meaning, so no line shows that. A page shows the
    kernel where a pointer is on the line, and leads from a box to its feature.

    Parameters
    ----------
    members
        Each with ``feature``, and perhaps ``role``, ``side``, ``labels``, and ``position`` of its
        layer; where any has none, rows follow the weights.
    weights
        Each with ``source``, ``target``, ``positive`` and ``negative``; ends that are no members
        are left out.
    kernels
        SVG of the kernel of each weight, empty where it has none; may be left out.

    Examples
    --------
    >>> svg = diagram([{"feature": "m/a:0"}, {"feature": "m/b:1", "role": "union"}],
    ...               [{"source": "m/a:0", "target": "m/b:1", "positive": 2.0, "negative": -0.5}])
    >>> svg.count("<rect"), svg.count('stroke-opacity="0.75"'), "excites 2, inhibits -0.5" in svg
    (2, 2, True)
    >>> diagram([], [])
    ''
    """
    shown = {member["feature"]: member for member in members[:MOST]}
    if not shown:
        return ""
    pictures = kernels or [""] * len(weights)
    drawn = [
        (weight, picture)
        for weight, picture in zip(weights, pictures, strict=True)
        if weight["source"] in shown and weight["target"] in shown
    ]
    joined = [weight for weight, _ in drawn]
    rows = _by_depth(shown, joined)
    across = max(len(row) for row in rows)
    width = across * (_WIDE + _GAP) - _GAP + 2 * _MARGIN
    height = (len(rows) - 1) * _STEP + _HIGH + 2 * _MARGIN
    places = {}
    for depth, row in enumerate(rows):
        start = (width - len(row) * (_WIDE + _GAP) + _GAP) / 2
        for place, feature in enumerate(row):
            x = start + place * (_WIDE + _GAP) + _WIDE / 2
            places[feature] = x, height - _MARGIN - _HIGH / 2 - depth * _STEP
    largest = max((abs(mass) for w in joined for mass in _masses(w)), default=0.0) or 1.0
    parts = [_lines(weight, places, largest, picture) for weight, picture in drawn]
    parts += [_box(member, places[feature]) for feature, member in shown.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'font-family="sans-serif" font-size="11"><title>{len(shown)} features and '
        f"{len(joined)} weights between them</title>{''.join(parts)}</svg>"
    )


def _by_depth(shown: Mapping[str, Any], joined: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the features in rows: sources before what they feed; sides left and right."""
    depth = {feature: shown[feature].get("position") for feature in shown}
    if None in depth.values():
        depth = dict.fromkeys(shown, 0)
        for _ in shown:  # as many rounds as the longest chain can have
            for weight in joined:
                least = min(depth[weight["source"]] + 1, len(shown))
                depth[weight["target"]] = max(depth[weight["target"]], least)
    rows: list[list[str]] = []
    for level in sorted(set(depth.values())):
        row = [feature for feature in shown if depth[feature] == level]
        rows.append(sorted(row, key=lambda feature: (shown[feature].get("side") or 0, feature)))
    return rows


def _masses(weight: Mapping[str, Any]) -> tuple[float, float]:
    return float(weight["positive"] or 0), float(weight["negative"] or 0)


def _lines(
    weight: Mapping[str, Any],
    places: Mapping[str, tuple[float, float]],
    largest: float,
    picture: str,
) -> str:
    (x1, y1), (x2, y2) = places[weight["source"]], places[weight["target"]]
    positive, negative = _masses(weight)
    title = (
        f"{weight['source']} to {weight['target']}: excites {positive:.3g}, inhibits {negative:.3g}"
    )
    down = _HIGH / 2 if y1 > y2 else 0  # within a row the line goes from middle to middle
    length = math.hypot(x2 - x1, y2 - y1 + 2 * down) or 1.0
    across, along = (y2 - y1 + 2 * down) / length, (x2 - x1) / length
    found = []
    for colour, mass, aside in ((EXCITES, positive, 3), (INHIBITS, -negative, -3)):
        if mass:
            ends = (
                f'x1="{x1 + aside * across:.1f}" y1="{y1 - down - aside * along:.1f}" '
                f'x2="{x2 + aside * across:.1f}" y2="{y2 + down - aside * along:.1f}"'
            )
            found.append(
                f'<line {ends} stroke="{colour}" stroke-width="{6 * mass / largest:.2f}" '
                f'stroke-opacity="0.75"/>'
            )
    # What a pointer finds is wider than the lines, which may be thin.
    found.append(
        f'<line x1="{x1:.1f}" y1="{y1 - down:.1f}" x2="{x2:.1f}" y2="{y2 + down:.1f}" '
        'stroke="transparent" stroke-width="12"/>'
    )
    if picture:
        left, top = (x1 + x2 - SIZE) / 2, (y1 + y2 - SIZE) / 2
        found.append(
            f'<g class="kernel" visibility="hidden" transform="translate({left:.1f} {top:.1f})">'
            f"{picture}</g>"
        )
    return f'<g class="weight"><title>{escape(title)}</title>{"".join(found)}</g>'


def _box(member: Mapping[str, Any], place: tuple[float, float]) -> str:
    x, y = place
    feature = str(member["feature"])
    labels: Iterable[Any] = member.get("labels") or ()
    said = ", ".join(str(label) for label in labels)
    side = f" {member['side']}" if member.get("side") else ""
    role = f"{member.get('role') or ''}{side}"
    below = " · ".join(part for part in (role, said) if part)
    return (
        f'<g data-feature="{escape(feature)}">'
        f"<title>{escape(feature)}{escape(': ' + below if below else '')}</title>"
        f'<rect x="{x - _WIDE / 2:g}" y="{y - _HIGH / 2:g}" width="{_WIDE}" height="{_HIGH}" '
        'rx="6" fill="#f7f7f7" stroke="#636363"/>'
        f'<text x="{x:g}" y="{y - 4:g}" text-anchor="middle" font-weight="bold">'
        f"{escape(_short(feature.partition('/')[2] or feature))}</text>"
        f'<text x="{x:g}" y="{y + 12:g}" text-anchor="middle" fill="#444">'
        f"{escape(_short(below))}</text></g>"
    )


def _short(text: str, most: int = 26) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
