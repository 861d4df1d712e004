"""The map of a model's features by what they answer to, coloured by a label or a measure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.atlas.given import SECONDS, known
from circuitkb.atlas.links import address, map_address
from circuitkb.atlas.page import Drawing, Field, Page, Table
from circuitkb.atlas.projection import METHOD, NEIGHBOURS, Layout, layout
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.queries.lists.criteria import labels_of
from circuitkb.results.pictures.figure import Figure
from circuitkb.results.result import Result
from circuitkb.schema.errors import NotFoundError, ObservationError, QueryError
from circuitkb.schema.node_types import measured_properties
from circuitkb.schema.properties import Property
from circuitkb.schema.responses import Responses

if TYPE_CHECKING:
    import altair

MOST = 1_200
"""Features on one map."""

_FEWEST = 4

_KEPT = 20
"""Layouts that are kept, some kilobytes each."""

_LONGEST = 200
"""Characters of the labels of one feature on the map."""

_ANSWERING = """\
MATCH (f:Feature) WHERE f.answers
WITH f.model AS model, count(f) AS answering WHERE answering >= $least
RETURN model ORDER BY model"""

Rows = NDArray[np.intp]

_LABELS = 9
"""Labels that have a colour of their own: the commonest ones."""

_COLOURS = ("layer", "label", "circuits")

_NOT_SHOWN = (
    "Neighbours on the map answer alike; how far groups lie apart, and how large they are, says "
    "nothing."
)

_FEATURES = f"""\
MATCH (f:Feature {{model: $model}}) WHERE f.answers
OPTIONAL MATCH (f)-[:MEMBER_OF]->(c:Circuit)
WITH f, count(DISTINCT c) AS circuits
RETURN f.id AS feature, f.layer AS layer, circuits, {labels_of("f")} AS labels{{0}}
ORDER BY feature"""


def feature_map(
    kb: KnowledgeBase,
    model: str,
    query: Mapping[str, str],
    layouts: MutableMapping[bytes, Layout],
) -> Page:
    """Return the map of a model, or of one of its layers.

    Parameters
    ----------
    layouts
        Keeps what takes seconds, by the responses.

    Raises
    ------
    NotFoundError
        There is no such model or layer.
    ObservationError
        It was not observed, or too few of its units answer.
    QueryError
        The colour is none that features have.
    """
    given = known(query, {"layer", "colour"})
    measures = {p.name: p for p in measured_properties() if p.type in ("float", "integer")}
    choices = (*_COLOURS, *measures)
    colour = given.get("colour") or "layer"
    if colour not in choices:
        raise QueryError(f"colour is {colour!r}: it is one of {', '.join(choices)}.")
    responses = kb.responses(model)
    if responses is None:
        kb.show(model)
        raise ObservationError(
            f"{model!r} was not observed: circuitkb observe {model} shows it the battery."
        )
    layer = given.get("layer", "")
    if layer and layer not in responses.rows:
        raise NotFoundError(f"{model!r} has no layer {layer!r} that was observed.")
    columns = "".join(f", f.{name} AS {name}" for name in measures)
    text = _FEATURES.replace("{0}", columns)
    rows = kb.query(text, {"model": model}, limit=None, timeout=SECONDS).to_dicts()
    answering = [row for row in rows if layer in ("", row["layer"])]
    shown = _chosen(answering)
    if len(shown) < _FEWEST:
        raise ObservationError(
            f"{len(shown)} features answer there: a map needs {_FEWEST} of them."
        )
    places = np.array([responses.row(row["feature"]) for row in shown])
    laid = _laid(responses, places, layouts)
    layers = [name for name, _ in responses.layers]
    chart = _chart(_points(shown, laid, colour), colour, measures.get(colour), layers)
    columns_shown = tuple(name for name in ("feature", "layer", "labels", "circuits", *measures))
    return Page(
        f"Map of {model}{f', {layer}' if layer else ''}",
        map_address(model),
        (_said(len(shown), len(answering), laid),),
        kind="map",
        facts={"model": model},
        figures=(Figure(_svg(chart), f"Colour: {colour}. {_NOT_SHOWN}", model),),
        tables=(Table("Features on the map", Result.of_records(shown), columns=columns_shown),),
        form=(
            Field("colour", "colour", colour, choices, wanted=True),
            Field("layer", "layer", layer, tuple(responses.rows)),
        ),
        query={**given},
        drawing=Drawing("chart.js", chart.to_json(indent=None), ("vega.js",)),
    )


def mapped(kb: KnowledgeBase) -> list[str]:
    """Return the models that have a map: observed, and enough of their features answer."""
    answer = kb.query(_ANSWERING, {"least": _FEWEST}, limit=None, timeout=SECONDS)
    return [row["model"] for row in answer]


@cache
def javascript() -> str:
    """Return Vega with all that it needs, from vl-convert-python."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _chosen(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all features, or so many: in circuits or labelled first, then by chance."""
    if len(rows) <= MOST:
        return list(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    first = sorted(order, key=lambda place: not (rows[place]["circuits"] or rows[place]["labels"]))
    return [rows[place] for place in sorted(first[:MOST])]


def _laid(responses: Responses, rows: Rows, kept: MutableMapping[bytes, Layout]) -> Layout:
    values = responses.after[rows]
    known_by = hashlib.sha256(values.tobytes()).digest()
    if known_by not in kept:
        while len(kept) >= _KEPT:
            kept.pop(next(iter(kept)))
        kept[known_by] = layout(values)
    return kept[known_by]


def _said(shown: int, answering: int, laid: Layout) -> str:
    part = (
        f"{shown:,} of {answering:,} features that answer, those in circuits or with labels first "
        "and the others at random"
        if shown < answering
        else f"All {shown:,} features that answer"
    )
    return (
        f"{part}. {METHOD}: trustworthiness {laid.trustworthiness:.2f} "
        f"({NEIGHBOURS} neighbours), {laid.null:.2f} with the features permuted over the places."
    )


def _points(rows: Sequence[Mapping[str, Any]], laid: Layout, colour: str) -> list[dict[str, Any]]:
    common = {
        label
        for label, _ in Counter(label for row in rows for label in row["labels"]).most_common(
            _LABELS
        )
    }
    return [
        {
            "x": round(float(x), 2),
            "y": round(float(y), 2),
            "feature": row["feature"],
            "labels": ", ".join(row["labels"])[:_LONGEST],
            "page": address(row["feature"]),
            "colour": next((label for label in row["labels"] if label in common), None)
            if colour == "label"
            else row[colour],
        }
        for row, (x, y) in zip(rows, laid.places, strict=True)
    ]


def _chart(
    points: Sequence[Mapping[str, Any]],
    colour: str,
    measured: Property | None,
    layers: Sequence[str],
) -> altair.Chart:
    import altair

    if measured is not None and measured.period:
        domain = [0, measured.period]
        scale = altair.Color("colour:Q", scale=altair.Scale(scheme="sinebow", domain=domain))
    elif measured is not None or colour == "circuits":
        scale = altair.Color("colour:Q", scale=altair.Scale(scheme="viridis"))
    elif colour == "layer":
        there = {point["colour"] for point in points}
        order = [layer for layer in layers if layer in there]
        scale = altair.Color("colour:O", sort=order, scale=altair.Scale(scheme="viridis"))
    else:
        scale = altair.Color("colour:N", scale=altair.Scale(scheme="tableau10"))
    known_colour = altair.datum.colour != None  # noqa: E711  # an expression of Vega, not of Python
    chart: altair.Chart = (
        altair.Chart(altair.InlineData(values=list(points)))
        .mark_circle(size=36, opacity=0.8)
        .encode(
            x=altair.X("x:Q", axis=None),
            y=altair.Y("y:Q", axis=None),
            color=altair.condition(known_colour, scale.title(colour), altair.value("#d0d7de")),
            tooltip=["feature:N", "labels:N", altair.Tooltip("colour:N", title=colour)],
        )
        .properties(width=640, height=520)
        .configure(aria=False, background="white")
        .configure_view(stroke=None)
        .configure_legend(symbolLimit=60, columns=2)
    )
    return chart


def _svg(chart: altair.Chart) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg(chart.to_json(indent=None)))
