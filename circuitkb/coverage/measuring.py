"""Coverage: shares of each layer that chosen edges explain, and the network run with them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from circuitkb.coverage.curve import SHARES, Agreement, Whole, areas, goals
from circuitkb.loaders.activations.editing.runs import Indices
from circuitkb.loaders.activations.subsets.attribution import Attributed, attribute
from circuitkb.loaders.activations.subsets.edges import Chosen, Edges, Order
from circuitkb.loaders.activations.subsets.running import SubNetwork
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, parts, silent, within

DRAWS = 3
"""Times that as many random edges are drawn."""

MAGNITUDE, RANDOM, GRADIENT = "weight magnitude", "random", "gradient x activation"
"""Orders that a choice is compared with."""

CHOSEN_FIRST = "chosen first"
"""The chosen edges, then the others; within both by magnitude."""


@dataclass(frozen=True)
class LayerShare:
    """What chosen edges explain of a layer.

    Attributes
    ----------
    layer
        Its name.
    edges, chosen
        Into it.
    targets
        Units of the layer with a chosen edge.
    variance
        Share of the variance of all its pre-activations, above their means, that the chosen edges
        give where their sources are as they are in the network.
    variance_null
        The same for as many random edges into the layer.
    weight
        Share of the l1 of all its kernels.
    effect
        Share of the sizes of all its edges' first-order effects on the answer's lead.
    told
        Whether kernels tell all of its pre-activations.
    """

    layer: str
    edges: int
    chosen: int
    targets: int
    variance: float
    variance_null: float
    weight: float
    effect: float
    told: bool


@dataclass(frozen=True)
class Curve:
    """Agreement with the whole, from .1% to all edges of an order."""

    points: tuple[Agreement, ...]
    cpr: float
    cmd: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one network.

    Attributes
    ----------
    edges
        Of the network.
    lead
        Mean lead of the network's answer over its runner-up.
    error
        Largest difference between the outputs of all edges and the network's own, as a share of
        its largest output.
    chosen
        Agreement of the chosen edges alone; None where there are none.
    equals
        Of as many edges of other orders; of random ones the mean.
    random_draws
        Faithfulness of each random draw.
    curves
        By order.
    layers
        In order of computation.
    learnt, measured
        Images that means and gradients are from, and others that all else was measured on.
    attributed
        First-order effects.
    chosen_hash
        Of the chosen edges.
    """

    edges: int
    lead: float
    error: float
    chosen: Agreement | None
    equals: Mapping[str, Agreement]
    random_draws: tuple[float, ...]
    curves: Mapping[str, Curve]
    layers: tuple[LayerShare, ...]
    learnt: int
    measured: int
    attributed: Attributed
    chosen_hash: str


def halves(count: int) -> tuple[Indices, Indices]:
    """Return the images to learn from and those to measure on: every other one.

    Examples
    --------
    >>> halves(5)
    (array([0, 2, 4]), array([1, 3]))
    """
    if count < 4:
        raise TrialError(f"Coverage needs 4 images at least, and there are {count}.")
    return np.arange(0, count, 2), np.arange(1, count, 2)


def measure(
    sub: SubNetwork,
    choose: Callable[[Edges], Chosen],
    count: int,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Measured:
    """Measure what chosen edges explain.

    Memory: kernels, 4 bytes for each edge and order, and maps of a batch of images.

    Parameters
    ----------
    sub
        The network, whose means are those of the images to learn from.
    choose
        Gives the chosen edges.
    count
        Images.
    seed
        Of what is drawn.
    """
    learn, test = halves(count)
    edges, chosen = sub.edges, choose(sub.edges)
    found = attribute(
        sub,
        goals(sub.real_outputs(learn)),
        learn,
        chosen,
        seed=seed,
        progress=within(progress, 0.0, 0.2),
    )
    real = sub.real_outputs(test)
    whole = Whole(real, sub.outputs(edges.none(), test))
    strongest = edges.strongest()
    orders: dict[str, Order] = {
        MAGNITUDE: strongest,
        GRADIENT: edges.by(found.edges),
        RANDOM: edges.random(seed),
    }
    runner = Runner(sub, whole, test)
    given: Agreement | None = None
    equals: dict[str, Agreement] = {}
    draws: list[Agreement] = []
    number = int(chosen.sum())
    if number:
        tell = parts(within(progress, 0.2, 0.35), 3 + DRAWS)
        given = runner.run(chosen, tell[0])
        equals = {
            name: runner.run(edges.first(orders[name], number), telling)
            for name, telling in zip((MAGNITUDE, GRADIENT), tell[1:], strict=False)
        }
        draws = [
            runner.run(edges.first(edges.random(seed + 1 + draw), number), telling)
            for draw, telling in enumerate(tell[3:])
        ]
        equals[RANDOM] = _mean(draws)
        first = chosen[strongest]
        orders = {CHOSEN_FIRST: np.concatenate([strongest[first], strongest[~first]])} | orders
    layers = _layers(sub, chosen, found, test, seed, within(progress, 0.35, 0.4))
    everything = runner.run(edges.all(), within(progress, 0.4, 0.45))
    error = float(np.abs(runner.last - real).max() / max(float(np.abs(real).max()), 1e-30))
    tell = parts(within(progress, 0.45, 1.0), len(orders))
    curves = {
        name: _curve(runner, edges, order, everything, telling)
        for (name, order), telling in zip(orders.items(), tell, strict=True)
    }
    progress("measured", 1.0)
    return Measured(
        edges.count,
        whole.lead,
        error,
        given,
        equals,
        tuple(one.faithfulness for one in draws),
        curves,
        layers,
        len(learn),
        len(test),
        found,
        sha256(np.packbits(chosen).tobytes()).hexdigest()[:16],
    )


class Runner:
    """Runs choices of edges and compares them with the whole.

    Two choices that differ only in what lies on no path are one: the network runs once.

    Parameters
    ----------
    sub, which
        The network, and the images.
    whole
        What it answers.
    """

    def __init__(self, sub: SubNetwork, whole: Whole, which: Indices) -> None:
        self._sub = sub
        self._whole = whole
        self._which = which
        self._known: dict[bytes, Floats] = {}

    def run(self, chosen: Chosen, progress: Progress = silent) -> Agreement:
        """Return how a choice agrees with the whole; :attr:`last` has what it answers."""
        prepared = self._sub.prepare(chosen)
        joined = sha256(np.packbits(prepared.chosen).tobytes()).digest()
        if joined not in self._known:
            self._known[joined] = self._sub.run(prepared, self._which, progress)
        self.last = self._known[joined]
        return self._whole.compare(self.last, int(chosen.sum()), prepared.edges)


def _curve(
    runner: Runner, edges: Edges, order: Order, everything: Agreement, progress: Progress
) -> Curve:
    tell = parts(progress, len(SHARES) - 1)
    points = [
        runner.run(edges.first(order, int(share * edges.count)), telling)
        for share, telling in zip(SHARES[:-1], tell, strict=True)
    ]
    points.append(everything)
    cpr, cmd = areas(SHARES, [one.faithfulness for one in points])
    return Curve(tuple(points), cpr, cmd)


def _mean(draws: list[Agreement]) -> Agreement:
    correlations = [one.correlation for one in draws if one.correlation is not None]
    return Agreement(
        draws[0].edges,
        round(float(np.mean([one.joined for one in draws]))),
        float(np.mean([one.faithfulness for one in draws])),
        float(np.mean([one.top1 for one in draws])),
        float(np.mean([one.kl for one in draws])),
        float(np.mean(correlations)) if correlations else None,
    )


def _layers(
    sub: SubNetwork,
    chosen: Chosen,
    found: Attributed,
    test: Indices,
    seed: int,
    progress: Progress,
) -> tuple[LayerShare, ...]:
    edges = sub.edges
    total, (own, null) = sub.missed([chosen, edges.alike(chosen, seed)], test, progress)
    ones = edges.all().astype(np.float32)
    every, some = edges.per_layer(ones), edges.per_layer(ones, chosen)
    weight, weight_chosen = edges.per_layer(edges.l1), edges.per_layer(edges.l1, chosen)
    effect, effect_chosen = edges.per_layer(found.edges), edges.per_layer(found.edges, chosen)
    targets: dict[str, set[int]] = {}
    for one, mask in edges.masks(chosen):
        units = one.target_units[mask.any(axis=2)].tolist()
        targets.setdefault(one.target, set()).update(units)
    return tuple(
        LayerShare(
            name,
            round(every.get(name, 0)),
            round(some.get(name, 0)),
            len(targets.get(name, ())),
            _share(total[name] - own[name], total[name]),
            _share(total[name] - null[name], total[name]),
            _share(weight_chosen.get(name, 0), weight.get(name, 0)),
            _share(effect_chosen.get(name, 0), effect.get(name, 0)),
            name in sub.parts.told,
        )
        for name in (layer.name for layer in sub.parts.layers)
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
