"""Unions, and other motifs of two inputs, found by what the units of a model answered.

:func:`find_by_responses` searches all edges (:mod:`~circuitkb.motifs.by_responses.search`), asks
both controls (:mod:`~circuitkb.motifs.by_responses.controls`), and keeps the hits that chance does
not explain.
``docs/discovery.md`` has the criteria, the nulls and what was measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.pairs import weight_rows
from circuitkb.motifs.by_kernels.sides import two_sides
from circuitkb.motifs.by_responses.controls import (
    Decoys,
    find_permuted,
    matched_pairs,
    permuted_weights,
)
from circuitkb.motifs.by_responses.coupled_responses import (
    CoupledAnswers,
    Rows,
    couples,
    side_weights,
)
from circuitkb.motifs.by_responses.findings import (
    MeasuredCase,
    MeasuredCircuit,
    MeasuredFindings,
    MeasuredUnit,
    RelatedPair,
    tallies,
    tally,
)
from circuitkb.motifs.by_responses.related_pairs import against_shuffled, distinct
from circuitkb.motifs.by_responses.search import Hits, Pairs, Searched, both_ways, search
from circuitkb.motifs.motif import PairMotif
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.motifs.union import Union
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.responses import Responses

VERSION = "1"

DRAWS = 200
"""Permutations of a found target's own weights."""


def find_by_responses(
    connections: Sequence[Connection],
    responses: Responses,
    permutation: NDArray[Any],
    motif: PairMotif | None = None,
    *,
    model: str,
    seed: int = 0,
    sides: NDArray[Any] | None = None,
    progress: Progress = silent,
) -> MeasuredFindings:
    """Search all edges of an observed model for a motif, with both controls.

    Parameters
    ----------
    connections
        All kernels of the model; each is read once by the search.
    responses
        What its units answered. Read are the answers after the nonlinearity, to the stimuli that
        the transform changes.
    permutation
        Index of each stimulus's image under ``motif.of``, as
        ``battery.transformed(motif.of.name)`` gives it.
    motif
        What to look for; unions of left-right mirrors unless given.
    model
        Name of the model, for the ids.
    seed
        Seed of the draws. The same seed gives the same findings.
    sides
        For each stimulus a number, below 0 for side 1 and above for side 2, that its image has
        with the other sign. Unless given, the stimulus of each couple that stands first in the
        battery is of side 1.
    progress
        Told how far the search is.

    Raises
    ------
    QueryError
        The permutation or the sides do not belong to the stimuli, or the permutation is not its
        own inverse, or changes no stimulus.

    Examples
    --------
    >>> answers = np.zeros((1, 2), np.float32)
    >>> responses = Responses("b", ("s", "t"), (("a", 1),), *[answers] * 4, {})
    >>> findings = find_by_responses([], responses, np.array([1, 0]), model="m")
    >>> findings.tested, findings.circuits
    (0, 0)
    """
    started = time.perf_counter()
    motif = motif or Union().by_responses()
    first, second = couples(permutation, len(responses.stimuli), motif.of.name)
    lean = side_weights(sides, first, second, responses.stimuli)
    named = f"{model}: {{}}"
    progress(f"{model}: reading answers", 0.0)
    answers = CoupledAnswers.of(responses.after, responses.rows, first, second)
    searched = search(connections, answers, motif, within(progress, 0.1, 0.3, named))
    found_by = time.perf_counter()
    streams = [np.random.default_rng([seed, stream]) for stream in range(3)]
    permuted = permuted_weights(
        searched, answers, motif, streams[0], within(progress, 0.3, 0.6, named)
    )
    matched = matched_pairs(searched, answers, motif, streams[1], within(progress, 0.6, 0.8, named))
    q = worse_q(searched.hits, permuted, matched)
    passed = np.flatnonzero(q <= motif.fdr)
    progress(f"{model}: permuting weights of the units found", 0.8)
    counts = own_counts(searched, answers, motif, searched.hits.target[passed], streams[2])
    report = _Report(model, motif, answers, searched, lean)
    units = report.units(q, passed, counts)
    progress(f"{model}: comparing with shuffled weights", 0.9)
    related = _related(report, passed, responses, first, second)
    spread = {
        report.feature(row): float(np.std(responses.after[row], dtype=np.float64))
        for row in np.unique(_members(searched.hits, passed)).tolist()
    }
    weights = _weights(units, connections, model, spread)
    progress(f"{model}: searched", 1.0)
    done = time.perf_counter()
    return MeasuredFindings(
        model=model,
        seed=seed,
        tested=searched.tested,
        not_tested=searched.not_tested,
        weights=weights,
        seconds=done - started,
        motif=motif,
        battery=responses.battery,
        all=tally(searched.hits, np.arange(len(searched.hits))),
        permuted=tallies(permuted),
        matched=tallies(matched),
        found=units,
        related=related,
        spread=spread,
        search_seconds=found_by - started,
        control_seconds=done - found_by,
    )


def worse_q(hits: Hits, *controls: Decoys) -> NDArray[np.float64]:
    """Return for each hit the largest q of all controls."""
    each = [target_decoy_q(hits.score, c.hits.score, c.repetitions) for c in controls]
    found: NDArray[np.float64] = np.max(each, axis=0)
    return found


def own_counts(
    searched: Searched,
    answers: CoupledAnswers,
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
        _, drawn = find_permuted(layer, answers, pairs, np.repeat(places, DRAWS), rng)
        hits = np.bincount(drawn, minlength=len(places) * DRAWS).reshape(len(places), DRAWS)
        counts |= dict(zip(held[places].tolist(), hits, strict=True))
    return counts


def _members(hits: Hits, chosen: Rows) -> Rows:
    return np.concatenate([hits.target[chosen], hits.one[chosen], hits.other[chosen]])


class _Report:
    """What was found, in names instead of rows."""

    def __init__(
        self,
        model: str,
        motif: PairMotif,
        answers: CoupledAnswers,
        searched: Searched,
        lean: Floats,
    ) -> None:
        self.model, self.motif, self.answers, self.searched = model, motif, answers, searched
        self.lean = lean
        self.invariance = answers.invariance
        self._held = {
            int(row): (layer, place)
            for layer, _ in searched.layers
            for place, row in enumerate(layer.inputs.targets)
        }

    def feature(self, row: int) -> str:
        """Return the id of a unit."""
        return str(FeatureId(self.model, *self.answers.unit_of(row)))

    def units(
        self, q: NDArray[np.float64], passed: Rows, counts: Mapping[int, NDArray[np.int64]]
    ) -> tuple[MeasuredUnit, ...]:
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
            found.append(
                MeasuredUnit(
                    target=self.feature(row),
                    inputs=int(layer.inputs.count[place]),
                    strongest=int(layer.strongest[place]),
                    invariance=float(self.invariance[row]),
                    hits=count,
                    null_mean=float(drawn.mean()),
                    draws=len(drawn),
                    p=float((1 + (drawn >= count).sum()) / (1 + len(drawn))),
                    circuits=self._circuits(own, q),
                )
            )
        return tuple(sorted(found, key=lambda unit: (unit.q, unit.p, -unit.hits, unit.target)))

    def _circuits(self, own: list[int], q: NDArray[np.float64]) -> tuple[MeasuredCircuit, ...]:
        hits = self.searched.hits
        rows = np.unique(np.concatenate([hits.one[own], hits.other[own]]))
        name = {int(row): self.feature(int(row)) for row in rows}
        lean = dict(zip(name.values(), self.answers.lean(rows, self.lean).tolist(), strict=True))
        pair = {hit: (name[int(hits.one[hit])], name[int(hits.other[hit])]) for hit in own}
        sides = two_sides(list(pair.values()), lean)
        found = []
        for hit, ends in pair.items():
            cases = tuple(
                self._case(hit, end, feature, 1 + sides[ends].index(feature))
                for end, feature in enumerate(ends)
            )
            one, other = sorted(cases, key=lambda case: case.side)
            found.append(
                MeasuredCircuit(
                    (one, other),
                    float(hits.turned[hit]),
                    float(hits.same[hit]),
                    float(hits.score[hit]),
                    float(q[hit]),
                )
            )
        return tuple(sorted(found, key=lambda circuit: (circuit.q, circuit.score, -circuit.turned)))

    def _case(self, hit: int, end: int, feature: str, side: int) -> MeasuredCase:
        hits, role = self.searched.hits, self.motif.roles[end]
        layer, place = self._held[int(hits.target[hit])]
        row = (hits.one, hits.other)[end][hit]
        column = int(layer.columns(np.array([row]))[0])
        return MeasuredCase(
            feature=feature,
            role=role.name,
            side=side,
            weight=float(layer.inputs.mass[role.sign][place, column]),
            spread=float(layer.spread[column]),
            rank=int((hits.rank_one, hits.rank_other)[end][hit]),
            answer=float((hits.answer_one, hits.answer_other)[end][hit]),
        )


def _related(
    report: _Report, passed: Rows, responses: Responses, first: Rows, second: Rows
) -> tuple[RelatedPair, ...]:
    if not len(passed):
        return ()
    hits = report.searched.hits
    pairs = distinct(
        Pairs(hits.one[passed], hits.other[passed], hits.turned[passed], hits.same[passed])
    )
    shuffled = CoupledAnswers.of(responses.shuffled_after, responses.rows, first, second)
    found = against_shuffled(pairs, report.motif, report.answers, shuffled)
    return tuple(
        RelatedPair(
            one=report.feature(int(pairs.one[place])),
            other=report.feature(int(pairs.other[place])),
            score=float(pairs.turned[place]),
            same=float(pairs.same[place]),
            null_mean=float(found.null_mean[place]),
            null_count=int(found.null_count[place]),
            p=float(found.p[place]),
            q=float(found.q[place]),
        )
        for place in range(len(pairs))
    )


def _weights(
    units: Sequence[MeasuredUnit],
    connections: Sequence[Connection],
    model: str,
    spread: Mapping[str, float],
) -> pa.Table:
    """Return the ``WEIGHT`` rows of all circuits, with ``strength``: sum times source's spread."""
    ends: dict[tuple[str, str], dict[tuple[int, int], None]] = {}
    for unit in units:
        target = FeatureId.parse(unit.target)
        for circuit in unit.circuits:
            for case in circuit.cases:
                source = FeatureId.parse(case.feature)
                layers = source.layer, target.layer
                ends.setdefault(layers, {})[source.unit, target.unit] = None
    edges = {
        connection.key: ends.get((connection.source, connection.target), {})
        for connection in connections
    }
    table = weight_rows(edges, connections, model)
    strength = [
        total * spread[source]
        for total, source in zip(table["sum"].to_pylist(), table["source"].to_pylist(), strict=True)
    ]
    place = table.schema.get_field_index("strength")
    return table.set_column(place, table.schema.field(place), pa.array(strength, pa.float64()))
