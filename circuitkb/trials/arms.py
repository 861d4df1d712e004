"""Edges of a target taken away together: what that costs, beside other inputs of the same target.

A claim of two sides has two arms. Each says: without these edges the target changes on its *own*
stimuli, in the way that is claimed, and more than on the *other* ones. The trial of the union
(:mod:`~circuitkb.trials.dissociation`) is older, and shows one target both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.input_masses import InputMasses, read_masses, usable
from circuitkb.motifs.motif import Sign
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import KeptArray
from circuitkb.trials.dissociation import ENOUGH, L1, LEAST_RISE, RANK, Part, Usual, nearest

Values = NDArray[np.float64]


class Arm(NamedTuple):
    """One side of a claim; units are rows of the responses.

    Attributes
    ----------
    target
        Whose edges are taken away.
    edges
        The inputs that they come from.
    own, other
        Places of the stimuli on which that must tell, and of those on which it must tell less.
    sign
        ``excites``: the target must lose; ``inhibits``: it must gain.
    instead
        Inputs of the other side: their edges are taken away from this target for comparison, and
        they stand in for none.
    """

    target: int
    edges: tuple[int, ...]
    own: Rows
    other: Rows
    sign: Sign = "excites"
    instead: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class ArmPlan:
    """What is taken away from one target.

    Attributes
    ----------
    arm
        The claim.
    controls
        For each kind, and each edge, the rows of the inputs that stand in for it.
    instead
        Those of the other side's inputs that have an edge to the target.
    sums
        Net sums of the kernels of all inputs, by row.
    """

    arm: Arm
    controls: Mapping[str, tuple[Rows, ...]]
    instead: Rows
    sums: Mapping[int, float]

    @property
    def stimuli(self) -> Rows:
        """Places of all stimuli that are shown, each once, in order."""
        return np.union1d(self.arm.own, self.arm.other)

    @property
    def inputs(self) -> Rows:
        """Rows of the inputs that are taken away one by one: the edges first, each once."""
        edges = np.array(self.arm.edges, np.intp)
        rest = [rows for kind in self.controls.values() for rows in kind]
        return np.concatenate([edges, np.setdiff1d(np.concatenate([*rest, self.instead]), edges)])


def plan_arms(
    connections: Sequence[Connection], coupled: CoupledResponses, arms: Iterable[Arm]
) -> list[ArmPlan]:
    """Return what is taken away for each arm, in order; the kernels of a layer are read once.

    Raises
    ------
    TrialError
        An edge is not there, or comes from a unit that hardly responds.
    """
    arms = list(arms)
    layers = [coupled.unit_of(arm.target)[0] for arm in arms]
    found: dict[int, ArmPlan] = {}
    for layer in dict.fromkeys(layers):
        into = usable([c for c in connections if c.target == layer], coupled)
        masses = read_masses(into, coupled, ("excites", "inhibits")) if into else None
        for number in (number for number, name in enumerate(layers) if name == layer):
            found[number] = _plan(arms[number], masses, coupled)
    return [found[number] for number in range(len(arms))]


def _plan(arm: Arm, masses: InputMasses | None, coupled: CoupledResponses) -> ArmPlan:
    found = np.flatnonzero(masses.targets == arm.target) if masses else np.empty(0, np.intp)
    missing = TrialError("An edge that is to be taken away is not there, or its input is silent.")
    if masses is None or not len(found):
        raise missing
    own = int(found[0])
    (there,) = np.nonzero(masses.edge[own])
    rows = masses.sources[there]
    if not set(arm.edges) <= set(rows.tolist()):
        raise missing
    by_sign = {sign: mass[own, there] for sign, mass in masses.mass.items()}
    sizes = {
        RANK: by_sign[arm.sign] * coupled.spread[rows],
        L1: by_sign["excites"] + by_sign["inhibits"],
    }
    controls = {
        kind: tuple(
            nearest(rows[np.argsort(-size, kind="stable")], edge, (*arm.edges, *arm.instead))
            for edge in arm.edges
        )
        for kind, size in sizes.items()
    }
    net = (by_sign["excites"] - by_sign["inhibits"]).tolist()
    instead = np.intersect1d(np.array(arm.instead, np.intp), rows)
    return ArmPlan(arm, controls, instead, dict(zip(rows.tolist(), net, strict=True)))


@dataclass(frozen=True, eq=False)
class Given:
    """What a target gave, in the network or as it was predicted; the last axis is the stimulus.

    Attributes
    ----------
    before, after
        Of the target as it is, before and after its nonlinearity.
    gives
        What each of ``plan.inputs`` gives to the pre-activation.
    without
        After the nonlinearity without the edges.
    """

    before: Values
    after: Values
    gives: Values
    without: Values


def usual_of_arm(plan: ArmPlan, coupled: CoupledResponses, before: KeptArray) -> Usual:
    """Return what the target and its inputs give over the whole battery."""
    row, inputs = plan.arm.target, plan.inputs
    sums = np.array([plan.sums[row] for row in inputs.tolist()])
    return Usual(
        before[row].astype(np.float64),
        coupled.shown[row].astype(np.float64),
        sums * coupled.shown[inputs].mean(axis=1, dtype=np.float64),
        float(coupled.spread[row]),
    )


def predicted_arm(plan: ArmPlan, coupled: CoupledResponses, usual: Usual) -> Given:
    """Return what kernels and kept responses say that the network will give, without running it.

    As :func:`circuitkb.trials.dissociation.predicted` does: exact where kernels have one place.
    """
    before = usual.before[plan.stimuli]
    shown = coupled.shown[plan.inputs][:, plan.stimuli].astype(np.float64)
    gives = np.array([plan.sums[row] for row in plan.inputs.tolist()])[:, None] * shown
    edges = gives[: len(plan.arm.edges)].sum(axis=0)
    return Given(before, usual.nonlinear(before), gives, usual.nonlinear(before - edges))


@dataclass(frozen=True, eq=False)
class ArmEnd:
    """How an arm came out; what is told in standard deviations of the target.

    Attributes
    ----------
    own, other
        What the edges cost (or held back) on either stimuli.
    p
        The larger share, over both kinds of controls and over ``own`` and ``split``, of the sets of
        stand-ins that do as much.
    null_mean
        The smaller mean ``split`` of the sets.
    instead
        What the edges of the other side's inputs cost this target on its own stimuli.
    alone, alone_null
        Share of the target's rise on its own stimuli that the edges give with all else at its mean;
        the same of stand-ins of neighbouring rank.
    rise, released, released_null
        How far the target is above its mean on its own stimuli: as it is, without the edges, and
        without stand-ins of neighbouring rank.
    controls
        Of the edge and the kind that has fewest.
    """

    own: float
    other: float
    p: float
    null_mean: float
    instead: float
    alone: float
    alone_null: float
    rise: float
    released: float
    released_null: float
    controls: int

    @property
    def split(self) -> float:
        """What the edges tell on the own stimuli more than they change on the other ones."""
        return self.own - abs(self.other)


def end_of(plan: ArmPlan, found: Given, usual: Usual) -> ArmEnd:
    """Compare what the edges are worth to the target with what sets of its other inputs are.

    Examples
    --------
    A target that adds up what three inputs give; the third stands in for the first:

    >>> arm = Arm(9, (0,), np.array([0]), np.array([1]))
    >>> stand_in = {kind: (np.array([2]),) for kind in (RANK, L1)}
    >>> plan = ArmPlan(arm, stand_in, np.array([1]), {})
    >>> gives = np.array([[3.0, 0], [0, 2], [1, 1]])
    >>> whole = gives.sum(axis=0)
    >>> usual = Usual(whole, whole, gives.mean(axis=1), 1.0)
    >>> end = end_of(plan, Given(whole, whole, gives, whole - gives[0]), usual)
    >>> end.own, end.split, end.p, end.instead
    (3.0, 3.0, 0.5, 0.0)
    """
    arm, place = plan.arm, {int(row): number for number, row in enumerate(plan.inputs)}
    own, other = (np.isin(plan.stimuli, some) for some in (arm.own, arm.other))
    way = 1 if arm.sign == "excites" else -1

    def both(without: Values) -> tuple[Values, Values]:
        costs = way * (found.after - without) / usual.spread
        return costs[..., own].mean(axis=-1), costs[..., other].mean(axis=-1)

    ours = [float(each) for each in both(found.without)]
    p, null_mean = 0.0, np.inf
    sets: dict[str, Values] = {}
    for kind, stand_ins in plan.controls.items():
        chosen = [[place[int(row)] for row in rows] for rows in stand_ins]
        every = np.array(list(product(*chosen)), np.intp).reshape(-1, len(stand_ins))
        sets[kind] = found.gives[every].sum(axis=1)
        there, elsewhere = both(usual.nonlinear(found.before - sets[kind]))
        split = there - np.abs(elsewhere)
        p = max(p, _p(there, ours[0]), _p(split, ours[0] - abs(ours[1])))
        if len(there):
            null_mean = min(null_mean, float(split.mean()))
    places = [place[int(row)] for row in plan.instead]
    instead = both(usual.nonlinear(found.before - found.gives[places].sum(axis=0)))[0]
    mean = float(usual.after.mean())
    rise = float(found.after[own].mean()) - mean
    level = float(usual.before.mean())
    resting = float(usual.nonlinear(np.array([level]))[0])
    edges = slice(len(arm.edges))
    given = found.gives[edges][:, own].sum(axis=0) - usual.given[edges].sum()
    by_rank = sets[RANK][:, own] - _means(plan, place, usual)[:, None]
    alone, others = usual.nonlinear(level + given), usual.nonlinear(level + by_rank)
    freed = usual.nonlinear(found.before - sets[RANK])[:, own]
    return ArmEnd(
        own=ours[0],
        other=ours[1],
        p=p,
        null_mean=null_mean if np.isfinite(null_mean) else 0.0,
        instead=float(instead),
        alone=_share(float(alone.mean()) - resting, rise),
        alone_null=_share(float(others.mean()) - resting, rise) if len(others) else 0.0,
        rise=rise / usual.spread,
        released=(float(found.without[own].mean()) - mean) / usual.spread,
        released_null=(float(freed.mean()) - mean) / usual.spread if len(freed) else 0.0,
        controls=min(len(rows) for kind in plan.controls.values() for rows in kind),
    )


def _means(plan: ArmPlan, place: Mapping[int, int], usual: Usual) -> Values:
    """Return what each set of stand-ins of neighbouring rank gives on average."""
    chosen = [[place[int(row)] for row in rows] for rows in plan.controls[RANK]]
    every = np.array(list(product(*chosen)), np.intp).reshape(-1, len(chosen))
    means: Values = usual.given[every].sum(axis=1)
    return means


def dissociation(ends: Sequence[ArmEnd]) -> Part:
    """Return whether both arms tell more on their own stimuli, beyond their controls."""
    p = max(end.p for end in ends)
    return Part(min(end.split for end in ends), min(end.null_mean for end in ends), p, p <= 0.05)


def sufficiency(ends: Sequence[ArmEnd]) -> Part:
    """Return whether the edges of each arm give half of the target's rise by themselves."""
    least = min(end.alone for end in ends)
    held = least >= ENOUGH and min(end.rise for end in ends) >= LEAST_RISE
    return Part(least, float(np.mean([end.alone_null for end in ends])), None, held)


def _p(null: Values, value: float) -> float:
    # What rounding makes of equal costs is no difference.
    return float((1 + (null >= value - 1e-9).sum()) / (1 + len(null)))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if abs(whole) > 1e-9 else 0.0
