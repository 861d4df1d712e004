"""How often a pattern of weights occurs, as a multiple of its count with weights permuted.

The text is one of the language of patterns (docs/patterns.md), which names features and weights and
nothing else; all its features are of the claim's model. Null: weights permuted. Stability: a second
seed of the permutations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitkb.claims.ways.way import Asked, NotTestableError, Run
from circuitkb.queries.patterns.pattern import Pattern, feature
from circuitkb.stores.base import Store

DRAWS = 20
"""Permutations, if a claim does not say."""

TIMEOUT = 600.0


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a pattern that cannot be read."""
    _within(model, prediction["pattern"])


def _within(model: str, text: str) -> Pattern:
    every = Pattern(text)
    features: dict[str, Any] = {name: feature(model=model) for name in every.names}
    return Pattern(text, unordered=True, **features)


def run(asked: Asked) -> Run:
    """Count the pattern, and count it with weights permuted, with two seeds."""
    pattern = asked.kb.pattern(_within(asked.model, asked.prediction["pattern"]))
    draws = asked.prediction.get("draws", DRAWS)
    first, second = (pattern.count_permuted(draws, seed=seed, timeout=TIMEOUT) for seed in (0, 1))
    if not first.mean or not second.mean:
        raise NotTestableError("with permuted weights it never occurs, so there is no ratio")
    return Run(
        first.matches / first.mean,
        (second.matches / second.mean,),
        "matches of the pattern, as a multiple of those with permuted weights",
        f"weights permuted {draws} times: {first.mean:.1f} matches on average",
        "a second seed",
        null=tuple(one / first.mean for one in first.null),
        detail={"matches": first.matches, "permuted": list(first.null)},
    )
