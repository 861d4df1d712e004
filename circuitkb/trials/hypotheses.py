"""A circuit as a hypothesis that can fail: five tests, after Shi and others (NeurIPS 2024).

Their circuits are edges of a transformer's computation graph, their task a set of prompts with a
score. Here (:func:`examine`; ``docs/trials.md`` says it at length):

- the graph is one target and all its inputs; the circuit C is some of these edges, and its
  complement all others;
- the task is the stimuli of both sides: those that the cases of a side respond to by more than one
  standard deviation above their mean (the best ten, where these are fewer);
- the score of a stimulus is the target before its nonlinearity, M; C is the same with all other
  edges ablated, the complement with those of C ablated;
- an ablated edge gives what it gives to the median stimulus of the battery (or the mean one, or
  nothing).

All follow from kernels and kept responses exactly, as sums of what each edge adds
(:mod:`~circuitkb.trials.contributions`). Scores are compared at a resolution: a tenth of the
target's standard deviation over the battery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from circuitkb.results.result import Result
from circuitkb.schema.errors import NotFoundError, ObservationError, QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Floats
from circuitkb.schema.near_matches import did_you_mean
from circuitkb.schema.responses import Responses
from circuitkb.stores.base import Store
from circuitkb.trials.circuit_tests import HypothesisTest, Lab
from circuitkb.trials.contributions import Contributions, Places, contributions

Ablation = Literal["median", "mean", "zero"]
"""What an ablated edge gives: what it gives to the median or mean stimulus, or nothing."""

_GIVES: dict[Ablation, str] = {
    "median": "what it gives to the median stimulus",
    "mean": "what it gives to the mean stimulus",
    "zero": "nothing",
}

RESOLUTION = 0.1
"""Share of the target's standard deviation below which two scores count as equal."""

FEWEST = 10
"""Stimuli of a side at least; where fewer exceed the threshold, the best."""


@dataclass(frozen=True)
class Hypotheses:
    """Five tests of one circuit.

    Attributes
    ----------
    circuit, target
        Ids of the circuit and of its target.
    edges, inputs
        Edges of the circuit, and inputs of the target.
    stimuli
        Stimuli of each side.
    ablation, seed
        As asked.
    preserved
        For each side: the circuit's mean score, for each unit of the whole target's; both above
        the target with all its inputs ablated.
    explained
        Share of the target's variance over the battery that the circuit gives.
    error
        How far the sum of all edges misses the network's own pre-activation, as a share of its
        standard deviation.
    tests
        In order.
    """

    circuit: str
    target: str
    edges: int
    inputs: int
    stimuli: tuple[int, ...]
    ablation: Ablation
    seed: int
    preserved: tuple[float, ...]
    explained: float
    error: float
    tests: tuple[HypothesisTest, ...]

    def __getitem__(self, name: str) -> HypothesisTest:
        return next(test for test in self.tests if test.name == name)

    @property
    def held(self) -> bool:
        """Whether it passes all of them."""
        return all(test.held for test in self.tests)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists."""
        found = asdict(self)
        found["tests"] = [asdict(test) for test in self.tests]
        return {**found, "held": self.held}

    def to_result(self) -> Result:
        """Return the tests as rows, in order, with what they are about as notes."""
        rows = [
            {
                "test": test.name,
                "held": test.held,
                "p": test.p,
                "null": test.null,
                "figures": ", ".join(
                    f"{name} {value:.4g}"
                    for name, value in test.figures.items()
                    if value is not None
                ),
            }
            for test in self.tests
        ]
        kept = " and ".join(f"{share:.0%}" for share in self.preserved)
        tests = f"{sum(test.held for test in self.tests)} of {len(self.tests)} tests"
        notes = (
            f"{self.circuit}: {self.edges} of the {self.inputs:,} inputs of {self.target}; "
            f"{tests} hold{'' if self.held else ', so it is no circuit by them'}",
            f"alone they give {kept} of the unit's rise on the stimuli of the sides "
            f"({' and '.join(map(str, self.stimuli))}), and {self.explained:.1%} of its variance "
            "over the battery",
            f"an ablated edge gives {_GIVES[self.ablation]}; what all inputs add misses the unit "
            f"by {self.error:.2%} of its spread; seed {self.seed}",
            "equivalence, independence and minimality hold where their null is not rejected, which "
            "proves nothing",
        )
        return Result.of_records(rows, notes=notes)


def hypotheses(
    store: Store, circuit: str, *, ablation: Ablation = "median", seed: int = 0
) -> Hypotheses:
    """Test a circuit of a knowledge base; see :func:`examine`.

    Raises
    ------
    NotFoundError
        There is no such circuit.
    ObservationError
        Its model was not observed.
    QueryError
        It is not one target with cases among its inputs, or kernels cover more than one place.
    """
    members = store.read(_MEMBERS, {"id": circuit}, limit=None).to_dicts()
    if not members:
        known = store.read("MATCH (c:Circuit) RETURN c.id AS id", limit=None).rows
        near = did_you_mean(circuit, [row[0] for row in known]) if known else ""
        raise NotFoundError(f"There is no circuit {circuit!r} here.{near}")
    model = members[0]["model"]
    targets = [row["feature"] for row in members if row["side"] is None]
    cases = [(row["side"], row["feature"]) for row in members if row["side"] is not None]
    if len(targets) != 1 or not cases:
        raise QueryError(
            f"{circuit} has {len(targets)} members without a side and {len(cases)} with one: only "
            "circuits of one target and its cases can be tested yet."
        )
    responses = store.responses(model)
    if responses is None:
        raise ObservationError(
            f"{model!r} was not observed: circuitkb observe {model} shows it the stimuli."
        )
    sides = [
        [responses.row(feature) for side, feature in cases if side == own]
        for own in sorted({side for side, _ in cases})
    ]
    added = contributions(store.kernels(model), responses, FeatureId.parse(targets[0]))
    return examine(
        added,
        [row for rows in sides for row in rows],
        task(responses, sides),
        circuit=circuit,
        ablation=ablation,
        seed=seed,
    )


_MEMBERS = (
    "MATCH (c:Circuit {id: $id})<-[b:MEMBER_OF]-(f:Feature) "
    "RETURN c.model AS model, f.id AS feature, b.side AS side ORDER BY side, feature"
)


def task(responses: Responses, sides: Sequence[Sequence[int]]) -> tuple[Places, ...]:
    """Return the stimuli of each side: those that its cases respond to most.

    Parameters
    ----------
    responses
        Of the model.
    sides
        Rows of the cases of each side.
    """
    found = []
    for rows in sides:
        shown = responses.after[np.asarray(rows)].astype(np.float64)
        shown -= shown.mean(axis=1, keepdims=True)
        spread = shown.std(axis=1, keepdims=True)
        score = (shown / np.where(spread > 0, spread, 1)).mean(axis=0)
        above = np.flatnonzero(score > 1)
        few = min(FEWEST, len(score))
        found.append(above if len(above) >= few else np.sort(score.argsort()[::-1][:few]))
    return tuple(found)


def examine(
    added: Contributions,
    edges: Sequence[int],
    stimuli: Sequence[Places],
    *,
    circuit: str = "",
    ablation: Ablation = "median",
    seed: int = 0,
) -> Hypotheses:
    """Test a circuit of one target and some of its inputs.

    Parameters
    ----------
    added
        What all inputs add to the target.
    edges
        The circuit: rows of the inputs whose edges are in it.
    stimuli
        The task: the stimuli of each side, as :func:`task` gives them.
    circuit
        Its id, for the result.
    ablation
        What an ablated edge gives.
    seed
        Of the random circuits and permutations. The same seed gives the same result.

    Raises
    ------
    QueryError
        No such ablation, or an edge is not there.
    """
    if ablation not in get_args(Ablation):
        raise QueryError(f"ablation is {ablation!r}: {', '.join(get_args(Ablation))}.")
    members = added.places(sorted(set(edges)))
    usual = _usual(added, ablation)
    whole = added.whole - usual.sum()
    spread = float(whole.std())
    every = np.unique(np.concatenate(stimuli))
    lab = Lab(
        deviation=added.values[:, every] - usual[:, None],
        members=members,
        sides=tuple(np.searchsorted(every, side) for side in stimuli),
        resolution=RESOLUTION * spread,
        strength=added.values.std(axis=1),
        rng=np.random.default_rng(seed),
    )
    alone = added.values[members].sum(axis=0) - usual[members].sum()
    rest = float(np.var(whole - alone))
    means = [(float(alone[side].mean()), float(whole[side].mean())) for side in stimuli]
    return Hypotheses(
        circuit=circuit,
        target=str(added.target),
        edges=len(members),
        inputs=len(added.sources),
        stimuli=tuple(len(side) for side in stimuli),
        ablation=ablation,
        seed=seed,
        preserved=tuple(one / all_ if all_ else 0.0 for one, all_ in means),
        explained=1 - rest / spread**2 if spread else 0.0,
        error=added.error,
        tests=(
            lab.equivalence(),
            lab.independence(),
            lab.minimality(),
            lab.sufficiency(),
            lab.partial_necessity(),
        ),
    )


def _usual(added: Contributions, ablation: Ablation) -> Floats:
    """Return what each edge adds when it is ablated."""
    found: Floats = np.zeros(len(added.sources), np.float32)
    if ablation == "median":
        found = np.median(added.values, axis=1).astype(np.float32)
    elif ablation == "mean":
        found = added.values.mean(axis=1)
    return found
