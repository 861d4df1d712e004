"""Features by features: the kernel of every weight between them, in a grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from circuitkb.observation.measures.measure import PICTURE as SIZE
from circuitkb.results.pictures.colours import EXCITES, INHIBITS

_CELL, _LABELS, _HEAD = SIZE + 4, 190, 150
_INK = "#1b1f24"


def kernel_matrix(weights: Sequence[Mapping[str, Any]], kernels: Sequence[str]) -> str:
    """Return the SVG of a grid: a row for each source, a column for each target.

    A cell has the kernel, where it covers several places; of one place a square, red where it
    excites and blue where it inhibits, as strong as the mass is large beside the largest one. Two
    weights between the same features, by two connections, share a cell, half of it each.

    Parameters
    ----------
    weights
        Each with ``source``, ``target``, ``positive`` and ``negative``.
    kernels
        SVG of each; empty where it covers one place.

    Examples
    --------
    >>> svg = kernel_matrix([{"source": "m/a:0", "target": "m/b:1", "positive": 2.0,
    ...                       "negative": 0.0}], [""])
    >>> "m/a:0 to m/b:1: excites 2, inhibits 0" in svg, svg.count(EXCITES)
    (True, 1)
    >>> kernel_matrix([], [])
    ''
    """
    if not weights:
        return ""
    sources = list(dict.fromkeys(weight["source"] for weight in weights))
    targets = list(dict.fromkeys(weight["target"] for weight in weights))
    largest = max(max(_masses(weight)) for weight in weights) or 1.0
    cells = defaultdict(list)
    for weight, kernel in zip(weights, kernels, strict=True):
        cells[weight["source"], weight["target"]].append((weight, kernel))
    width = _LABELS + len(targets) * _CELL + _HEAD // 2
    height = _HEAD + len(sources) * _CELL + 4
    parts = [
        f'<text x="{_LABELS - 6}" y="{_HEAD + row * _CELL + _CELL / 2 + 4:g}" text-anchor="end" '
        f'fill="{_INK}"><title>{escape(source)}</title>{escape(_local(source))}</text>'
        for row, source in enumerate(sources)
    ]
    parts += [
        f'<text transform="translate({_LABELS + column * _CELL + _CELL / 2:g} {_HEAD - 6}) '
        f'rotate(-60)" fill="{_INK}"><title>{escape(target)}</title>{escape(_local(target))}</text>'
        for column, target in enumerate(targets)
    ]
    for (source, target), held in cells.items():
        x = _LABELS + targets.index(target) * _CELL
        y = _HEAD + sources.index(source) * _CELL
        parts.append(_cell(x, y, held, largest))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="11">'
        f"<title>Weights of {len(sources)} features into {len(targets)}</title>"
        f"{''.join(parts)}</svg>"
    )


def _cell(x: float, y: float, held: Sequence[tuple[Mapping[str, Any], str]], largest: float) -> str:
    said = "\n".join(
        f"{weight['source']} to {weight['target']}: excites {weight['positive'] or 0:.3g}, "
        f"inhibits {weight['negative'] or 0:.3g}"
        for weight, _ in held
    )
    side = SIZE / len(held)
    inside = "".join(
        f'<svg x="{place * side:.1f}" width="{side:.1f}" height="{side:.1f}">'
        f"{kernel or _square(weight, side, largest)}</svg>"
        for place, (weight, kernel) in enumerate(held)
    )
    return f'<g transform="translate({x:g} {y:g})"><title>{escape(said)}</title>{inside}</g>'


def _square(weight: Mapping[str, Any], side: float, largest: float) -> str:
    positive, negative = _masses(weight)
    colour, mass = (EXCITES, positive) if positive >= negative else (INHIBITS, negative)
    return (
        f'<rect width="{side:.1f}" height="{side:.1f}" fill="{colour}" '
        f'fill-opacity="{mass / largest:.2f}" stroke="#ccc"/>'
    )


def _masses(weight: Mapping[str, Any]) -> tuple[float, float]:
    return float(weight["positive"] or 0), -float(weight["negative"] or 0)


def _local(feature: str) -> str:
    text = feature.partition("/")[2] or feature
    return text if len(text) <= 26 else "…" + text[-25:]
