"""Match two models: their features, then the circuits found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType

import numpy as np

from circuitkb.matching.circuits import CircuitMatches, match_circuits
from circuitkb.matching.features import FeatureMatches, Layers, match_features
from circuitkb.matching.nearest import BLOCK
from circuitkb.matching.parts import PartedCircuit, row_of
from circuitkb.matching.responses import shared_stimuli
from circuitkb.schema.progress import Progress, parts, silent, within
from circuitkb.schema.responses import Responses

Pairs = Sequence[tuple[str, str]]
Circuits = Sequence[PartedCircuit]

_FEATURES = 0.9


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A pair that an earlier match found and this one does not, with what it scores now.

    ``score`` is None where a member cannot be compared any more.
    """

    source: str
    target: str
    score: float | None


@dataclass(frozen=True, eq=False)
class Matches:
    """What two models have in common.

    Attributes
    ----------
    battery, stimuli
        The battery, and how many of its stimuli both models were shown.
    features
        Analogous features.
    circuits
        Analogous circuits, by the kind of their evidence; of motifs that both models have.
    withdrawn_features, withdrawn_circuits
        Earlier matches that hold no more.
    seconds
        How long it took.
    """

    battery: str
    stimuli: int
    features: FeatureMatches
    circuits: Mapping[str, CircuitMatches]
    withdrawn_features: tuple[Withdrawn, ...]
    withdrawn_circuits: tuple[Withdrawn, ...]
    seconds: float


def match(
    first: Responses,
    second: Responses,
    *,
    layers: Layers = (None, None),
    circuits: Mapping[str, tuple[Circuits, Circuits]] = MappingProxyType({}),
    earlier_features: Pairs = (),
    earlier_circuits: Pairs = (),
    threshold: float = 0.8,
    fdr: float = 0.05,
    seed: int = 0,
    block: int = BLOCK,
    progress: Progress = silent,
) -> Matches:
    """Return which features, and which found circuits, of two models are analogous.

    Parameters
    ----------
    first, second
        The responses of the models to the same battery. They may lack stimuli of it.
    layers
        For each model the layers that take part, in order of computation: all but the input and
        the output. None for all, in the order of the responses.
    circuits
        For each motif, by the kind of evidence for its matches: what was found in each model.
    earlier_features, earlier_circuits
        Pairs of ids that an earlier match wrote, of the first model and of the second.
    threshold
        Correlation that a match must exceed.
    fdr
        False discovery rate, of features and of circuits.
    seed
        Of the random draws.
    block
        Scores in memory at once; the result does not depend on it.
    progress
        Called with how far it is.

    Raises
    ------
    ObservationError
        Responses that cannot be compared, a layer or a member of a circuit that was not observed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def seen(*arrays):
    ...     stimuli = tuple(f"s{i}" for i in range(200))
    ...     after, shuffled = (a.astype(np.float32) for a in arrays)
    ...     return Responses("b1", stimuli, (("a", 40),), after, after, shuffled, shuffled, {})
    >>> real, noise, other = rng.normal(size=(3, 40, 200))
    >>> found = match(seen(real, noise), seen(2 * real[::-1] + 0.1 * noise, other)).features
    >>> int(found.found.sum()), found.pairs[:, :3].tolist()
    (40, [[0, 1, 2], [39, 38, 37]])
    """
    start = perf_counter()
    columns = shared_stimuli(first, second)
    both = {kind: found for kind, found in circuits.items() if all(found)}
    share = _FEATURES if both else 1.0
    features = match_features(
        first,
        second,
        columns,
        layers=layers,
        threshold=threshold,
        fdr=fdr,
        seed=seed,
        block=block,
        progress=within(progress, 0.0, share),
    )
    analogous = {}
    steps = parts(within(progress, share, 1.0), len(both))
    for part, (kind, (one, other)) in zip(steps, both.items(), strict=True):
        analogous[kind] = match_circuits(
            (first, features.first, one),
            (second, features.second, other),
            threshold=threshold,
            fdr=fdr,
            seed=seed,
            block=block,
            progress=part,
        )
    return Matches(
        battery=first.battery,
        stimuli=len(columns[0]),
        features=features,
        circuits=analogous,
        withdrawn_features=_withdrawn_features(first, second, features, earlier_features),
        withdrawn_circuits=_withdrawn_circuits(analogous, earlier_circuits),
        seconds=perf_counter() - start,
    )


def _withdrawn_features(
    first: Responses, second: Responses, features: FeatureMatches, earlier: Pairs
) -> tuple[Withdrawn, ...]:
    if not earlier:
        return ()
    rows = np.array([[row_of(first, a), row_of(second, b)] for a, b in earlier], np.intp)
    held = set(map(tuple, features.rows[:, features.found].T.tolist()))
    one, other = features.first.places(rows[:, 0]), features.second.places(rows[:, 1])
    score = np.einsum("us,us->u", features.first.values[one], features.second.values[other])
    comparable = (one >= 0) & (other >= 0)
    return tuple(
        Withdrawn(*pair, float(score[i]) if comparable[i] else None)
        for i, pair in enumerate(earlier)
        if tuple(rows[i].tolist()) not in held
    )


def _withdrawn_circuits(
    found: Mapping[str, CircuitMatches], earlier: Pairs
) -> tuple[Withdrawn, ...]:
    held: set[tuple[str, str]] = set()
    score: dict[tuple[str, str], float] = {}
    for each in found.values():
        pairs = [(each.first[i], each.second[j]) for i, j in each.pairs.T.tolist()]
        held |= {pair for pair, kept in zip(pairs, each.found.tolist(), strict=True) if kept}
        score |= zip(pairs, each.score.tolist(), strict=True)
    return tuple(Withdrawn(*pair, score.get(pair)) for pair in earlier if pair not in held)
