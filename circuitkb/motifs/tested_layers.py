"""What passes where each layer has candidates with a statistic, and draws of each null beside them.

q is by target and decoy over all hits of the model, for each null; the larger one counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.group_findings import FoundGroup, GroupFindings, Member
from circuitkb.motifs.groups import Groups
from circuitkb.motifs.members import weights_between
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.observation.measures.nulls import share_reached
from circuitkb.schema.kernels import Connection

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Statistic(NamedTuple):
    """A number for each candidate, and whether it fulfils every criterion: then it is a hit.

    One axis, (candidate,); of a null two, (draw, candidate), with the same or other candidates.
    """

    value: Doubles
    fits: Flags

    @classmethod
    def draws(cls, parts: Iterable[Statistic]) -> Statistic:
        """Return the draws of a null."""
        every = list(parts)
        return cls(np.stack([one.value for one in every]), np.stack([one.fits for one in every]))


class Described(NamedTuple):
    """One candidate that passed: its members, edges to write, and what else was measured."""

    members: tuple[Member, ...]
    edges: Sequence[tuple[str, str]] = ()
    figures: Mapping[str, Any] = {}
    score: float | None = None


class LayerTest(NamedTuple):
    """The candidates of one layer, and what each null gives there.

    Attributes
    ----------
    layer
        Its name.
    real, nulls
        Of the candidates, and of each null by name.
    describe
        What to say of a candidate that passed, given by its place.
    """

    layer: str
    real: Statistic
    nulls: Mapping[str, Statistic]
    describe: Callable[[int], Described]


def findings_of(
    motif: Groups,
    tests: Sequence[LayerTest],
    connections: Sequence[Connection],
    *,
    model: str,
    seed: int,
    started: float,
    battery: str | None = None,
    not_tested: Mapping[str, int] | None = None,
) -> GroupFindings:
    """Return what passed both nulls, with counts of each layer.

    Parameters
    ----------
    motif
        Names the rate.
    tests
        Of all layers; every one names the same nulls.
    connections
        Kernels from which edges are written.
    model, seed, battery, not_tested
        For the report.
    started
        When the search began, by :func:`time.perf_counter`.
    """
    q = _q(tests)
    groups: list[FoundGroup] = []
    edges: list[tuple[str, str]] = []
    layers: dict[str, dict[str, float]] = {}
    for test, own in zip(tests, q, strict=True):
        passed = np.flatnonzero(own <= motif.fdr)
        layers[test.layer] = {
            "tested": len(test.real.value),
            "hits": int(test.real.fits.sum()),
            "found": len(passed),
            **{
                name: round(float(null.fits.sum(axis=1).mean()), 2)
                for name, null in test.nulls.items()
            },
        }
        for place in passed.tolist():
            said = test.describe(place)
            groups.append(_group(test, place, float(own[place]), said))
            edges += said.edges
    tested = sum(len(test.real.value) for test in tests)
    return GroupFindings(
        motif=motif,
        model=model,
        seed=seed,
        battery=battery,
        tested=tested,
        tests=tested,
        not_tested={name: count for name, count in (not_tested or {}).items() if count},
        counts={"hits": sum(int(test.real.fits.sum()) for test in tests)},
        controls={
            name: tuple({"hits": count} for count in _hits(tests, name))
            for name in (tests[0].nulls if tests else ())
        },
        weights=weights_between(edges, connections, model),
        groups=tuple(sorted(groups, key=lambda one: (one.q, one.p, -one.value))),
        layers=layers,
        seconds=time.perf_counter() - started,
    )


def _hits(tests: Sequence[LayerTest], name: str) -> list[int]:
    """Return how many hits of the model each draw of a null gives."""
    found: list[int] = np.sum([t.nulls[name].fits.sum(axis=1) for t in tests], axis=0).tolist()
    return found


def _q(tests: Sequence[LayerTest]) -> list[Doubles]:
    """Return q of every candidate, 1 where it is no hit."""
    found = [np.ones(len(test.real.value)) for test in tests]
    hits = np.concatenate([np.empty(0), *(t.real.value[t.real.fits] for t in tests)])
    if not len(hits):
        return found
    each = []
    for name in tests[0].nulls:
        nulls = [test.nulls[name] for test in tests]
        decoys = np.concatenate([null.value[null.fits] for null in nulls])
        each.append(target_decoy_q(-hits, -decoys, len(nulls[0].value)))
    worst = np.max(each, axis=0)
    start = 0
    for test, own in zip(tests, found, strict=True):
        count = int(test.real.fits.sum())
        own[test.real.fits] = worst[start : start + count]
        start += count
    return found


def _group(test: LayerTest, place: int, q: float, said: Described) -> FoundGroup:
    value = float(test.real.value[place])
    p, mean, count = 0.0, 0.0, 0
    for null in test.nulls.values():
        # Where candidates are the same ones, each has draws of its own.
        own = null.value.ravel()
        mine = null.value.shape[1] == len(test.real.value)
        reached = np.where(null.fits, null.value, -np.inf).ravel()
        share = float(share_reached(np.array([value]), reached)[0])
        if share > p:
            p, count = share, len(own)
            mean = float(null.value[:, place].mean() if mine else own.mean()) if len(own) else 0.0
    score = value if said.score is None else said.score
    return FoundGroup(said.members, score, value, mean, count, p, q, said.figures, test.layer)
