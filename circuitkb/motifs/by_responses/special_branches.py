"""Parallel branches, and how much of what their units answer to goes with the branch.

Memory: the responses of the units of one set of branches, in single precision.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.branch_specialisation import SpecialBranches
from circuitkb.motifs.by_responses.coupled_responses import Rows
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.observation.kept import battery_of
from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import KeptArray, Responses

ALONE = "their layer is no branch beside another"
FEW = "fewer than {} units of their branch answer"

Doubles = NDArray[np.float64]


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: SpecialBranches,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for specialised branches, with both nulls.

    Parameters
    ----------
    connections
        All of the model; only which layers they join is read.
    responses, motif, model
        What units answer, what to look for, and the model's name, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    kinds = [item.kind for item in battery_of(responses).stimuli]
    among = np.array([[one == kind for kind in dict.fromkeys(kinds)] for one in kinds], float)
    among /= among.sum(axis=0)
    sets = branches(connections, list(responses.rows))
    few = FEW.format(motif.least)
    reasons = {ALONE: 0, few: 0}
    seen = {name for names in sets for name in names}
    reasons[ALONE] = sum(size for name, size in responses.layers if name not in seen)
    tests = []
    for place, names in enumerate(sets):
        progress(f"{model}: comparing branches", 0.95 * place / len(sets))
        real = Profiles.of(responses.after, responses, names, among, motif.least)
        null = Profiles.of(responses.shuffled_after, responses, names, among, motif.least)
        reasons[few] += sum(
            responses.rows[name].stop - responses.rows[name].start
            for name in set(names) - set(real.names)
        )
        if len(real.names) > 1:
            tests.append(_test(real, null, motif, model, rng))
    progress(f"{model}: searched", 1.0)
    return findings_of(
        motif,
        tests,
        connections,
        model=model,
        seed=seed,
        started=started,
        battery=responses.battery,
        not_tested=reasons,
    )


def branches(connections: Sequence[Connection], layers: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the sets of layers that feed a common one, with no way between any two of them.

    Examples
    --------
    >>> units = np.zeros((1, 1), np.int32)
    >>> kernel = np.ones((1, 1, 1, 1, 1), np.float32)
    >>> ends = ["ab", "ac", "bd", "cd"]
    >>> given = [Connection(e, e[0], e[1], "direct", units, units, kernel) for e in ends]
    >>> branches(given, ["a", "b", "c", "d"])
    [('b', 'c')]
    """
    into: dict[str, set[str]] = {}
    for one in connections:
        into.setdefault(one.target, set()).add(one.source)
    before: dict[str, set[str]] = {}
    for name in layers:  # in the order of the network
        held = into.get(name, set())
        before[name] = held.union(*(before.get(source, set()) for source in held))
    found: dict[tuple[str, ...], None] = {}
    for sources in into.values():
        known = [name for name in layers if name in sources and name != "input"]
        apart = tuple(
            name
            for name in known
            if not any(name in before[other] or other in before[name] for other in known)
        )
        if len(apart) > 1:
            found[apart] = None
    return list(found)


class Profiles(NamedTuple):
    """What the units of some branches answer to.

    Attributes
    ----------
    names
        Of the branches with units enough.
    branch, unit
        Place of each unit's branch, and its number there.
    values
        Mean answer to each kind of stimulus, standardised over all stimuli; axes (unit, kind).
    """

    names: tuple[str, ...]
    branch: Rows
    unit: Rows
    values: Doubles

    @classmethod
    def of(
        cls,
        answers: KeptArray,
        responses: Responses,
        names: Sequence[str],
        among: Doubles,
        least: int,
    ) -> Profiles:
        """Read them."""
        held, parts, units = [], [np.empty((0, among.shape[1]))], [np.empty(0, np.intp)]
        for name in names:
            own = answers[responses.rows[name]]
            (unit,) = np.nonzero(is_responsive(own))
            if len(unit) < least:
                continue
            shown = own[unit].astype(np.float64)
            shown -= shown.mean(axis=1, keepdims=True)
            held.append(name)
            parts.append(shown / shown.std(axis=1, keepdims=True) @ among)
            units.append(unit)
        branch = np.repeat(np.arange(len(held)), [len(unit) for unit in units[1:]])
        return cls(tuple(held), branch, np.concatenate(units), np.concatenate(parts))


def between(values: Doubles, branch: Rows) -> float:
    """Return the share of the variance of profiles that lies between branches.

    Examples
    --------
    >>> between(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1]))
    1.0
    """
    whole = np.square(values - values.mean(axis=0)).sum()
    if not whole:
        return 0.0
    within = 0.0
    for one in np.unique(branch):
        own = values[branch == one]
        within += np.square(own - own.mean(axis=0)).sum()
    return float(1 - within / whole)


def _test(
    real: Profiles, null: Profiles, motif: SpecialBranches, model: str, rng: np.random.Generator
) -> LayerTest:
    def statistic(values: Doubles, branch: Rows) -> Statistic:
        share = np.array([between(values, branch)])
        return Statistic(share, motif.explained_share(share))

    def drawn() -> Statistic:
        places = [np.flatnonzero(null.branch == one) for one in np.unique(null.branch)]
        chosen = [rng.choice(own, len(own)) for own in places]
        if len(chosen) < 2:
            return Statistic(np.zeros(1), np.zeros(1, bool))
        every = np.concatenate(chosen)
        return statistic(null.values[every], null.branch[every])

    def describe(place: int) -> Described:
        del place
        members = []
        for branch, name in enumerate(real.names):
            here = np.flatnonzero(real.branch == branch)
            own = real.values[here]
            away = np.square(own - own.mean(axis=0)).sum(axis=1)
            for one in here[np.argsort(away, kind="stable")[: motif.named]].tolist():
                feature = str(FeatureId(model, name, int(real.unit[one])))
                members.append(Member(feature, motif.target, facing=f"branch {name}"))
        return Described(tuple(members), (), {"branches": list(real.names)})

    draws = range(motif.draws)
    return LayerTest(
        " + ".join(real.names),
        statistic(real.values, real.branch),
        {
            "exchanged": Statistic.draws(
                statistic(real.values, rng.permutation(real.branch)) for _ in draws
            ),
            "shuffled": Statistic.draws(drawn() for _ in draws),
        },
        describe,
    )
