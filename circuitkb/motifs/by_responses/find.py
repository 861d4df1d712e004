"""Motifs of pairs found by what the units of a model respond to.

:func:`find_by_responses` searches all edges (:mod:`~circuitkb.motifs.by_responses.search`), asks
both controls (:mod:`~circuitkb.motifs.by_responses.controls`), and keeps the hits that chance does
not explain.
``docs/discovery.md`` has the criteria, the nulls and what was measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.asymmetry import AXES, Asymmetry, asymmetries
from circuitkb.motifs.by_responses.controls import (
    Decoys,
    find_permuted,
    matched_pairs,
    permuted_weights,
)
from circuitkb.motifs.by_responses.coupled_responses import (
    CoupledResponses,
    Rows,
    couples,
    side_weights,
)
from circuitkb.motifs.by_responses.pair_nulls import PairCount, pair_counts
from circuitkb.motifs.by_responses.related_pairs import against_shuffled, distinct
from circuitkb.motifs.by_responses.search import Hits, Pairs, Searched, both_ways, search
from circuitkb.motifs.by_responses.stability import stability
from circuitkb.motifs.by_responses.tuning_shape import SHAPES, Tuning
from circuitkb.motifs.findings import (
    Case,
    Counts,
    Findings,
    FoundCircuit,
    FoundTarget,
    Null,
    RelatedPair,
)
from circuitkb.motifs.members import case_weights, two_sides
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.observation.kept import battery_of, images_under
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.responses import Responses

DRAWS = 200
"""Permutations of a found target's own weights."""

NULL_METHOD = (
    "p, null_mean and null_count: permutations of the unit's own weights among its inputs of each "
    "layer; q: target-decoy over all hits of the model, the larger of permuted weights and of "
    "matched unrelated pairs, for the unit's best pair"
)


def find_in_model(
    connections: Sequence[Connection], responses: Responses, motif: PairMotif, **settings: Any
) -> Findings:
    """Search an observed model; see :func:`find_by_responses`."""
    images = images_under(responses, motif.of.name)
    stimuli = battery_of(responses).stimuli
    return find_by_responses(connections, responses, images, motif, stimuli=stimuli, **settings)


def find_by_responses(
    connections: Sequence[Connection],
    responses: Responses,
    permutation: NDArray[Any],
    motif: PairMotif,
    *,
    model: str,
    seed: int = 0,
    sides: NDArray[Any] | None = None,
    stimuli: Sequence[Stimulus] | None = None,
    progress: Progress = silent,
) -> Findings:
    """Search all edges of an observed model for a motif, with both controls.

    Parameters
    ----------
    connections
        All kernels of the model; each is read once by the search.
    responses
        Of its units. Read are those after the nonlinearity, to the stimuli that
        the transform changes.
    permutation
        Index of each stimulus's image under ``motif.of``, as
        ``battery.transformed(motif.of.name)`` gives it.
    motif
        What to look for.
    model
        Name of the model, for the ids.
    seed
        Seed of the draws. The same seed gives the same findings.
    sides
        For each stimulus a number, below 0 for side 1 and above for side 2, that its image has
        with the other sign. Unless given, the stimulus of each couple that stands first in the
        battery is of side 1.
    stimuli
        What was shown, in order, if that is known: then the tuning of targets is tested for the
        motif's shape, and it is said what makes the cases of a pair differ.
    progress
        Called with how far the search is.

    Raises
    ------
    QueryError
        The permutation or the sides do not belong to the stimuli, or the permutation is not its
        own inverse, or changes no stimulus.

    Examples
    --------
    >>> from circuitkb.motifs.union import Union
    >>> zeros = np.zeros((1, 2), np.float32)
    >>> responses = Responses("b", ("s", "t"), (("a", 1),), *[zeros] * 4, {})
    >>> motif = Union().by_responses()
    >>> findings = find_by_responses([], responses, np.array([1, 0]), motif, model="m")
    >>> findings.tested, findings.circuits
    (0, 0)
    """
    started = time.perf_counter()
    first, second = couples(permutation, len(responses.stimuli), motif.of.name)
    side_score = side_weights(sides, first, second, responses.stimuli)
    named = f"{model}: {{}}"
    progress(f"{model}: reading responses", 0.0)
    coupled = CoupledResponses.of(responses.after, responses.rows, first, second)
    searched = search(connections, coupled, motif, within(progress, 0.1, 0.3, named))
    found_by = time.perf_counter()
    streams = [np.random.default_rng([seed, stream]) for stream in range(5)]
    permuted = permuted_weights(
        searched, coupled, motif, streams[0], within(progress, 0.3, 0.6, named)
    )
    matched = matched_pairs(searched, coupled, motif, streams[1], within(progress, 0.6, 0.8, named))
    q = worse_q(searched.hits, permuted, matched)
    passed = np.flatnonzero(q <= motif.fdr)
    progress(f"{model}: permuting weights of the units found", 0.8)
    counts = own_counts(searched, coupled, motif, searched.hits.target[passed], streams[2])
    shares = stability(connections, coupled, motif, searched.hits.take(passed), streams[3])
    stable = dict(zip(passed.tolist(), shares.tolist(), strict=True))
    progress(f"{model}: reading the tuning of targets", 0.85)
    shown = _Shown(motif, responses, stimuli, permutation)
    tunings = shown.tunings(searched.hits)
    report = _Report(model, motif, coupled, searched, side_score, stable, tunings)
    targets = report.targets(q, passed, counts)
    together = pair_counts(
        searched, coupled, motif, streams[4], within(progress, 0.86, 0.96, named)
    )
    progress(f"{model}: comparing with shuffled weights", 0.96)
    related = _related(report, passed, together, shown, (first, second))
    spread = {
        report.feature(row): float(np.std(responses.after[row], dtype=np.float64))
        for row in np.unique(_members(searched.hits, passed)).tolist()
    }
    weights = _with_strength(case_weights(targets, connections, model), spread)
    progress(f"{model}: searched", 1.0)
    done = time.perf_counter()
    return Findings(
        motif=motif,
        model=model,
        seed=seed,
        battery=responses.battery,
        tested=searched.tested,
        tests=searched.tested,
        not_tested=searched.not_tested,
        counts=_counts(searched.hits, np.arange(len(searched.hits)), tunings),
        controls={
            "permuted": _each(permuted, shown.tunings(permuted.hits)),
            "matched": _each(matched),
        },
        targets=targets,
        related=related,
        weights=weights,
        seconds=done - started,
        control_seconds=done - found_by,
    )


Tunings = Sequence[Tuning | None]


def _counts(hits: Hits, chosen: Rows, tunings: Tunings = ()) -> Counts:
    """Count some of the hits, the distinct targets and pairs in them, and their shapes."""
    ends = np.sort(np.stack([hits.one[chosen], hits.other[chosen]]), axis=0)
    tested = [own.shape for hit in chosen.tolist() if tunings and (own := tunings[hit])]
    return {
        "hits": len(chosen),
        "units": len(np.unique(hits.target[chosen])),
        "pairs": np.unique(ends, axis=1).shape[1],
        **({shape.replace(" ", "_"): tested.count(shape) for shape in SHAPES} if tunings else {}),
    }


def _each(decoys: Decoys, tunings: Tunings = ()) -> tuple[Counts, ...]:
    """Count the hits of each repetition of a control."""
    draws = range(decoys.repetitions)
    return tuple(
        _counts(decoys.hits, np.flatnonzero(decoys.draw == draw), tunings) for draw in draws
    )


def worse_q(hits: Hits, *controls: Decoys) -> NDArray[np.float64]:
    """Return for each hit the largest q of all controls."""
    each = [target_decoy_q(hits.score, c.hits.score, c.repetitions) for c in controls]
    found: NDArray[np.float64] = np.max(each, axis=0)
    return found


def own_counts(
    searched: Searched,
    coupled: CoupledResponses,
    motif: PairMotif,
    targets: Rows,
    rng: np.random.Generator,
) -> dict[int, NDArray[np.int64]]:
    """Return for each target, given by its row, the hits in each permutation of its own weights."""
    counts: dict[int, NDArray[np.int64]] = {}
    for layer, by_block in searched.layers:
        held = layer.inputs.targets
        (places,) = np.nonzero(np.isin(held, targets))
        if not len(places):
            continue
        pairs = both_ways(Pairs.join(list(by_block.values())), motif)
        _, drawn = find_permuted(layer, coupled, pairs, np.repeat(places, DRAWS), rng)
        hits = np.bincount(drawn, minlength=len(places) * DRAWS).reshape(len(places), DRAWS)
        counts |= dict(zip(held[places].tolist(), hits, strict=True))
    return counts


def _members(hits: Hits, chosen: Rows) -> Rows:
    return np.concatenate([hits.target[chosen], hits.one[chosen], hits.other[chosen]])


class _Shown(NamedTuple):
    """What was shown to the units, if that is known, and what they answered."""

    motif: PairMotif
    responses: Responses
    stimuli: Sequence[Stimulus] | None
    permutation: NDArray[Any]

    def tunings(self, hits: Hits) -> Tunings:
        """Return the tuning of each hit's target; nothing where the motif asks for no shape."""
        test = self.motif.shape
        if test is None or self.stimuli is None:
            return ()
        engine = EntryPoint(self.motif.name, test.engine, "").load()
        circuits = np.stack([hits.target, hits.one, hits.other], axis=1)
        found: Tunings = engine(self.responses.after, self.stimuli, self.permutation, circuits)
        return found

    def asymmetries(
        self, pairs: Pairs, responses: CoupledResponses, shuffled: CoupledResponses
    ) -> Sequence[Asymmetry | None]:
        """Return what makes the units of each pair differ."""
        axis = self.motif.of.name.removeprefix("mirror ")
        if self.stimuli is None or axis not in AXES:
            return [None] * len(pairs)
        ends = np.stack([pairs.one, pairs.other], axis=1)
        return asymmetries(self.stimuli, axis, ends, responses, shuffled)


class _Report:
    """What was found, in names instead of rows."""

    def __init__(
        self,
        model: str,
        motif: PairMotif,
        coupled: CoupledResponses,
        searched: Searched,
        side_score: Floats,
        stability: Mapping[int, float],
        tunings: Tunings,
    ) -> None:
        self.model, self.motif, self.coupled, self.searched = model, motif, coupled, searched
        self.side_score, self.stability, self.tunings = side_score, stability, tunings
        self.invariance = coupled.invariance
        self._held = {
            int(row): (layer, place)
            for layer, _ in searched.layers
            for place, row in enumerate(layer.inputs.targets)
        }

    def feature(self, row: int) -> str:
        """Return the id of a unit."""
        return str(FeatureId(self.model, *self.coupled.unit_of(row)))

    def targets(
        self, q: NDArray[np.float64], passed: Rows, counts: Mapping[int, NDArray[np.int64]]
    ) -> tuple[FoundTarget, ...]:
        """Return the targets of the hits that passed, smallest q first."""
        hits = self.searched.hits
        by_target: dict[int, list[int]] = {}
        for hit in passed.tolist():
            by_target.setdefault(int(hits.target[hit]), []).append(hit)
        found = []
        for row, own in by_target.items():
            layer, place = self._held[row]
            count = int((hits.target == row).sum())
            drawn = counts[row]
            p = float((1 + (drawn >= count).sum()) / (1 + len(drawn)))
            circuits = self._circuits(own, q)
            found.append(
                FoundTarget(
                    target=self.feature(row),
                    inputs=int(layer.inputs.count[place]),
                    strongest=int(layer.strongest[place]),
                    hits=count,
                    nulls=(Null(NULL_METHOD, p, float(drawn.mean()), len(drawn)),),
                    q=min(circuit.q for circuit in circuits),
                    circuits=circuits,
                    invariance=float(self.invariance[row]),
                )
            )
        return tuple(sorted(found, key=lambda unit: (unit.q, unit.p, -unit.hits, unit.target)))

    def _circuits(self, own: list[int], q: NDArray[np.float64]) -> tuple[FoundCircuit, ...]:
        hits = self.searched.hits
        rows = np.unique(np.concatenate([hits.one[own], hits.other[own]]))
        name = {int(row): self.feature(int(row)) for row in rows}
        scores = self.coupled.side_score(rows, self.side_score).tolist()
        side_score = dict(zip(name.values(), scores, strict=True))
        pair = {hit: (name[int(hits.one[hit])], name[int(hits.other[hit])]) for hit in own}
        sides = two_sides(list(pair.values()), side_score)
        found = []
        for hit, ends in pair.items():
            cases = tuple(
                self._case(hit, end, feature, 1 + sides[ends].index(feature))
                for end, feature in enumerate(ends)
            )
            one, other = sorted(cases, key=lambda case: case.side)
            tuning = self.tunings[hit] if self.tunings else None
            if tuning is not None and one is not cases[0]:
                tuning = tuning.reversed()
            found.append(
                FoundCircuit(
                    (one, other),
                    float(hits.corr_image[hit]),
                    float(hits.corr[hit]),
                    float(q[hit]),
                    {"score": float(hits.score[hit]), "stability": self.stability[hit]},
                    tuning,
                )
            )
        return tuple(sorted(found, key=lambda c: (c.q, c.figures["score"], -c.corr_image)))

    def _case(self, hit: int, end: int, feature: str, side: int) -> Case:
        hits, role = self.searched.hits, self.motif.roles[end]
        layer, place = self._held[int(hits.target[hit])]
        row = (hits.one, hits.other)[end][hit]
        column = int(layer.columns(np.array([row]))[0])
        return Case(
            feature,
            role.name,
            side,
            float(layer.inputs.mass[role.sign][place, column]),
            {
                "rank": int((hits.rank_one, hits.rank_other)[end][hit]),
                "z": float((hits.response_one, hits.response_other)[end][hit]),
                "spread": float(layer.spread[column]),
            },
        )


def _related(
    report: _Report,
    passed: Rows,
    together: Mapping[tuple[int, int], PairCount],
    shown: _Shown,
    couple: tuple[Rows, Rows],
) -> tuple[RelatedPair, ...]:
    if not len(passed):
        return ()
    responses = shown.responses
    hits = report.searched.hits
    pairs = distinct(
        Pairs(hits.one[passed], hits.other[passed], hits.corr_image[passed], hits.corr[passed])
    )
    shuffled = CoupledResponses.of(responses.shuffled_after, responses.rows, *couple)
    found = against_shuffled(pairs, report.motif, report.coupled, shuffled)
    differ = shown.asymmetries(pairs, report.coupled, shuffled)
    ends = np.sort(np.stack([pairs.one, pairs.other], axis=1), axis=1).tolist()
    return tuple(
        RelatedPair(
            one=report.feature(int(pairs.one[place])),
            other=report.feature(int(pairs.other[place])),
            score=float(pairs.corr_image[place]),
            same=float(pairs.corr[place]),
            null_mean=float(found.null_mean[place]),
            null_count=int(found.null_count[place]),
            p=float(found.p[place]),
            q=float(found.q[place]),
            count=together[ends[place][0], ends[place][1]],
            asymmetry=differ[place],
        )
        for place in range(len(pairs))
    )


def _with_strength(weights: pa.Table, spread: Mapping[str, float]) -> pa.Table:
    """Return ``WEIGHT`` rows with ``strength``: the sum times the source's spread."""
    strength = [
        total * spread[source]
        for total, source in zip(
            weights["sum"].to_pylist(), weights["source"].to_pylist(), strict=True
        )
    ]
    place = weights.schema.get_field_index("strength")
    column = pa.array(strength, pa.float64())
    return weights.set_column(place, weights.schema.field(place), column)
