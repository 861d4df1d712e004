"""The kinds of circuits that are planted, and the decoys of each.

A name is that of a motif, where one is searched for. Each function draws circuits and decoys over
the detectors that it adds; decoys fulfil the criterion that ``naive`` names, and are no circuits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from circuitkb.loaders.planted.benchmark.parts import TURNS, Parts, Quartet
from circuitkb.loaders.planted.benchmark.plans import Array, Inputs, Plan, PlantedKind, weights
from circuitkb.loaders.planted.benchmark.streams import scale_unions
from circuitkb.loaders.planted.shapes import Form, Shape

Drawn = tuple[Sequence[Plan], Sequence[Plan]]

_UNITS = 120
"""Detectors of a network, at least."""

_SHAPES = 24
"""Quartets of a network."""

_MANY = 160
"""Detectors where circuits have many inputs."""

_TRIES = 1_000


def _dealt(parts: Parts, quartets: Sequence[Quartet], count: int, each: int) -> list[list[Quartet]]:
    """Deal hands of quartets, no two in two hands, for as long as there are such hands."""
    hands: list[list[Quartet]] = []
    together: set[tuple[int, int]] = set()
    for _ in range(count):
        for _ in range(_TRIES):
            places = sorted(parts.rng.permutation(len(quartets))[:each].tolist())
            pairs = set(combinations(places, 2))
            if not pairs & together:
                break
        together |= pairs
        hands.append([quartets[place] for place in parts.rng.permutation(places).tolist()])
    return hands


def _unions(parts: Parts, count: int) -> Drawn:
    quartets = parts.quartets(_SHAPES)
    forms: tuple[tuple[Form, int], ...] = (("line", 1), ("line", -1), ("curve", 1), ("curve", -1))
    symmetric = [
        parts.symmetric(parts.shape(form, direction, sign))
        for (form, sign), direction in product(forms, (90, 270))
        for _ in range(2)
    ] + [parts.symmetric(parts.shape("edge", direction)) for direction in (90, 270)]
    parts.fill(_UNITS)
    hands = [[quartets[place % len(quartets)]] for place in range(count)]
    planted = [Plan((weights(dict.fromkeys(hand[0], 1.0)),)) for hand in hands]
    decoys = [
        Plan((weights(dict.fromkeys(parts.rng.permutation(symmetric)[:4].tolist(), 1.0)),))
        for _ in range(count)
    ]
    return planted, decoys


_UNEQUAL = (1.0, 0.8)

_ALIKE = (0.0, 0.2)
"""Correlation between both inputs of a decoy's target: a mixture is about as near to either."""


def _mirrored_targets(parts: Parts, count: int) -> Drawn:
    forms: tuple[Form, ...] = ("line", "edge", "curve", "corner")
    plans: list[Plan] = []
    for place in range(2 * count):
        # Two pairs that share a quartet would mirror one another too, in part: each has its own.
        first = parts.quartet(parts.asymmetric(forms[place % 4]))
        if place < count:
            second = parts.quartet(parts.asymmetric(forms[(place + 1) % 4]))
            there = first.mirror, second.mirror
        else:  # Either answers to both mirrored shapes, and is the mirror image of neither.
            second = parts.quartet(parts.alike(first.one, forms, _ALIKE))
            there = parts.mixture((first[2], second[2])), parts.mixture((first[3], second[3]))
        here = first.one, second.one
        plans.append(
            Plan(tuple(weights(dict(zip(side, _UNEQUAL, strict=True))) for side in (here, there)))
        )
    parts.fill(_UNITS)
    return plans[:count], plans[count:]


def _families(parts: Parts, count: int) -> Drawn:
    del count  # As many as there are forms for.
    forms: list[tuple[Form, int]] = [
        ("edge", 1),
        ("curve", 1),
        ("curve", -1),
        ("corner", 1),
        ("corner", -1),
        ("texture", 1),
        ("red-green edge", 1),
        ("blue-yellow edge", 1),
    ]
    shuffled = [forms[place] for place in parts.rng.permutation(len(forms))]
    planted = [
        Plan(detectors=parts.orbit(parts.shape(form, 0, sign))) for form, sign in shuffled[:5]
    ]
    # No form goes further than half round: the next turn of a unit is nearly what it is.
    first, *others = (parts.shape(form, 0, sign) for form, sign in shuffled[5:])
    half, begun = len(TURNS) // 2, int(parts.rng.integers(len(TURNS)))
    decoys: list[Plan] = []
    for other in others:
        round_about = [first] * half + [other] * half
        turned = round_about[-begun:] + round_about[:-begun]
        decoys.append(Plan(detectors=parts.tiling(turned)))
    # A random detector that answers like a member would be one.
    parts.fill(_UNITS, unlike=[unit for plan in planted for unit in plan.detectors])
    return planted, decoys


def _cross_inhibition(parts: Parts, count: int) -> Drawn:
    quartets = parts.quartets(_SHAPES)
    parts.fill(_UNITS)
    plans = []
    for place, (one, other) in enumerate(_dealt(parts, quartets, 2 * count, 2)):
        inhibiting = one.mirror if place < count else other.one
        plans.append(Plan((weights({one.one: 1.0, inhibiting: -1.0}),)))
    return plans[:count], plans[count:]


_ALIGNED = (1.0, 0.7, 0.0, -0.7, -1.0, -0.7, 0.0, 0.7)
"""Weights of a curve assembly by turn: curves of its direction excite, opposed ones inhibit."""


def _curve_assemblies(parts: Parts, count: int) -> Drawn:
    orbits = [
        parts.orbit(Shape("curve", 0, radius, sign)) for radius in (6.0, 11.0) for sign in (1, -1)
    ]
    parts.fill(_UNITS)
    places = parts.rng.permutation(len(orbits) * len(TURNS))[:count].tolist()
    planted, decoys = [], []
    for place in places:
        orbit, turn = orbits[place // len(TURNS)], place % len(TURNS)
        aligned = np.roll(_ALIGNED, turn)
        planted.append(Plan((_of_orbit(orbit, aligned),)))
        decoys.append(Plan((_of_orbit(orbit, _without_direction(parts.rng, aligned)),)))
    return planted, decoys


def _of_orbit(orbit: Sequence[int], by_turn: Array) -> Inputs:
    return weights({unit: w for unit, w in zip(orbit, by_turn.tolist(), strict=True) if w})


def _without_direction(rng: np.random.Generator, aligned: Array) -> Array:
    """Deal the weights among the turns until they point nowhere: an eighth of what they did."""
    turns = np.exp(2j * np.pi * np.arange(len(TURNS)) / len(TURNS))
    bound = abs(aligned @ turns) / 8
    while True:
        dealt: Array = rng.permutation(aligned)
        if abs(dealt @ turns) < bound:
            return dealt


_ALONG = {-1: 0.7, 0: 1.0, 1: 0.7}
"""Weights of either cue of a boundary by turn from its direction."""

_BRIGHT = 1.5
"""Weights of edges relative to those of textures, which tell less of the direction of an edge."""


def _boundaries(parts: Parts, count: int) -> Drawn:
    borders, edges = (parts.orbit(parts.shape(form, 0)) for form in ("texture", "edge"))
    parts.quartets(_SHAPES // 4, forms=("line", "curve"))
    # Whether inputs add up shows against all others, of which most are not tuned to either.
    parts.fill(2 * _UNITS)
    planted: list[Plan] = []
    decoys: list[Plan] = []
    for place in parts.rng.permutation(count).tolist():
        for plans, aside in ((planted, 0), (decoys, 2)):
            inputs = {borders[(place + at) % len(TURNS)]: w for at, w in _ALONG.items()}
            inputs |= {
                edges[(place + aside + at) % len(TURNS)]: _BRIGHT * w for at, w in _ALONG.items()
            }
            plans.append(Plan((weights(inputs),)))
    return planted, decoys


_ROW = np.array([0.5, 1.0, 0.5])

_PARTS = 8
"""Of a whole; half of them on either side."""


def _parts_in_places(parts: Parts, count: int) -> Drawn:
    quartets = parts.quartets(_SHAPES)
    parts.fill(_MANY)
    above, below = (np.outer(row, _ROW) for row in np.eye(3)[[0, 2]])
    sides = (above, below, above.T, below.T)
    planted: list[Plan] = []
    decoys: list[Plan] = []
    for place in range(2 * count):
        units = [each.one for each in _hand(parts, quartets, _PARTS)]
        lies = (sides[:2], sides[2:])[place % 2] if place < count else sides
        plan = Plan(({unit: lies[at % len(lies)] for at, unit in enumerate(units)},))
        (planted if place < count else decoys).append(plan)
    return planted, decoys


def _hand(parts: Parts, quartets: Sequence[Quartet], each: int) -> list[Quartet]:
    return [quartets[place] for place in parts.rng.permutation(len(quartets))[:each].tolist()]


_SPREAD, _SHARE = 18, 1.2
"""Targets that a feature is spread over, and its weight relative to what each is for."""


def _superpositions(parts: Parts, count: int) -> Drawn:
    third = max(1, count // 3)
    # Their detectors answer to one kind of stimuli, edges of colour; what targets are for is grey.
    features = parts.quartets(2 * third, forms=("blue-yellow edge",))
    # Each of these serves few targets, so that it is no feature of many.
    mains = parts.quartets(_SHAPES)
    # Nor are the inputs that every target has besides.
    parts.fill(0, shapeless=100)
    planted: list[Plan] = []
    decoys: list[Plan] = []
    deck: list[Quartet] = []
    for place, feature in enumerate(features):
        spread: list[Inputs] = []
        while place < third and len(spread) < _SPREAD:
            deck = deck or _hand(parts, mains, len(mains))
            main = deck.pop()
            own = main.one if len(spread) % 2 else main.mirror
            spread.append(weights({own: 1.0, feature.one: _SHARE}))
        # Copies of one feature: the targets are all for what it is.
        copy = weights({feature.twin: 1.0, feature.one: _SHARE})
        plan = Plan(tuple(spread or [copy] * (_SPREAD // 2)), detectors=(feature.one,))
        (planted if place < third else decoys).append(plan)
    return planted, decoys


def _opponencies(parts: Parts, count: int) -> Drawn:
    pairs, directions = [], []
    for place in range(max(count, 16)):
        form: Form = "line" if place % 4 == 3 else "curve"
        bright = parts.shape(form, parts.rng.uniform(0, 360))
        one = parts.single(bright)
        pairs.append((one, parts.inverse(one)))
        directions.append(bright.direction)
    parts.fill(_UNITS)
    planted, decoys = [], []
    for place in range(count):
        one, inverse = pairs[place % len(pairs)]
        signs = (1.0, -1.0) if place % 2 else (-1.0, 1.0)
        planted.append(Plan((weights({one: signs[0], inverse: signs[1]}),)))
        apart = abs((np.array(directions) - directions[place % len(pairs)] + 90) % 180 - 90)
        other = pairs[int(parts.rng.choice(np.argsort(-apart)[:4]))][1]
        decoys.append(Plan((weights({one: signs[0], other: signs[1]}),)))
    return planted, decoys


KINDS: dict[str, PlantedKind] = {
    kind.name: kind
    for kind in (
        PlantedKind(
            name="union",
            what="a target that a detector, its twin and the mirror images of both excite",
            decoy="a target that four symmetric detectors excite",
            naive="the target answers to mirrored images as to plain ones",
            about="targets",
            units=1,
            members=("detectors",),
            count=4,
            plant=_unions,
        ),
        PlantedKind(
            name="mirrored-targets",
            what="two targets, of which one takes the mirror images of what the other takes",
            decoy="two targets, of which one takes mixtures of the other's mirrored inputs",
            naive="one target answers to mirrored images as the other does to plain ones",
            about="targets",
            units=2,
            members=("detectors",),
            count=4,
            plant=_mirrored_targets,
        ),
        PlantedKind(
            name="family",
            what="eight detectors of one shape, each turned by 45 degrees from the one before",
            decoy="eight detectors that prefer directions 45 degrees apart, of two shapes",
            naive="preferred directions of the units go all the way round in equal steps",
            about="detectors",
            units=8,
            members=(),
            count=0,
            channels=3,
            plant=_families,
        ),
        PlantedKind(
            name="cross-inhibition",
            what="a target that a detector excites and the mirror image of that one inhibits",
            decoy="a target that a detector excites and an unrelated one inhibits",
            naive="one input excites strongly, one inhibits strongly, and both are asymmetric",
            about="targets",
            units=1,
            members=("detectors",),
            count=2,
            plant=_cross_inhibition,
        ),
        PlantedKind(
            name="scale-union",
            what="a target to which a residual stream brings waves and a block adds the same at "
            "two to four times the wavelength",
            decoy="a target to which a residual stream brings waves and a block adds the same at "
            "the same wavelength",
            naive="what the stream brings most and what the block adds most is of one form and "
            "faces one way",
            about="targets",
            units=1,
            members=("detectors", "block"),
            count=2,
            plant=scale_unions,
            fillers=36,
        ),
        PlantedKind(
            name="curve-assembly",
            what="a target that curves of its direction excite and opposed ones inhibit",
            decoy="a target with the same weights from the same curves, dealt among directions",
            naive="the strongest inputs are tuned to the direction of curves, and so is the target",
            about="targets",
            units=1,
            members=("detectors",),
            count=6,
            plant=_curve_assemblies,
        ),
        PlantedKind(
            name="boundary",
            what="a target that borders of texture and edges of brightness excite, which face one "
            "way",
            decoy="a target that borders of texture and edges of brightness excite, which face "
            "ways at right angles",
            naive="borders of texture and edges are the strongest inputs, and the target is tuned "
            "to the direction of both",
            about="targets",
            units=1,
            members=("detectors",),
            count=6,
            plant=_boundaries,
        ),
        PlantedKind(
            name="parts-in-places",
            what="a target that four detectors excite from above and four from below; or from the "
            "left and from the right",
            decoy="a target that eight detectors excite, two from each of the four sides",
            naive="the inputs of most positive mass lie aside, opposite to each other",
            about="targets",
            units=1,
            members=("detectors",),
            count=_PARTS,
            taps=3,
            size=45,
            plant=_parts_in_places,
        ),
        PlantedKind(
            name="superposition",
            what="a detector that eighteen targets carry, each besides another feature of its own",
            decoy="a detector that nine targets carry which are all for that same feature",
            naive="a detector that is among the strongest inputs of nine targets",
            about="detectors",
            units=1,
            members=("targets",),
            count=_SPREAD,
            channels=3,
            plant=_superpositions,
        ),
        PlantedKind(
            name="opponency",
            what="a target that a bright shape excites and the same shape, dark, inhibits; or so "
            "the other way round",
            decoy="a target that a bright shape excites and another shape, dark, inhibits; or so "
            "the other way round",
            naive="the strongest inputs differ in sign and in polarity",
            about="targets",
            units=1,
            members=("detectors",),
            count=2,
            plant=_opponencies,
        ),
    )
}
