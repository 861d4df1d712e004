"""Five tests of a circuit whose edges are known in what they add; ``docs/trials.md`` has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from circuitkb.schema.kernels import Floats
from circuitkb.trials.contributions import Places
from circuitkb.trials.independence import independence_p

MARGIN = 0.1
"""How far from a half the chance may lie that the circuit scores above the unit."""

QUANTILE = 0.9
"""Share of random circuits (or edges) that a circuit (or each of its edges) is to exceed."""

LEVEL = 0.05
"""Level of each flexible test, and of the three idealised ones together."""

DRAWS = 1_000
"""Random circuits, and permutations."""

STRONGEST, STRONGEST_LEAST = 0.05, 20
"""Of the harder comparison: random circuits of this share of the inputs, and so many at least."""

_IDEAL = 3


@dataclass(frozen=True)
class HypothesisTest:
    """One test of one circuit.

    Attributes
    ----------
    name
        ``equivalence``, ``independence``, ``minimality``, ``sufficiency`` or
        ``partial necessity``.
    null
        What is rejected where p is small.
    ideal
        Whether the null is that the circuit is ideal: such a test holds where p is *not* small,
        which is no proof. The others hold where the null, that random circuits do as well, is
        rejected.
    p
        Its p-value.
    held
        Whether the circuit passes.
    figures
        What was measured, by name.
    """

    name: str
    null: str
    ideal: bool
    p: float
    held: bool
    figures: Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class Lab:
    """A circuit and its task, ready to be tested.

    ``deviation``, axes (input, stimulus of the task), is what each edge adds beyond what it adds
    when ablated; so the unit's score is the sum of all, the circuit's that of ``members``.
    """

    deviation: Floats
    members: Places
    sides: tuple[Places, ...]
    resolution: float
    strength: Floats
    rng: np.random.Generator

    @property
    def unit(self) -> Floats:
        """The unit's score of each stimulus."""
        found: Floats = self.deviation.sum(axis=0)
        return found

    @property
    def circuit(self) -> Floats:
        """The circuit's score of each stimulus."""
        found: Floats = self.deviation[self.members].sum(axis=0)
        return found

    def equivalence(self) -> HypothesisTest:
        """Circuit and unit score above each other equally often, on each side."""
        difference = self.circuit - self.unit
        above, p = [], []
        for side in self.sides:
            here = difference[side]
            more = (here > self.resolution).mean() + 0.5 * (abs(here) <= self.resolution).mean()
            above.append(float(more))
            p.append(share_p(float(more), len(here)))
        figures = {f"above_{place}": share for place, share in enumerate(above, 1)}
        return _ideal(
            "equivalence",
            f"on each side the circuit scores above the unit with a chance of .5, give or take "
            f"{MARGIN:g}",
            min(1.0, len(p) * min(p)),
            figures,
        )

    def independence(self) -> HypothesisTest:
        """What is left without the circuit says nothing of how the unit scores."""
        scores = [self.unit - self.circuit, self.unit]
        steps = [
            np.rint((score - np.median(score)) / (self.resolution or 1.0)).astype(np.float64)
            for score in scores
        ]
        hsic, p = independence_p(steps[0], steps[1], DRAWS, self.rng)
        r = float(np.corrcoef(*steps)[0, 1]) if all(step.any() for step in steps) else 0.0
        return _ideal(
            "independence",
            "without the circuit the unit's score is independent of what it was",
            p,
            {"hsic": hsic, "r": r},
        )

    def minimality(self) -> HypothesisTest:
        """Each edge moves the circuit more than most edges that are not in it would."""
        from scipy.stats import binomtest

        effect = np.abs(self.deviation).mean(axis=1)
        others = np.delete(effect, self.members)
        if not len(others):
            return _ideal("minimality", _MINIMAL, 1.0, {"least": None})
        below = [int((others < own).sum()) for own in effect[self.members]]
        p = [binomtest(k, len(others), QUANTILE, alternative="less").pvalue for k in below]
        return _ideal(
            "minimality",
            _MINIMAL,
            min(1.0, len(p) * float(min(p))),
            {"least": min(below) / len(others)},
        )

    def sufficiency(self) -> HypothesisTest:
        """The circuit alone is nearer to the unit than most random circuits of its size."""
        whole = self.unit

        def nearness(alone: Floats) -> Floats:
            return -_mean_size(whole - alone)

        return self._against_random("sufficiency", "nearer to the whole unit", nearness)

    def partial_necessity(self) -> HypothesisTest:
        """To take the circuit away costs more than to take most random circuits of its size."""
        return self._against_random("partial necessity", "missed more", _mean_size)

    def _against_random(
        self, name: str, better: str, value: Callable[[Floats], Floats]
    ) -> HypothesisTest:
        own = float(value(self.circuit[None])[0])
        inputs = len(self.strength)
        few = min(inputs, max(STRONGEST_LEAST, int(STRONGEST * inputs)))
        strong = np.argsort(-self.strength, kind="stable")[:few]
        share, p = self._beaten(own, np.arange(inputs), value)
        strong_share, strong_p = self._beaten(own, strong, value)
        return HypothesisTest(
            name,
            f"at least {1 - QUANTILE:.0%} of random circuits of its size are {better}",
            False,
            1.0 if p is None else p,
            p is not None and p <= LEVEL,
            {"beaten": share, "beaten_strongest": strong_share, "p_strongest": strong_p},
        )

    def _beaten(
        self, own: float, pool: Places, value: Callable[[Floats], Floats]
    ) -> tuple[float | None, float | None]:
        """Return the share of random circuits of a pool that do worse, and p that it is large."""
        from scipy.stats import binomtest

        size = len(self.members)
        if len(pool) <= size:
            return None, None
        worse = 0
        step = max(1, 4_000_000 // (size * self.deviation.shape[1]))
        for start in range(0, DRAWS, step):
            keys = self.rng.random((min(step, DRAWS - start), len(pool)))
            drawn = pool[np.argpartition(keys, size, axis=1)[:, :size]]
            worse += int((value(self.deviation[drawn].sum(axis=1)) < own).sum())
        p = binomtest(worse, DRAWS, QUANTILE, alternative="greater").pvalue
        return worse / DRAWS, float(p)


_MINIMAL = f"each edge moves the circuit more than {QUANTILE:.0%} of the edges outside would"


def _ideal(name: str, null: str, p: float, figures: Mapping[str, float | None]) -> HypothesisTest:
    return HypothesisTest(name, null, True, p, p > LEVEL / _IDEAL, figures)


def _mean_size(scores: Floats) -> Floats:
    found: Floats = np.abs(scores).mean(axis=-1)
    return found


def share_p(share: float, count: int) -> float:
    """Return the chance of a share this far from a half, where the true one is .5 + MARGIN."""
    from scipy.stats import binom

    far = count * abs(share - 0.5) - 1e-9
    upper = binom.sf(np.ceil(count / 2 + far) - 1, count, 0.5 + MARGIN)
    lower = binom.cdf(np.floor(count / 2 - far), count, 0.5 + MARGIN)
    return float(min(1.0, upper + lower))
