"""The layers of a model in a row: of each, which share of its features something holds for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from circuitkb.results.pictures.figure import Figure
from circuitkb.stores.base import Store

_LABELS, _BAR, _HIGH, _GAP, _TOP, _FOOT = 150, 18, 48, 26, 24, 150
_INK, _FAINT, _GROUND = "#1b1f24", "#57606a", "#eaeef2"


_LAYERS = """\
MATCH (f:Feature {model: $model})
OPTIONAL MATCH (f)-[:MEMBER_OF]->(c:Circuit)
WITH f, count(c) AS circuits
OPTIONAL MATCH (f)<-[:ANNOTATES]-(a:Annotation {kind: 'label', state: 'live'})-[:BY]->(w:Annotator)
WHERE w.type <> 'tool'
WITH f, circuits, count(a) AS said
WITH f.layer AS layer, count(f) AS features,
  sum(CASE WHEN f.answers THEN 1 ELSE 0 END) AS answering,
  sum(CASE WHEN f.orientation IS NOT NULL THEN 1 ELSE 0 END) AS oriented,
  sum(CASE WHEN f.curve_direction IS NOT NULL THEN 1 ELSE 0 END) AS curved,
  sum(CASE WHEN circuits > 0 THEN 1 ELSE 0 END) AS in_circuits,
  sum(CASE WHEN said > 0 THEN 1 ELSE 0 END) AS labelled
MATCH (y:Layer {model: $model, name: layer})
RETURN layer, y.position AS position, features, answering, oriented, curved, in_circuits,
  labelled
ORDER BY position, layer"""

SHARES = {
    "answering": "answer to the battery",
    "oriented": "orientation beyond chance",
    "curved": "direction of curves likewise",
    "in_circuits": "in a circuit",
    "labelled": "labelled by people",
}


def layers(store: Store, model: str) -> Figure | None:
    """Return the layers of a model in a row, each with what was found in it; None without any."""
    answer = store.read(_LAYERS, {"model": model}, limit=None)
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    drawn = shares_picture(rows, SHARES)
    caption = f"{model}: of each layer, dark, the share of its features."
    return Figure(drawn, caption, model) if drawn else None


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
