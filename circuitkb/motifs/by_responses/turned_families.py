"""Units of a layer that answer to turned stimuli as others do to plain ones, all the way round.

Read are the stimuli that have an angle and are shown at all of its turns by 45 degrees. Products of
the responses with those to turned stimuli give all correlations of a layer; a unit that fails for
one turn is not asked for the next.

Memory: the responses of one layer in single precision, twice, and one matrix of its units.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import WEAKEST, Rows
from circuitkb.motifs.family import TurnedFamily
from circuitkb.motifs.group_findings import FoundGroup, GroupFindings, Member
from circuitkb.motifs.members import weights_between
from circuitkb.observation.kept import battery_of
from circuitkb.observation.measures.nulls import corrected, share_reached
from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.observation.stimuli.symmetry import Symmetry, symmetry_named
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import KeptArray, Responses

EIGHTH, TURNS = 45, 8
UNCHANGED = "a quarter turn hardly changes what they answer"
WEAK = "answered too weakly to stimuli with an angle"

Doubles = NDArray[np.float64]


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: TurnedFamily,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for families, layer by layer, beside both controls.

    Parameters
    ----------
    connections
        Not read: units of one layer have no edges to one another.
    responses, motif, model
        What units answer, what to look for, and the model's name, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.

    Raises
    ------
    QueryError
        No stimulus was shown at all of its turns.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    shown = Turned.of(battery_of(responses).stimuli)
    mixed = [shown.permuted(rng) for _ in range(motif.repetitions)]
    layers: dict[str, dict[str, float]] = {}
    groups: list[FoundGroup] = []
    counts = {"hits": 0, "units": 0}
    angles, shuffled = np.zeros(len(mixed), np.intp), 0
    weak = unchanged = tests = 0
    control = 0.0
    names = [name for name in responses.rows if name != "input"]
    for place, name in enumerate(names):
        progress(f"{model}: turning what units answer to", 0.95 * place / len(names))
        rows = responses.rows[name]
        own = _Layer.of(responses.after, rows, shown, motif)
        weak += (rows.stop - rows.start) - len(own.unit)
        unchanged += len(own.unit) - own.tested
        tests += own.tested
        begun = time.perf_counter()
        null = _Layer.of(responses.shuffled_after, rows, shown, motif)
        if own.tested:
            for draw, other in enumerate(mixed):
                angles[draw] += len(best_for_turns(own.vectors, other, motif).unit)
        control += time.perf_counter() - begun
        shuffled += len(null.best.unit)
        if not own.tested:
            continue
        p = np.ones(own.tested)
        if null.tested:
            reached = np.full(null.tested, -1.0)
            reached[: len(null.best.unit)] = null.best.worst
            p[: len(own.best.unit)] = share_reached(own.best.worst.astype(np.float64), reached)
        q = corrected(p)[: len(own.best.unit)]
        passed = np.flatnonzero(q <= motif.fdr)
        found = [
            own.group(member, name, float(p[member]), float(q[member]), null, shown, motif, model)
            for member in own.leaders(passed)
        ]
        groups += found
        counts["hits"] += len(own.best.unit)
        counts["units"] += len(passed)
        layers[name] = {
            "tested": own.tested,
            "hits": len(own.best.unit),
            "found": len(passed),
            "families": len(found),
            "shuffled": len(null.best.unit),
            "shuffled_tested": null.tested,
        }
    progress(f"{model}: searched", 1.0)
    reasons = {UNCHANGED: unchanged, WEAK: weak}
    return GroupFindings(
        motif=motif,
        model=model,
        seed=seed,
        battery=responses.battery,
        tested=tests,
        tests=tests,
        not_tested={reason: count for reason, count in reasons.items() if count},
        counts=counts,
        controls={
            "shuffled": ({"hits": shuffled},),
            "angles": tuple({"hits": count} for count in angles.tolist()),
        },
        weights=weights_between([], connections, model),
        groups=tuple(sorted(groups, key=lambda one: (one.q, -one.value))),
        layers=layers,
        seconds=time.perf_counter() - started,
        control_seconds=control,
    )


class Turned(NamedTuple):
    """The stimuli that are shown at all of their turns.

    Attributes
    ----------
    places
        In the battery.
    turn
        For each of them the place among them of its turn by 45 degrees.
    mirror
        The same of its mirror image, left-right.
    setting
        A number for each; stimuli that differ in their angle alone share it.
    """

    places: Rows
    turn: Rows
    mirror: Rows
    setting: Rows

    @classmethod
    def of(cls, stimuli: Sequence[Stimulus]) -> Turned:
        """Return them of a battery.

        Examples
        --------
        >>> from circuitkb.observation.stimuli.battery import battery
        >>> shown = Turned.of(battery().stimuli)
        >>> once = shown.turn
        >>> for _ in range(7):
        ...     once = shown.turn[once]
        >>> len(shown.places), bool((once == range(len(once))).all())
        (1008, True)
        """
        place = {item.id: index for index, item in enumerate(stimuli)}
        by, mirrored = Symmetry(False, EIGHTH), symmetry_named("mirror left-right")
        turn = np.full(len(stimuli), -1)
        mirror = np.full(len(stimuli), -1)
        settings: dict[tuple[str, ...], int] = {}
        setting = np.zeros(len(stimuli), np.intp)
        for index, item in enumerate(stimuli):
            if {"orientation", "direction"} & item.parameters.keys():
                turn[index] = place.get(item.transformed(by).id, -1)
                mirror[index] = place.get(item.transformed(mirrored).id, -1)
                setting[index] = settings.setdefault(_setting(item), len(settings))
        held = (turn >= 0) & (mirror >= 0)
        while not (held == (kept := held & held[turn] & held[mirror])).all():
            held = kept
        places = np.flatnonzero(held)
        if not len(places):
            raise QueryError("No stimulus of this observation was shown at all of its turns.")
        own = np.full(len(stimuli), -1)
        own[places] = np.arange(len(places))
        return cls(places, own[turn[places]], own[mirror[places]], setting[places])

    def turns(self, many: int) -> Rows:
        """Return for each stimulus the place of its turn by ``many`` times 45 degrees."""
        found = np.arange(len(self.places))
        for _ in range(many % TURNS):
            found = self.turn[found]
        return found

    def permuted(self, rng: np.random.Generator) -> Turned:
        """Return the same with the angles of each setting permuted."""
        mixed = np.arange(len(self.places))
        for one in np.unique(self.setting).tolist():
            here = np.flatnonzero(self.setting == one)
            mixed[here] = rng.permutation(here)
        back = np.argsort(mixed)
        return self._replace(turn=mixed[self.turn[back]], mirror=mixed[self.mirror[back]])


def _setting(item: Stimulus) -> tuple[str, ...]:
    """Return what else than the angle differs, alike for stimuli that turns take for another."""
    given = {
        name: value
        for name, value in item.parameters.items()
        if name not in ("orientation", "direction")
    }
    if "orientation" in item.parameters:
        # The side that they count towards changes with the orientation.
        phase = item.number("phase")
        given |= {"offset": abs(item.number("offset")), "phase": min(phase, 360 - phase)}
    return (item.kind, *(f"{name} {value}" for name, value in sorted(given.items())))


class Best(NamedTuple):
    """Units with a partner for every turn; ``partner`` and ``corr`` have the axes (unit, turn).

    ``unit`` are rows of the vectors, ``worst`` the least of the correlations; ``own`` is that of
    each unit with itself turned.
    """

    unit: Rows
    worst: Floats
    partner: Rows
    corr: Floats
    own: Floats


def changed_units(vectors: Floats, shown: Turned, motif: TurnedFamily) -> Rows:
    """Return the units that a quarter turn changes."""
    own = np.einsum("ij,ij->i", vectors[:, shown.turns(2)], vectors)
    return np.flatnonzero(own < motif.changed)


def best_for_turns(vectors: Floats, shown: Turned, motif: TurnedFamily) -> Best:
    """Return the units that fulfil both criteria, with the best partner for each turn.

    Parameters
    ----------
    vectors
        Responses of units, standardised; axes (unit, stimulus).
    """
    unit = changed_units(vectors, shown, motif)
    partner, corr = np.zeros((2, len(unit), TURNS))
    for turn in range(1, TURNS) if len(unit) else ():
        # What a partner answers to turned stimuli is what the unit answers to plain ones.
        turned = vectors[:, shown.turns(turn)]
        every = vectors[unit] @ turned.T
        best = every.argmax(axis=1)
        value = every[np.arange(len(unit)), best]
        partner[:, turn], corr[:, turn] = best, value
        stays = value > motif.turned
        unit, partner, corr = unit[stays], partner[stays], corr[stays]
    partner[:, 0], corr[:, 0] = unit, 1
    own = np.stack(
        [np.einsum("ij,ij->i", vectors[unit][:, shown.turns(t)], vectors[unit]) for t in range(8)],
        axis=1,
    )
    worst = corr.min(axis=1).astype(np.float32)
    order = np.argsort(-worst, kind="stable")
    found = unit[order], worst[order], partner[order].astype(np.intp)
    return Best(*found, corr[order].astype(np.float32), own[order])


class _Layer(NamedTuple):
    """The units of a layer that answer, standardised, and the best partners for their turns."""

    unit: Rows
    vectors: Floats
    tested: int
    best: Best

    @classmethod
    def of(cls, responses: KeptArray, rows: slice, shown: Turned, motif: TurnedFamily) -> _Layer:
        every = responses[rows]
        own = every[:, shown.places].astype(np.float32)
        own -= own.mean(axis=1, keepdims=True)
        length = np.linalg.norm(own, axis=1)
        whole = np.sqrt(np.mean(length.astype(np.float64) ** 2)) if len(own) else 0.0
        unit = np.flatnonzero(is_responsive(every) & (length > max(WEAKEST * whole, 1e-6)))
        vectors = own[unit] / length[unit, None]
        tested = len(changed_units(vectors, shown, motif))
        return cls(unit, vectors, tested, best_for_turns(vectors, shown, motif))

    def leaders(self, passed: Rows) -> list[int]:
        """Return the units that passed and are in no clearer one's family, clearest first."""
        taken: set[int] = set()
        found = []
        for place in passed.tolist():
            if int(self.best.unit[place]) not in taken:
                taken.update(self.best.partner[place].tolist())
                found.append(place)
        return found

    def group(
        self,
        place: int,
        layer: str,
        p: float,
        q: float,
        null: _Layer,
        shown: Turned,
        motif: TurnedFamily,
        model: str,
    ) -> FoundGroup:
        """Return the family of one unit."""
        best = self.best
        order = TURNS // 2 if best.own[place, TURNS // 2] > motif.turned else TURNS
        members: dict[str, Member] = {}
        for turn in range(order):
            row = int(self.unit[best.partner[place, turn]])
            name = str(FeatureId(model, layer, row))
            members.setdefault(name, Member(name, f"turned by {turn * EIGHTH}"))
        mirrored = self._mirrored(int(best.unit[place]), shown)
        value = float(best.worst[place])
        chance = null.best.worst
        figures: Mapping[str, object] = {
            "order": order,
            "units": len(members),
            "turned": [round(float(one), 4) for one in best.corr[place]],
            "self": [round(float(one), 4) for one in best.own[place]],
            "mirrored": round(mirrored, 4),
            "group": f"{order} turns"
            + (", closed under mirrors" if mirrored > motif.turned else ", not under mirrors"),
        }
        return FoundGroup(
            tuple(members.values()),
            value,
            value,
            float(chance.mean()) if len(chance) else 0.0,
            null.tested,
            p,
            q,
            figures,
            layer,
        )

    def _mirrored(self, unit: int, shown: Turned) -> float:
        """Return the lowest, over all mirrors, of the correlation with the best unit for it."""
        own = self.vectors[unit]
        images = np.stack([own[shown.mirror][shown.turns(turn)] for turn in range(TURNS)])
        return float((images @ self.vectors.T).max(axis=1).min())
