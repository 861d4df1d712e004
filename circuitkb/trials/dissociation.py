"""What the trial of a circuit of two cases takes away, and what that must cost.

If a unit unites the cases A and B, then each of them excites it by itself. That is tried by taking
edges away, in three parts, each of which may fail:

- **dissociation**: without A the unit loses what it responds to A's ten best stimuli, and not what
  it responds to B's; and the other way round; and another input of its rank, or of equal l1, costs
  less. Of both cases and both kinds of controls the larger p counts, and of the loss itself and
  its difference between the two sides, too.
- **peak**: without both cases the unit loses more on its own ten best stimuli than without any two
  inputs of neighbouring rank.
- **sufficiency**: on a case's ten best stimuli the unit rises by at least one standard deviation
  above its mean, and with all else held at its mean, that case alone gives half of the rise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import TOP, CoupledResponses, Rows
from circuitkb.motifs.by_responses.input_masses import InputMasses, read_masses, usable
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import KeptArray

CONTROLS = 20
"""Inputs of each kind that stand in for a case; more of them would be less like it."""

LEAST_CONTROLS = 19
"""With fewer no p is 5% or less, and the trial is undecided."""

ENOUGH = 0.5
"""Share of the rise that a case that suffices gives alone."""

LEAST_RISE = 1.0
"""Standard deviations that there must be to give: half of nothing is given by every input."""

RANK, L1 = "neighbouring rank", "equal l1"

KINDS = (RANK, L1)
"""What controls share with a case: the rank of mass times spread, or the kernel's l1."""

PARTS = ("dissociation", "peak", "sufficiency")

Values = NDArray[np.float64]


class Suspect(NamedTuple):
    """A circuit to be tried: its id, the row of its target, those of its cases of sides 1 and 2."""

    circuit: str
    target: int
    cases: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is taken away from one target, and what it is shown.

    Attributes
    ----------
    suspect
        The circuit.
    best
        For each case the places of the stimuli that it responds to most, then for the target.
    controls
        For each kind, the rows of the inputs that stand in for either case.
    sums
        Net sums of the kernels of all inputs, by row.
    """

    suspect: Suspect
    best: tuple[Rows, Rows, Rows]
    controls: Mapping[str, tuple[Rows, Rows]]
    sums: Mapping[int, float] = field(default_factory=dict)

    @property
    def stimuli(self) -> Rows:
        """Places of all stimuli that are shown, each once, in order."""
        return np.unique(np.concatenate(self.best))

    @property
    def inputs(self) -> Rows:
        """Rows of the inputs that are taken away one by one: the cases first, each once."""
        cases = np.array(self.suspect.cases, np.intp)
        rest = np.concatenate([rows for kind in self.controls.values() for rows in kind])
        return np.concatenate([cases, np.setdiff1d(rest, cases)])


def plans(
    connections: Sequence[Connection], coupled: CoupledResponses, suspects: Iterable[Suspect]
) -> list[Plan]:
    """Return what each circuit's trial takes; each kernel is read once.

    Controls are the inputs of the same target, other than its two cases, nearest to a case in rank.
    Those that respond like a case, as its copies along a residual stream do, are among them.
    """
    by_layer: dict[str, list[Suspect]] = {}
    for suspect in suspects:
        by_layer.setdefault(coupled.unit_of(suspect.target)[0], []).append(suspect)
    found = []
    for layer, own in by_layer.items():
        into = usable([c for c in connections if c.target == layer], coupled)
        masses = read_masses(into, coupled, ("excites", "inhibits"))
        found += [_plan(suspect, masses, coupled) for suspect in own]
    return found


def _plan(suspect: Suspect, masses: InputMasses, coupled: CoupledResponses) -> Plan:
    own = int(np.flatnonzero(masses.targets == suspect.target)[0])
    (there,) = np.nonzero(masses.edge[own])
    excites, inhibits = (masses.mass[sign][own, there] for sign in ("excites", "inhibits"))
    rows = masses.sources[there]
    sizes = {RANK: excites * coupled.spread[rows], L1: excites + inhibits}
    controls = {}
    for kind, size in sizes.items():
        ranked = rows[np.argsort(-size, kind="stable")]
        one, other = (nearest(ranked, case, suspect.cases) for case in suspect.cases)
        controls[kind] = one, other
    first, second, peak = (best_stimuli(coupled, row) for row in (*suspect.cases, suspect.target))
    sums = dict(zip(rows.tolist(), (excites - inhibits).tolist(), strict=True))
    return Plan(suspect, (first, second, peak), controls, sums)


def best_stimuli(coupled: CoupledResponses, row: int) -> Rows:
    """Return the places of the stimuli, of those that the transform changes, that excite most."""
    shown = coupled.shown[row, coupled.stimuli].astype(np.float32)
    found: Rows = coupled.stimuli[np.argsort(-shown, kind="stable")[:TOP]]
    return found


def nearest(ranked: Rows, case: int, cases: tuple[int, ...]) -> Rows:
    """Return the inputs nearest in rank to a case, other than the cases."""
    place = int(np.flatnonzero(ranked == case)[0])
    near = ranked[np.argsort(np.abs(np.arange(len(ranked)) - place), kind="stable")]
    found: Rows = near[~np.isin(near, cases)][:CONTROLS]
    return found


@dataclass(frozen=True, eq=False)
class Measured:
    """What a target gave, in the network or as it was predicted.

    Attributes
    ----------
    before, after
        Of the target as it is, to ``plan.stimuli``, before and after its nonlinearity.
    gives
        What each of ``plan.inputs`` gives to the pre-activation, axes (input, stimulus).
    without, without_both
        After the nonlinearity without each of these inputs, and without both cases.
    """

    before: Values
    after: Values
    gives: Values
    without: Values
    without_both: Values


@dataclass(frozen=True, eq=False)
class Usual:
    """What a target and its cases give over the whole battery.

    Attributes
    ----------
    before, after
        Responses of the target: they say what its nonlinearity does.
    given
        Mean of what each of ``plan.inputs`` gives to its pre-activation.
    spread
        Standard deviation of the target's responses, in which losses are told.
    """

    before: Values
    after: Values
    given: Values
    spread: float

    def nonlinear(self, before: Values) -> Values:
        """Return what the target gives for these pre-activations, from its own responses."""
        import torch

        from circuitkb.loaders.activations.pointwise import between

        read = between(self.before, self.after)
        found: Values = read(torch.from_numpy(np.ascontiguousarray(before))).numpy()
        return found


@dataclass(frozen=True)
class Part:
    """How one part of a trial came out.

    Attributes
    ----------
    value, null_mean
        What was measured, and the mean of the same for the controls.
    p
        Share of the controls that do as much; None where a threshold decides.
    passed
        Whether it holds by itself; q over all trials is not asked yet.
    """

    value: float
    null_mean: float
    p: float | None
    passed: bool


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a trial gave.

    Attributes
    ----------
    parts
        By name; see :data:`PARTS`.
    dissociation
        Of either case: its loss on its own best stimuli less that on the other's.
    lost, crossed
        Share of the target's response on a case's best stimuli that goes with that case, and that
        goes with the other.
    controls
        Of each kind, of the case that has fewer.
    """

    parts: Mapping[str, Part]
    dissociation: tuple[float, float]
    lost: tuple[float, float]
    crossed: tuple[float, float]
    controls: Mapping[str, int]

    @property
    def decidable(self) -> bool:
        """Whether there are enough controls of each kind."""
        return min(self.controls.values()) >= LEAST_CONTROLS


def judge(plan: Plan, found: Measured, usual: Usual) -> Verdict:
    """Compare what the cases' edges are worth to the target with what its other inputs' are.

    Examples
    --------
    A target that adds up what three inputs give; the third stands in for either case:

    >>> plan = Plan(Suspect("c", 9, (0, 1)), (np.array([0]), np.array([1]), np.array([0])),
    ...             {kind: (np.array([2]), np.array([2])) for kind in KINDS})
    >>> gives = np.array([[3.0, 0], [0, 2], [1, 1]])
    >>> whole = gives.sum(axis=0)
    >>> found = Measured(whole, whole, gives, whole - gives, whole - gives[:2].sum(axis=0))
    >>> verdict = judge(plan, found, Usual(whole, whole, gives.mean(axis=1), 1.0))
    >>> verdict.dissociation, verdict.lost, verdict.parts["dissociation"].p
    ((3.0, 2.0), (0.75, 0.666...), 0.5)
    """
    place = {int(row): number for number, row in enumerate(plan.inputs)}
    on = [np.isin(plan.stimuli, best) for best in plan.best]
    loss = (found.after - found.without) / usual.spread
    # Axes (side, input): what an input costs on a side's stimuli, and more than on the other's.
    costs = np.stack([loss[:, chosen].mean(axis=1) for chosen in on[:2]])
    splits = costs - costs[::-1]
    stand_ins = {
        kind: [np.array([place[int(row)] for row in rows], np.intp) for rows in both]
        for kind, both in plan.controls.items()
    }
    p, null = 0.0, np.inf
    for side in (0, 1):
        for both in stand_ins.values():
            for figures in (costs[side], splits[side]):
                p = max(p, _p(figures[both[side]], figures[side]))
            if len(both[side]):
                null = min(null, float(splits[side, both[side]].mean()))
    own = float(splits[0, 0]), float(splits[1, 1])
    whole = [float(found.after[chosen].mean()) / usual.spread for chosen in on[:2]]
    parts = {
        "dissociation": Part(min(own), null if np.isfinite(null) else 0.0, p, p <= 0.05),
        "peak": _peak(stand_ins, found, usual, on[2]),
        "sufficiency": _sufficiency(stand_ins[RANK], found, usual, on),
    }
    return Verdict(
        parts=parts,
        dissociation=own,
        lost=(_share(costs[0, 0], whole[0]), _share(costs[1, 1], whole[1])),
        crossed=(_share(costs[0, 1], whole[0]), _share(costs[1, 0], whole[1])),
        controls={kind: min(map(len, both)) for kind, both in stand_ins.items()},
    )


def _peak(
    stand_ins: Mapping[str, Sequence[Rows]], found: Measured, usual: Usual, on: NDArray[np.bool_]
) -> Part:
    """Compare the loss on the target's own best stimuli with that of any two stand-ins."""
    lost = float((found.after - found.without_both)[on].mean()) / usual.spread
    before, after, gives = found.before[on], found.after[on], found.gives[:, on]
    worst, mean = 0.0, 0.0
    for one, other in stand_ins.values():
        # All pairs of stand-ins: exchanging each case for one of its own gives each once.
        both = gives[one][:, None] + gives[other][None]
        null = (after - usual.nonlinear(before - both)).mean(axis=2).ravel() / usual.spread
        p = _p(null, lost)
        if p >= worst:
            worst, mean = p, float(null.mean()) if len(null) else 0.0
    return Part(lost, mean, worst, worst <= 0.05)


def _sufficiency(
    stand_ins: Sequence[Rows], found: Measured, usual: Usual, on: Sequence[NDArray[np.bool_]]
) -> Part:
    """Hold all else at its mean: what share of the target's rise does either case give alone?"""
    level = float(usual.before.mean())
    resting = float(usual.nonlinear(np.array([level]))[0])
    shares, null, rises = [], [], []
    for side in (0, 1):
        rise = float(found.after[on[side]].mean() - usual.after.mean())
        alone = usual.nonlinear(level + found.gives[side][on[side]] - usual.given[side])
        rises.append(rise / usual.spread)
        shares.append(_share(float(alone.mean()) - resting, rise))
        rows = stand_ins[side]
        given = found.gives[rows][:, on[side]] - usual.given[rows, None]
        others = usual.nonlinear(level + given)
        null += [_share(value - resting, rise) for value in others.mean(axis=1).tolist()]
    least = min(shares)
    enough = least >= ENOUGH and min(rises) >= LEAST_RISE
    return Part(least, float(np.mean(null)) if null else 0.0, None, enough)


def _p(null: Values, value: float) -> float:
    # What rounding makes of equal costs is no difference.
    return float((1 + (null >= value - 1e-9).sum()) / (1 + len(null)))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if abs(whole) > 1e-9 else 0.0


def predicted(plan: Plan, coupled: CoupledResponses, before: KeptArray) -> Measured:
    """Return what kernels and kept responses say that the network will give, without running it.

    An edge gives the net sum of its kernel times the source's response. That is exact where kernels
    have one place; where they have several, the source is known where it looks at the stimulus
    alone, and is taken to respond alike around it.

    Parameters
    ----------
    before
        Responses of all units before their nonlinearity, axes (unit, stimulus).
    """
    usual = usual_of(plan, coupled, before)
    own = usual.before[plan.stimuli]
    shown = coupled.shown[plan.inputs][:, plan.stimuli].astype(np.float64)
    gives = np.array([plan.sums[row] for row in plan.inputs.tolist()])[:, None] * shown
    return Measured(
        own,
        usual.nonlinear(own),
        gives,
        usual.nonlinear(own - gives),
        usual.nonlinear(own - gives[:2].sum(axis=0)),
    )


def usual_of(plan: Plan, coupled: CoupledResponses, before: KeptArray) -> Usual:
    """Return what the target and its inputs give over the whole battery."""
    row = plan.suspect.target
    means = coupled.shown[plan.inputs].mean(axis=1, dtype=np.float64)
    sums = np.array([plan.sums[row] for row in plan.inputs.tolist()])
    return Usual(
        before[row].astype(np.float64),
        coupled.shown[row].astype(np.float64),
        sums * means,
        float(coupled.spread[row]),
    )
