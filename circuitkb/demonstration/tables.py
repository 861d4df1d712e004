"""The demo's tables: small ones, out of the records of its steps and the whole answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from circuitkb.results.result import Result

if TYPE_CHECKING:
    from circuitkb.kb.knowledge_base import KnowledgeBase

Row = Mapping[str, Any]

BEST = 3
"""Rows of the answer that are shown of each model."""

RATE = 0.05
"""Largest q of a pair that is beyond chance."""

_OBSERVED = ("model", "stimuli", "units", "silent", "oriented", "oriented_shuffled")
_FOUND = ("model", "tested", "circuits", "groups", "held")
_CONTROLS = {
    "responses": (
        "found_two_peaks",
        "hits",
        "two_peaks",
        "permuted_hits_mean",
        "permuted_hits_max",
        "permuted_two_peaks_mean",
        "matched_hits_mean",
    ),
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
    "pairs",
    "beyond_chance",
    "unions",
    "held",
    "analogous",
    "targets_mean",
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
    flat = [
        {**row, **row["null"], "held": row["held"] if row.get("tried") else None}
        for row in rows
        if row["by"] == by
    ]
    return _table((*_FOUND, *_CONTROLS[by]), flat)


def matched(rows: Iterable[Row]) -> Result:
    """Return one row for features and one for circuits."""
    return _table(_MATCHED, rows)


def asked(rows: Iterable[Row]) -> Result:
    """Return one row for each model: what the whole answer holds of it.

    Columns: ``pairs`` of cases, and those ``beyond_chance`` (q of the pair at most 5%; none where
    kernels are all that is known); ``unions``, the targets that unite them; ``held``, circuits
    whose trial held (none where none was tried); ``analogous``, pairs with an analogous union in
    another model; the means over pairs of the targets that fulfil every criterion and of those that
    chance gives; ``published_only``, published and not found.

    Parameters
    ----------
    rows
        The whole answer.
    """
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    summaries = []
    for model in sorted(by_model):
        all_rows = by_model[model]
        found = [row for row in all_rows if row["origin"] == "found"]
        known = [row["pair_q"] for row in found if row["pair_q"] is not None]
        summaries.append(
            {
                "model": model,
                "pairs": sum(row["pairs"] for row in found),
                "beyond_chance": sum(q <= RATE for q in known) if known else None,
                "unions": len({target for row in found for target in row["targets"]}),
                "held": sum(row["held"] for row in found)
                if any(r["tried"] for r in found)
                else None,
                "analogous": sum(bool(row["analogous"]) for row in found),
                "targets_mean": _mean(row["pair_targets"] for row in found),
                "null_mean": _mean(row["pair_null"] for row in found),
                "published_only": len(all_rows) - len(found),
            }
        )
    return _table(_ASKED, summaries)


def best(rows: Iterable[Row], labels: Mapping[str, str]) -> Result:
    """Return the best rows of one model, narrow enough for a terminal.

    Those with an analogous union come first, then in the order of the answer. Names of units stand
    without the model's, labels below them, and each side with its best unit.

    Parameters
    ----------
    labels
        Of features, by id.
    """
    chosen = sorted(
        (row for row in rows if row["origin"] == "found"), key=lambda row: not row["analogous"]
    )[:BEST]
    return _table(
        ("sides", "shape", "unions", "pair_null", "pair_q", "target", "q", "analogous"),
        [
            {
                **row,
                "target": _named(row["target"], labels),
                "sides": "\n".join(
                    f"{side} {_unit(units[0], len(units) - 1, labels)}"
                    + (f"\n  {facing}" if facing else "")
                    for side, units, facing in (
                        (1, row["side_1"], row["facing_1"]),
                        (2, row["side_2"], row["facing_2"]),
                    )
                ),
                "shape": row["shape"] or "not tested",
                "pair_null": _rounded(row["pair_null"], 2),
                "pair_q": _rounded(row["pair_q"], 4),
                "q": round(row["q"], 4),
                "analogous": "\n".join(map(_short, row["analogous"][:BEST])),
            }
            for row in chosen
        ],
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


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
