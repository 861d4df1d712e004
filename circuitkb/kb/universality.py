"""Motif by network: what was found, beside chance and beside networks trained on something else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, groupby
from math import comb
from operator import itemgetter
from statistics import fmean
from typing import Any

from circuitkb.kb.ask import ask
from circuitkb.kb.prerequisites import some
from circuitkb.results.result import Result
from circuitkb.stores import known_names
from circuitkb.stores.base import DEFAULT_TIMEOUT, Store

QUESTION = "motif-by-network"

MOST = 20_000
"""Choices of networks that are all tried; of more so many are drawn."""

_Row = dict[str, Any]


def universality(
    store: Store, controls: Sequence[str], models: Sequence[str], motif: str
) -> Result:
    """Return motif by network; see :meth:`circuitkb.kb.match.Matching.universality`."""
    known_names.check_models(store, [*controls, *models])
    given = {"controls": list(controls), "models": list(models), "motif": motif}
    found = ask(store, QUESTION, given, timeout=DEFAULT_TIMEOUT, limit=None).result
    return replace(
        found,
        notes=(
            *found.notes,
            *_older(store, models),
            *_compared(found.to_dicts(), controls),
        ),
    )


def _older(store: Store, models: Sequence[str]) -> Iterator[str]:
    """Name the searches that left no counts to compare."""
    rows = store.read(
        "MATCH (i:Import {kind: 'find'}) WHERE i.tested IS NULL AND i.model IS NOT NULL "
        "AND (size($models) = 0 OR i.model IN $models) "
        "RETURN i.source AS motif, i.model AS model ORDER BY motif, model",
        {"models": list(models)},
        limit=None,
    ).rows
    for motif, searches in groupby(rows, key=itemgetter(0)):
        names = [model for _, model in searches]
        yield (
            f"{motif}: searched in {some(names)} by an older version, which left no counts for "
            f"this. To search again: circuitkb find {motif} --model {names[0]}"
        )


def _compared(rows: Sequence[_Row], controls: Sequence[str]) -> Iterator[str]:
    """Say of each motif whether networks have more of it than those trained on something else."""
    if not controls:
        return
    for (motif, of), each in groupby(rows, key=itemgetter("motif", "of")):
        rates: dict[bool, list[float]] = {True: [], False: []}
        searches = list(each)
        tested = {row["network"]: row["tested"] for row in searches}
        for row in searches:
            if row["tested"]:
                rates[row["control"]].append(row["per_1000"])
        if left := [name for name in controls if name not in tested]:
            yield f"{motif}, {of}: not searched in {some(left)}, so not compared with it."
        if none := [name for name, count in tested.items() if not count]:
            yield (
                f"{motif}, {of}: nothing could be tested in {some(none)}; that is no rate of 0, "
                "and is left out."
            )
        if rates[True] and rates[False]:
            p, ways = exchanged(rates[False], rates[True])
            yield (
                f"{motif}, {of}: for 1,000 tested {fmean(rates[False]):.2f} on average of "
                f"{len(rates[False])} networks, {fmean(rates[True]):.2f} of {len(rates[True])} "
                f"trained on something else; p {p:.3f}, of {ways:,} ways to say which are which."
            )


def exchanged(rates: Sequence[float], controls: Sequence[float]) -> tuple[float, int]:
    """Return how often rates exceed those of controls as much, where it is drawn which are which.

    Networks are the unit, not their circuits, which are not independent; so few networks leave p
    large. All ways are tried, or 20,000 drawn.

    Examples
    --------
    >>> exchanged([3.0, 2.0, 4.0], [0.0, 1.0])
    (0.1, 10)
    >>> exchanged([0.0], [0.0])
    (1.0, 2)
    """
    every = [*rates, *controls]
    total, count = sum(every), len(controls)
    # The sum of those that are controls decides: what the others have is the rest.
    real = sum(controls) + 1e-9 * max(1.0, abs(total))
    ways = comb(len(every), count)
    if ways <= MOST:
        reached = sum(sum(chosen) <= real for chosen in combinations(every, count))
        return reached / ways, ways
    rng = random.Random(0)
    reached = sum(sum(rng.sample(every, count)) <= real for _ in range(MOST))
    return (1 + reached) / (1 + MOST), MOST
