"""What raters agree on, by a rule that stands beside it; a view, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from circuitkb.annotations.comparing.ratings import Ratings, ratings
from circuitkb.annotations.comparing.waiting import waiting
from circuitkb.results.result import Result
from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import Store

Rule = Literal["majority", "unanimous", "any"]

COLUMNS = (
    "feature",
    "model",
    "layer",
    "unit",
    "concept",
    "for",
    "against",
    "raters",
    "share",
    "rule",
)

_MEANING = {
    "majority": "more than half of those who rated the concept there",
    "unanimous": "all of those who rated the concept there",
    "any": "at least one of those who rated the concept there",
}


def consensus(
    store: Store,
    models: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    rule: Rule = "majority",
    least_raters: int = 2,
) -> Result:
    """Return the concepts that raters agree on, for each unit.

    Parameters
    ----------
    store
        The knowledge base.
    models, layers
        Names to look in; all if not given.
    rule
        Who must give a concept: more than half of its raters (``majority``), all of them
        (``unanimous``), or one (``any``). See
        :mod:`circuitkb.annotations.comparing.ratings` for who rates.
    least_raters
        Raters that a concept must have at a unit.

    Returns
    -------
    Result
        One row for each unit and concept; a note says how many units have no consensus.

    Raises
    ------
    QueryError
        An unknown rule, or fewer than one rater.
    NotFoundError
        No such model or layer.
    """
    found = consensus_of(ratings(store, models, layers), rule, least_raters)
    return replace(found, notes=(*waiting(store, models, layers).notes, *found.notes))


def consensus_of(found: Ratings, rule: Rule = "majority", least_raters: int = 2) -> Result:
    """Return the consensus of ratings that were read already; see :func:`consensus`.

    Examples
    --------
    >>> from circuitkb.annotations.comparing.ratings import Unit, from_rows
    >>> unit = Unit("m/a:0", "m", "a", 0)
    >>> rows = [(unit, rater, "human", "curve", "agree") for rater in ("ada", "grace")]
    >>> consensus_of(from_rows([*rows, (unit, "mary", "human", "line", "agree")]))["concept"]
    ['curve']
    """
    if rule not in get_args(Rule):
        raise QueryError(f"rule is {rule!r}: it must be one of {', '.join(get_args(Rule))}.")
    if least_raters < 1:
        raise QueryError(f"least_raters is {least_raters}: it must be a number from 1.")
    counts = found.counts()
    accepted = (
        {
            "majority": 2 * counts.yes > counts.raters,
            "unanimous": counts.yes == counts.raters,
            "any": counts.yes > 0,
        }[rule]
        & (counts.raters >= least_raters)
        & (counts.yes > 0)
    )
    rows = []
    for i in np.flatnonzero(accepted).tolist():
        yes, raters = int(counts.yes[i]), int(counts.raters[i])
        rows.append(
            (
                *found.units[counts.unit[i]],
                found.concepts[counts.concept[i]],
                yes,
                raters - yes,
                raters,
                yes / raters,
                rule,
            )
        )
    with_one = len(np.unique(counts.unit[accepted]))
    few = len(np.setdiff1d(np.flatnonzero(counts.rated < least_raters), counts.unit[accepted]))
    notes = (
        f"Rule {rule}: {_MEANING[rule]}, where {least_raters} raters or more did. Humans, groups, "
        "models and tools count alike; nothing is stored.",
        f"{with_one} of {len(found.units)} rated units have a consensus, "
        f"{len(found.units) - with_one} have none: {few} of them were labelled by fewer than "
        f"{least_raters} raters.",
    )
    return Result(COLUMNS, tuple(rows), notes=notes)
