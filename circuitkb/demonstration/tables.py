"""The demo's tables: small ones, out of the records of its steps and the whole answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from circuitkb.results.result import Result

if TYPE_CHECKING:
    from circuitkb.kb.knowledge_base import KnowledgeBase

Row = Mapping[str, Any]

BEST = 3
"""Rows of the answer that are shown of each model."""

_OBSERVED = ("model", "stimuli", "units", "silent", "oriented", "oriented_shuffled")
_FOUND = ("model", "tested", "circuits", "groups")
_CONTROLS = {
    "responses": ("hits", "pairs", "permuted_hits_mean", "permuted_hits_max", "matched_hits_mean"),
    "kernels": ("hits", "shuffled_hits_mean", "shuffled_hits_max"),
}
"""What a search counts besides circuits, and what its controls give, by what was searched."""

_MATCHED = (
    "what",
    "compared_first",
    "compared_second",
    "mutual_nearest",
    "above_threshold",
    "found",
    "null_mean",
    "null_max",
    "q_max",
)
_ASKED = (
    "model",
    "unions",
    "pairs",
    "distinct_pairs",
    "analogous",
    "hits_mean",
    "null_mean",
    "published_only",
)


def records(kb: KnowledgeBase, kind: str) -> dict[str, Row]:
    """Return what the last step of one kind wrote about each model: its figures and ``created``.

    Parameters
    ----------
    kind
        ``observe``, or ``find`` (for unions of left-right mirrors).
    """
    wanted = {"motif": "union", "of": "mirror left-right"} if kind == "find" else {}
    return {row["model"]: row for row in _records(kb, kind) if wanted.items() <= row.items()}


def match_record(kb: KnowledgeBase, first: str, second: str) -> Row | None:
    """Return what the last match of two models wrote; None if they were not matched."""
    found = [row for row in _records(kb, "match") if row["models"] == [first, second]]
    return found[-1] if found else None


def _records(kb: KnowledgeBase, kind: str) -> list[dict[str, Any]]:
    rows = kb.query(
        "MATCH (i:Import {kind: $kind}) RETURN i.model AS model, i.summary AS summary, "
        "i.created AS created ORDER BY created, i.id",
        {"kind": kind},
        limit=None,
    )
    return [
        {**json.loads(row["summary"]), "model": row["model"], "created": row["created"]}
        for row in rows
    ]


def observed(rows: Iterable[Row]) -> Result:
    """Return one row for each network that was observed."""
    return _table(_OBSERVED, rows)


def found(rows: Iterable[Row], by: str) -> Result:
    """Return one row for each model that was searched by ``responses``, or by ``kernels``."""
    flat = [{**row, **row["null"]} for row in rows if row["by"] == by]
    return _table((*_FOUND, *_CONTROLS[by]), flat)


def matched(rows: Iterable[Row]) -> Result:
    """Return one row for features and one for circuits."""
    return _table(_MATCHED, rows)


def distinct_pairs(kb: KnowledgeBase) -> dict[str, int]:
    """Return for each model how many different pairs of units its unions unite."""
    rows = kb.query(
        "MATCH (a:Feature)-[x:MEMBER_OF]->(c:Circuit {motif: 'union', origin: 'found'})"
        "<-[y:MEMBER_OF]-(b:Feature) WHERE x.side = 1 AND y.side = 2 "
        "RETURN DISTINCT c.model AS model, a.id AS one, b.id AS two",
        limit=None,
    )
    pairs = {(row["model"], frozenset((row["one"], row["two"]))) for row in rows}
    return Counter(model for model, _ in pairs)


def asked(rows: Iterable[Row], pairs: Mapping[str, int]) -> Result:
    """Return one row for each model: what the whole answer holds of it.

    Columns: ``unions``, targets found; ``pairs`` at targets that passed; ``distinct_pairs`` among
    them; ``analogous``, targets with an analogous union in another model; the means over targets
    of ``hits`` and of what chance gives; ``published_only``, published and not found.

    Parameters
    ----------
    rows
        The whole answer.
    pairs
        What :func:`distinct_pairs` returned.
    """
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    summaries = []
    for model in sorted(by_model):
        all_rows = by_model[model]
        unions = [row for row in all_rows if row["origin"] == "found"]
        summaries.append(
            {
                "model": model,
                "unions": len(unions),
                "pairs": sum(row["pairs"] for row in unions),
                "distinct_pairs": pairs.get(model, 0),
                "analogous": sum(bool(row["analogous"]) for row in unions),
                "hits_mean": _mean(row["hits"] for row in unions),
                "null_mean": _mean(row["null_mean"] for row in unions),
                "published_only": len(all_rows) - len(unions),
            }
        )
    return _table(_ASKED, summaries)


def best(rows: Iterable[Row], labels: Mapping[str, str]) -> Result:
    """Return the best rows of one model, narrow enough for a terminal.

    Those with an analogous union come first, then the smallest q, then the largest score. Names
    of units stand without the model's, labels below them, and each side with its best unit.

    Parameters
    ----------
    labels
        Of features, by id.
    """
    chosen = sorted(
        (row for row in rows if row["origin"] == "found"),
        key=lambda row: (not row["analogous"], row["q"], -row["score"], row["target"]),
    )[:BEST]
    return _table(
        ("target", "sides", "pairs", "score", "hits", "null_mean", "q", "analogous"),
        [
            {
                **row,
                "target": _named(row["target"], labels),
                "sides": "\n".join(
                    f"{side} {_unit(units[0], len(units) - 1, labels)}"
                    for side, units in ((1, row["side_1"]), (2, row["side_2"]))
                ),
                "score": round(row["score"], 3),
                "null_mean": round(row["null_mean"], 3),
                "q": round(row["q"], 4),
                "analogous": "\n".join(map(_short, row["analogous"])),
            }
            for row in chosen
        ],
    )


def _unit(feature: str, more: int, labels: Mapping[str, str]) -> str:
    return _named(feature, labels, more=f" and {more} more" if more else "", indent="  ")


def _named(feature: str, labels: Mapping[str, str], *, more: str = "", indent: str = "") -> str:
    """Return a unit without its model, its label on a line of its own."""
    label = labels.get(feature, "")
    return _short(feature) + more + (f"\n{indent}{label}" if label else "")


def _short(feature: str) -> str:
    return feature.partition("/")[2]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 3) if known else None


def _table(columns: Sequence[str], rows: Iterable[Row]) -> Result:
    return Result.of_records(rows, columns=columns)
