"""Whether circuits of two mirrored cases hold on cut-outs that are pasted on backgrounds.

What each unit answers to a cut-out is averaged over all backgrounds, once as the cut-out is and
once mirrored. Asked of each circuit is whether one case answers to the mirrored cut-outs as the
other does to the plain ones, whether the target answers to what either case likes and to both sides
alike, and whether that goes through the cases. Each is asked of stand-ins and of a copy of the
network with shuffled weights, too. ``docs/composites.md`` has what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows, couples
from circuitkb.motifs.union import UNION
from circuitkb.observation.measures.nulls import RATE, corrected
from circuitkb.observation.stimuli.composites import Composites
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, parts, silent
from circuitkb.trials.dissociation import RANK, Plan, Suspect, Verdict, plans, usual_of
from circuitkb.trials.showing import Shown
from circuitkb.trials.united_cases import larger_q, outcome_of, run_plans

if TYPE_CHECKING:
    from circuitkb.loaders.activations.reading import Onlooker
    from circuitkb.loaders.sources.pixels import PixelRange

MIRRORED, STRONGLY, ANSWERS, INVARIANT, DISSOCIATION, TRIAL = MEASURES = (
    "cases mirrored",
    "cases mirrored above .8",
    "target answers to both",
    "target invariant",
    "dissociation",
    "trial held",
)

AT_ONCE = 64
"""Composites that are held together while they are shown."""

DRAWS = 199
"""Draws of stand-ins."""

_ROUNDING = 1e-6

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked of all circuits.

    Attributes
    ----------
    value
        The figure of each circuit; NaN where it could not be tested.
    holds, tested
        For each circuit.
    null
        Whether it holds of stand-ins, axes (draw, circuit).
    copy
        Whether it holds in the copy with shuffled weights; None where that is not run.
    """

    value: NDArray[np.float64]
    holds: Flags
    tested: Flags
    null: Flags
    copy: Flags | None = None


def answers_to(
    onlookers: Sequence[Onlooker],
    shown: Composites,
    pixels: PixelRange,
    progress: Progress = silent,
) -> tuple[Floats, Floats]:
    """Return what units answer before and after their nonlinearity, axes (unit, composite).

    Parameters
    ----------
    onlookers
        A network, or a copy of it, in all of its ways of looking; units stand in their order.
    pixels
        What it reads for black and white.
    """
    units = [sum(onlooker.units.values()) for onlooker in onlookers]
    before, after = np.empty((2, sum(units), len(shown)), np.float32)
    ends = np.cumsum(units).tolist()
    for onlooker, end, count, tell in zip(
        onlookers, ends, units, parts(progress, len(onlookers)), strict=True
    ):
        view = onlooker.view
        for first in range(0, len(shown), AT_ONCE):
            tell("Showing composites", first / len(shown))
            some = np.arange(first, min(len(shown), first + AT_ONCE))
            drawn = shown.images(some, rows=view.rows, columns=view.columns, centre=view.centre)
            for side, seen in zip(
                (before, after), onlooker.responses(pixels.apply(drawn)), strict=True
            ):
                side[end - count : end, first : first + len(some)] = seen.T
    return before, after


def over_cut_outs(
    answers: Floats, shown: Composites, layers: Mapping[str, slice]
) -> CoupledResponses:
    """Return answers to the composites of one placement as those to cut-outs and mirrored ones.

    Parameters
    ----------
    answers
        After the nonlinearity, axes (unit, composite).
    layers
        Rows of each layer.
    """
    _, cut_outs, *_ = shown.shape
    mean = answers.reshape(len(answers), *shown.shape[1:]).mean(axis=(2, 4))
    both = np.ascontiguousarray(np.concatenate([mean[..., 0], mean[..., 1]], axis=1))
    plain = np.arange(cut_outs, dtype=np.intp)
    return CoupledResponses.of(both, layers, plain, cut_outs + plain)


def compare(
    own: CoupledResponses, copy: CoupledResponses, circuits: Rows, *, seed: int = 0
) -> dict[str, Asked]:
    """Ask what can be asked of answers alone; see :data:`MEASURES`.

    - *cases mirrored*: corr(A on mirrored cut-outs, B) less corr(A, B) is larger than with nearly
      all other units of B's layer in the place of B, and of A's in that of A (the larger p; q of
      all distinct pairs is 5% or less). Stand-ins: cases of different pairs.
    - *cases mirrored above .8*: the first correlation is above .8 and the second below .5, as the
      search asked on the battery. Stand-ins: other units of B's layer.
    - *target answers to both*: its mean answer to the ten cut-outs that A answers to most lies more
      than one standard deviation above its mean, and so for B. Stand-ins: other units of its layer.
    - *target invariant*: corr(it on mirrored cut-outs, it) is above .8. The same stand-ins.

    Parameters
    ----------
    own, copy
        The network and its copy, as :func:`over_cut_outs` gives them.
    circuits
        Rows of the target and of both cases, axes (circuit, 3).
    """
    random = np.random.default_rng(seed)
    targets, pairs = circuits[:, 0], circuits[:, 1:]
    can = own.measurable[circuits]
    cases_can, all_can = can[:, 1] & can[:, 2], can[:, 0] & can[:, 1] & can[:, 2]
    return {
        **_pairs(own, copy, pairs, cases_can, random),
        **_targets(own, copy, targets, pairs, can[:, 0], all_can, random),
    }


def _pairs(
    own: CoupledResponses,
    copy: CoupledResponses,
    pairs: Rows,
    tested: Flags,
    random: np.random.Generator,
) -> dict[str, Asked]:
    distinct, number = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    number = number.reshape(-1)
    one, other = distinct.T
    ranks = _Ranks.of(own, np.unique(distinct))
    p = ranks.p(one, other)
    passed = corrected(p) <= RATE
    cut = float(p[passed].max(initial=0))
    shuffled = []
    for _ in range(DRAWS if len(distinct) > 1 else 0):
        order = random.permutation(len(distinct))
        second = np.empty(len(distinct), np.intp)
        second[order] = other[np.roll(order, 1)]
        shuffled.append(ranks.p(one, second) <= cut)
    in_copy = _Ranks.of(copy, np.unique(distinct)).p(one, other) <= cut
    stand_ins = _stand_ins(own, other, random)
    strongly = np.array([_strongly(own, one, row) for row in stand_ins], bool)
    corr_image, corr = _correlations(own, one, other)
    return {
        MIRRORED: Asked(
            np.where(tested, (corr_image - corr)[number], np.nan),
            passed[number] & tested,
            tested,
            np.array(shuffled, bool).reshape(len(shuffled), len(distinct))[:, number],
            in_copy[number],
        ),
        STRONGLY: Asked(
            np.where(tested, corr_image[number], np.nan),
            _strongly(own, one, other)[number] & tested,
            tested,
            strongly[:, number],
            _strongly(copy, one, other)[number],
        ),
    }


def _targets(
    own: CoupledResponses,
    copy: CoupledResponses,
    targets: Rows,
    pairs: Rows,
    target_can: Flags,
    all_can: Flags,
    random: np.random.Generator,
) -> dict[str, Asked]:
    distinct, number = np.unique(targets, return_inverse=True)
    stand_ins = _stand_ins(own, distinct, random)[:, number]
    least = UNION.invariant
    weaker = _weaker_answer(own, targets[None], pairs)[0]
    return {
        ANSWERS: Asked(
            np.where(all_can, weaker, np.nan),
            (weaker > UNION.answers) & all_can,
            all_can,
            _weaker_answer(own, stand_ins, pairs) > UNION.answers,
            _weaker_answer(copy, targets[None], pairs)[0] > UNION.answers,
        ),
        INVARIANT: Asked(
            np.where(target_can, own.invariance[targets], np.nan),
            (own.invariance[targets] > least) & target_can,
            target_can,
            own.invariance[stand_ins] > least,
            copy.invariance[targets] > least,
        ),
    }


def _correlations(coupled: CoupledResponses, one: Rows, other: Rows) -> tuple[Floats, Floats]:
    """Return corr(one on the images, other) and corr(one, other), pair by pair."""
    even = np.einsum("ij,ij->i", coupled.even[one], coupled.even[other])
    odd = np.einsum("ij,ij->i", coupled.odd[one], coupled.odd[other])
    return even - odd, even + odd


def _strongly(coupled: CoupledResponses, one: Rows, other: Rows) -> Flags:
    corr_image, corr = _correlations(coupled, one, other)
    found: Flags = (corr_image > UNION.mirrored) & (corr < UNION.same)
    return found


def _weaker_answer(coupled: CoupledResponses, targets: Rows, pairs: Rows) -> Floats:
    """Return how targets, axes (draw, circuit), answer to what the case that moves them less likes.

    In standard deviations from their mean.
    """
    rows, place = np.unique(targets, return_inverse=True)
    cases, case = np.unique(pairs, return_inverse=True)
    answers = coupled.response_to(rows, cases)
    place, case = place.reshape(targets.shape), case.reshape(pairs.shape)
    found: Floats = np.minimum(answers[place, case[:, 0]], answers[place, case[:, 1]])
    return found


def _stand_ins(coupled: CoupledResponses, rows: Rows, random: np.random.Generator) -> Rows:
    """Draw another unit of its layer for each row, axes (draw, row); itself if there is none."""
    found = np.tile(rows, (DRAWS, 1))
    layers = coupled.layer_of(rows)
    names = list(coupled.layers)
    for layer in np.unique(layers).tolist():
        here = np.flatnonzero(layers == layer)
        pool = coupled.measurable_rows(names[layer])
        if len(pool) > 1:
            drawn = random.integers(0, len(pool) - 1, (DRAWS, len(here)))
            # The last one of the pool takes the place of the unit itself.
            found[:, here] = pool[drawn]
            own = found[:, here] == rows[here]
            found[:, here] = np.where(own, pool[-1], found[:, here])
    return found


@dataclass(frozen=True, eq=False)
class _Ranks:
    """How much each of some units is mirrored in every unit of their layers.

    Attributes
    ----------
    coupled, units
        Their rows, sorted.
    tables
        For each layer, axes (unit, unit of the layer), sorted: corr on the images less corr.
    """

    coupled: CoupledResponses
    units: Rows
    tables: Mapping[int, Floats]

    @classmethod
    def of(cls, coupled: CoupledResponses, units: Rows) -> _Ranks:
        names = list(coupled.layers)
        tables = {}
        for layer in np.unique(coupled.layer_of(units)).tolist():
            corr_image, corr = coupled.compare(units, coupled.measurable_rows(names[layer]))
            tables[layer] = np.sort(corr_image - corr, axis=1)
        return cls(coupled, units, tables)

    def p(self, one: Rows, other: Rows) -> NDArray[np.float64]:
        """Return for each pair the share of stand-ins that are mirrored as much, of either side.

        The unit itself counts as one of them, so no p is 0; 1 for units that do not answer.
        """
        corr_image, corr = _correlations(self.coupled, one, other)
        least = corr_image - corr - _ROUNDING
        found = np.maximum(self._share(one, other, least), self._share(other, one, least))
        can = self.coupled.measurable[one] & self.coupled.measurable[other]
        return np.where(can, found, 1.0)

    def _share(self, one: Rows, other: Rows, least: Floats) -> NDArray[np.float64]:
        found = np.ones(len(one))
        layers = self.coupled.layer_of(other)
        for layer in np.unique(layers).tolist():
            here = np.flatnonzero(layers == layer)
            table = self.tables[layer][np.searchsorted(self.units, one[here])]
            if table.shape[1]:
                found[here] = (table >= least[here, None]).mean(axis=1)
        return found


def try_on(
    answers: Floats,
    before: Floats,
    composites: Composites,
    layers: Mapping[str, slice],
    circuits: Rows,
    connections: Sequence[Connection],
    shown: Shown,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Asked]:
    """Run the trial of each circuit on the composites of one placement; and that of a decoy.

    It is the trial of :mod:`circuitkb.trials.dissociation`, with composites in the place of the
    battery: without a case's edge the target must lose what it answers to that case's ten best
    composites, and not what it answers to the other's, more than without other inputs of
    neighbouring rank or equal l1 (*dissociation*: p is 5% or less; with 20 controls it is 1/21 at
    least, so no q over many circuits could be, and decoys tell what chance gives). *Trial held*
    asks for its other parts, and for q over all circuits, too. A decoy has the same target and two
    inputs of neighbouring rank in the place of the cases.

    Parameters
    ----------
    answers, before
        After and before the nonlinearity, axes (unit, composite).
    """
    first, second = couples(composites.transformed, len(composites), composites.of)
    coupled = CoupledResponses.of(answers, layers, first, second)
    tested: Flags = np.logical_and.reduce(coupled.measurable[circuits], axis=1)
    chosen = np.flatnonzero(tested)
    suspects = [
        Suspect(str(number), int(target), (int(one), int(other)))
        for number, (target, one, other) in zip(
            chosen.tolist(), circuits[chosen].tolist(), strict=True
        )
    ]
    planned = plans(connections, coupled, suspects)
    random = np.random.default_rng(seed)
    decoys = plans(connections, coupled, [d for plan in planned if (d := _decoy(plan, random))])
    every = [*planned, *decoys]
    usual = [usual_of(plan, coupled, before) for plan in every]
    verdicts = run_plans(every, usual, coupled, connections, shown, progress)
    real, other = verdicts[: len(planned)], verdicts[len(planned) :]
    value = np.full(len(circuits), np.nan)
    holds, null = np.zeros((2, len(circuits)), bool), np.zeros((2, 1, len(circuits)), bool)
    for plan, verdict, held in zip(planned, real, _held(real), strict=True):
        number = int(plan.suspect.circuit)
        value[number], holds[:, number] = verdict.parts["dissociation"].value, held
    for plan, held in zip(decoys, _held(other), strict=True):
        null[:, 0, int(plan.suspect.circuit)] = held
    return {
        name: Asked(value, holds[place], tested, null[place])
        for place, name in enumerate((DISSOCIATION, TRIAL))
    }


def _decoy(plan: Plan, random: np.random.Generator) -> Suspect | None:
    """Return the same target with two inputs of neighbouring rank in the place of its cases."""
    one, other = plan.controls[RANK]
    if not len(one):
        return None
    first = int(random.choice(one))
    rest = other[other != first]
    if not len(rest):
        return None
    return Suspect(plan.suspect.circuit, plan.suspect.target, (first, int(random.choice(rest))))


def _held(verdicts: Sequence[Verdict]) -> list[tuple[bool, bool]]:
    """Return for each trial whether its dissociation holds, and whether all of it does."""
    if not verdicts:
        return []
    ended = zip(verdicts, larger_q(verdicts), strict=True)
    return [
        (each.decidable and each.parts["dissociation"].passed, outcome_of(each, q) == "held")
        for each, q in ended
    ]
