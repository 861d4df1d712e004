"""A network of one kind: its module, and the truth about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from circuitkb.loaders.planted.benchmark.assembly import (
    Layer,
    Places,
    Without,
    assembled,
    block_over,
    emptied,
)
from circuitkb.loaders.planted.benchmark.dials import Dials
from circuitkb.loaders.planted.benchmark.kinds import KINDS
from circuitkb.loaders.planted.benchmark.parts import Parts
from circuitkb.loaders.planted.benchmark.plans import Array, Inputs, Plan, PlantedKind
from circuitkb.loaders.planted.networks import TARGETS

Units = tuple[str, ...]

BYSTANDERS = 3
"""Unrelated inputs of each target, of weight 1."""


@dataclass(frozen=True)
class Described:
    """A circuit, or a decoy, by its units (``targets:5``): what it is about, and the others."""

    units: Units
    members: Units


@dataclass(frozen=True, eq=False)
class PlantedNetwork:
    """A network with circuits of one kind.

    Attributes
    ----------
    module
        In evaluation mode; takes images from -1 to 1 with grey at 0.
    input_shape
        Channels, rows and columns of its images.
    circuits, decoys
        What is planted, and what only looks like it. Empty where ``without`` says so.
    """

    kind: PlantedKind
    dials: Dials
    seed: int
    without: Without
    module: nn.Module
    input_shape: tuple[int, int, int]
    circuits: tuple[Described, ...]
    decoys: tuple[Described, ...]


def plant(
    kind: str, dials: Dials | None = None, *, seed: int = 0, count: int = 12, without: Without = ""
) -> PlantedNetwork:
    """Make a network with planted circuits of one kind, and as many decoys.

    Parameters
    ----------
    kind
        One of :data:`~circuitkb.loaders.planted.benchmark.kinds.KINDS`.
    dials
        Those at their first levels if not given.
    seed
        Same seed, same network.
    count
        Circuits. Of families there are five, and two decoys; of superpositions a third as many.
    without
        ``shuffled`` permutes the weights of each layer, among all of its kernels; ``random`` draws
        them, normal, with the spread that they have. Nothing is planted in either.

    Examples
    --------
    >>> made = plant("cross-inhibition", seed=1, count=3)
    >>> [len(found) for found in (made.circuits, made.decoys, made.circuits[0].members)]
    [3, 3, 2]
    >>> plant("union", count=3, without="shuffled").circuits
    ()
    """
    with one_thread():
        return _plant(KINDS[kind], dials or Dials(), seed, count, without)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: many small products gain nothing by more, and round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _plant(
    asked: PlantedKind, dials: Dials, seed: int, count: int, without: Without
) -> PlantedNetwork:
    rng = np.random.default_rng([seed, *asked.name.encode()])
    parts = Parts(rng, asked.channels)
    planted, decoys = asked.plant(parts, count)
    kernels = _detectors(parts, [unit for plan in planted for unit in _held(asked, plan)], dials)
    targets = _Targets(parts, dials, asked.taps)
    about = [targets.add(plan) for plan in (*planted, *decoys)]
    for _ in range(asked.fillers):
        targets.filler(planted[0].targets)
    kernel = targets.kernels()
    kernels, kernel = (emptied(rng, each, without) for each in (kernels, kernel))
    detectors = Layer(*parts.seen.scaled(kernels))
    block = block_over(parts, dials.noise, detectors, without)
    permuted = [rng.permutation(len(each)) for each in (kernels, kernel, block.kernel)]
    places = Places(permuted[0], permuted[2], permuted[1])
    module = assembled(parts, detectors, block, kernel, places)
    described = [
        _described(asked, plan, units, places)
        for plan, units in zip((*planted, *decoys), about, strict=True)
    ]
    if without:
        described, planted = [], []
    return PlantedNetwork(
        asked,
        dials,
        seed,
        without,
        module,
        (asked.channels, asked.size, asked.size),
        tuple(described[: len(planted)]),
        tuple(described[len(planted) :]),
    )


def _held(kind: PlantedKind, plan: Plan) -> Sequence[int]:
    """Detectors whose own kernels are what is planted."""
    return () if kind.members else plan.detectors


def _detectors(parts: Parts, planted: Sequence[int], dials: Dials) -> Array:
    """Turn the dials of detectors: noise of all, the rest of those that are the circuits."""
    rng = parts.rng
    kernel = np.array(parts.kernels)
    for unit in planted:
        other = parts.kernels[parts.unrelated([unit])]
        loud = rng.normal(size=other.shape)
        loud /= parts.seen.spread(loud[None])[0]
        kernel[unit] += dials.superposition * other + loud / (2 * dials.strength)
    shapeless = np.ones(len(kernel), bool)
    shapeless[parts.structured] = False
    return parts.seen.noisy(rng, kernel, dials.noise, shapeless)


class _Targets:
    """Kernels of targets as they are added."""

    def __init__(self, parts: Parts, dials: Dials, taps: int) -> None:
        self._parts, self._dials, self._taps = parts, dials, taps
        self._rng = parts.rng
        self._made: list[Array] = []
        self._random = parts.shapeless

    def add(self, plan: Plan) -> list[int]:
        """Add the targets of a plan, and return their numbers."""
        return [self._add(inputs) for inputs in plan.targets]

    def filler(self, like: Sequence[Inputs]) -> None:
        """Add a target with the weights of another, from detectors of nothing in particular."""
        kernels = list(like[0].values()) if like else []
        if self._taps > 1:  # Where places make the circuit, they are drawn.
            kernels = [np.rot90(each, int(self._rng.integers(4))) for each in kernels]
        last = len(self._parts.kernels)
        units: list[int] = []
        for stream in (True, False):
            wanted = sum((unit < last) == stream for unit in like[0]) if like else 0
            free = [unit for unit in self._random if (unit < last) == stream]
            units += self._rng.choice(free, wanted, replace=False).tolist() if wanted else []
        self._add(dict(zip(units, kernels, strict=True)))

    def kernels(self) -> Array:
        """Return all, each of l2 norm 1; axes (target, detector, row, column)."""
        made = np.array(self._made)
        found: Array = made / np.sqrt((made**2).sum(axis=(1, 2, 3), keepdims=True))
        return found

    @property
    def _shape(self) -> tuple[int, int, int]:
        columns = len(self._parts.kernels) + len(self._parts.block)
        return columns, self._taps, self._taps

    def _add(self, inputs: Inputs) -> int:
        kernel = np.zeros(self._shape)
        for unit, values in inputs.items():
            kernel[unit] = self._dials.strength * values
        norm = float(np.linalg.norm(kernel)) or 1.0
        feature = self._parts.unrelated(list(inputs))
        self._middle(kernel)[feature] += self._dials.superposition * norm
        self._append(kernel, norm)
        return len(self._made) - 1

    def _append(self, kernel: Array, norm: float) -> None:
        free = [unit for unit in self._random if not kernel[unit].any()]
        loud = self._rng.choice(free, BYSTANDERS, replace=False)
        self._middle(kernel)[loud] += 1
        white = self._rng.normal(size=kernel.shape) / np.sqrt(kernel.size)
        self._made.append(kernel + self._dials.noise * norm * white)

    def _middle(self, kernel: Array) -> Array:
        middle: Array = kernel[:, self._taps // 2, self._taps // 2]
        return middle


def _described(kind: PlantedKind, plan: Plan, targets: Sequence[int], places: Places) -> Described:
    inputs = sorted({unit for each in plan.targets for unit in each})
    named = {
        "detectors": tuple(places.named(plan.detectors or inputs)),
        "targets": tuple(f"{TARGETS}:{unit}" for unit in sorted(places.targets[list(targets)])),
    }
    others = "targets" if kind.about == "detectors" else "detectors"
    return Described(named[kind.about], named[others] if kind.members else ())
