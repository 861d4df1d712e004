"""What is not explained, and what people claim: the page of what is still open."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from statistics import fmean
from typing import Any

from circuitkb.atlas.covered import covered
from circuitkb.atlas.given import ROWS, SECONDS
from circuitkb.atlas.page import Page, Table
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.motifs.explained import DRAWS
from circuitkb.report.record import Record
from circuitkb.report.unexplained import Told, told
from circuitkb.results.result import Result

LEAD = (
    "What found circuits leave unexplained of the variance around them: that of all units of the "
    "layers that hold a target, before the nonlinearity, over the battery. A target is predicted "
    "from the edges of its cases alone, all else at its mean; of a unit without a circuit nothing "
    "is explained. Layers without any target are not counted here: of them nothing is explained.",
    "The null: each target's edges exchanged for those of the same ranks of a random unit of its "
    f"layer, {DRAWS} times.",
)

NOTHING = (
    "Nothing is explained: no network was observed and then searched for circuits by its "
    "responses (circuitkb observe MODEL, circuitkb find union)."
)

_KEPT = (
    "Share of the l1 of all inputs that the graph does not hold. Searches read every weight; "
    "questions in Cypher read what the graph holds."
)

_UNTESTED = (
    "As they were said. None was tested as a claim: the outcome is that of the circuit's own "
    "trial, where it was tried, and reviews are opinions."
)

_LEFT_OUT = """\
MATCH (f:Feature) WHERE f.input_l1 > 0
RETURN f.model AS model, count(f) AS features,
  round(sum(f.left_out_l1) / sum(f.input_l1), 4) AS left_out_of_l1
ORDER BY model"""

_OPEN = """\
MATCH (f:Feature) WHERE f.answers
OPTIONAL MATCH (f)-[:MEMBER_OF]->(c:Circuit)
WITH f, count(c) AS circuits
OPTIONAL MATCH (f)<-[:ANNOTATES]-(a:Annotation {kind: 'label', state: 'live'})
WITH f, circuits, count(a) AS labels
WITH f.model AS model, f.layer AS layer, count(f) AS answering,
  sum(CASE WHEN circuits = 0 AND labels = 0 THEN 1 ELSE 0 END) AS without_either
RETURN model, layer, without_either, answering ORDER BY without_either DESC, model, layer"""

_STATE = (
    "MATCH (i:Import) RETURN i.id AS id, i.created AS created ORDER BY id",
    "MATCH (c:Circuit) RETURN c.model AS model, c.trial AS trial, count(c) AS circuits "
    "ORDER BY model, trial",
    "MATCH (a:Annotation) RETURN a.state AS state, count(a) AS annotations ORDER BY state",
)
"""What tells that nothing has changed that the shares depend on."""

_CLAIMS = """\
MATCH (a:Annotation {kind: 'claim', state: 'live'})-[:ANNOTATES]->(o)
OPTIONAL MATCH (a)-[:BY]->(w:Annotator)
WITH a, w, o
OPTIONAL MATCH (r:Annotation {kind: 'review', state: 'live'})-[:ANNOTATES]->(a)
RETURN o.id AS node, o.motif AS motif, a.text AS claim, w.name AS said_by, o.trial AS outcome,
  sum(CASE WHEN r.verdict = 'agree' THEN 1 ELSE 0 END) AS agree,
  sum(CASE WHEN r.verdict = 'disagree' THEN 1 ELSE 0 END) AS disagree
ORDER BY CASE WHEN motif IS NULL THEN 1 ELSE 0 END, node, claim, said_by"""


def coverage(kb: KnowledgeBase, kept: MutableMapping[str, list[Told]] | None = None) -> Page:
    """Return what circuits leave unexplained, model by model, and what people claim.

    Parameters
    ----------
    kept
        Keeps what takes seconds, as long as the circuits, trials and labels are what they were.
    """
    kept = {} if kept is None else kept
    state = repr([kb.query(text, limit=None).rows for text in _STATE])
    if state not in kept:
        kept.clear()
        kept[state] = told(Record.read(kb.store))
    found = kept[state]
    tables = [Table("What is not explained", Result.of_records(map(_row, found)))] if found else []
    layers = [row for one in found for row in _layers(one)]
    if layers:
        tables.append(Table("Layer by layer, the best explained first", _sorted(layers)))
    measured, galleries = covered(kb)
    tables += measured
    for title, text, note in (
        ("Answered the battery, and has neither a label nor a circuit", _OPEN, ""),
        ("What the graph leaves out of the weights", _LEFT_OUT, _KEPT),
        ("What people claim", _CLAIMS, _UNTESTED),
    ):
        result = kb.query(text, limit=ROWS, timeout=SECONDS)
        if result.rows:
            tables.append(Table(title, result, note))
    return Page(
        "What is not explained",
        "coverage",
        LEAD if found else (NOTHING,),
        galleries=galleries,
        tables=tuple(tables),
    )


def _row(one: Told) -> dict[str, Any]:
    by = one.explained
    return {
        "model": one.name,
        "unexplained": None if by is None else round(by.unexplained, 4),
        "null_mean": None if by is None else round(fmean(by.null), 4),
        "null_least": None if by is None else round(min(by.null), 4),
        "targets": 0 if by is None else by.targets,
        "units_around": 0 if by is None else by.units,
        "targets_not_told": 0 if by is None else by.left_out,
        "circuits": one.circuits,
        "tried": one.tried,
        "held": one.held,
        "labelled": one.labelled,
        "units": one.units,
    }


def _layers(one: Told) -> Iterator[dict[str, Any]]:
    if one.explained is not None:
        for layer, share in one.explained.layers.items():
            yield {"model": one.name, "layer": layer, "unexplained": round(share, 4)}


def _sorted(rows: list[dict[str, Any]]) -> Result:
    return Result.of_records(sorted(rows, key=lambda row: row["unexplained"]))
