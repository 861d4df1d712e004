"""A statement about the features of one model: names become places, and words numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from circuitkb.proofs.bounds import Condition
from circuitkb.proofs.box import Ranges
from circuitkb.proofs.cone import Cone, Place
from circuitkb.proofs.decide import Question
from circuitkb.proofs.statement import BEST, Comparison, Level, Sign, Statement, Term
from circuitkb.proofs.wiring import Values, Wiring
from circuitkb.schema.errors import IdError, ProofError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.responses import Responses


@dataclass(frozen=True)
class Subject:
    """What a statement is about.

    Attributes
    ----------
    target
        The feature that something follows for.
    cases
        What ``case 1``, ``case 2``, ... stand for.
    circuit
        The circuit, if it is one.
    """

    target: FeatureId
    cases: tuple[FeatureId, ...] = ()
    circuit: str | None = None


@dataclass(frozen=True, eq=False)
class Observed:
    """What is known of the values that features have.

    Attributes
    ----------
    responses
        To the battery; None where the model was not observed.
    black, white
        What the network reads for black and for white: one number, or one for each channel.
    """

    responses: Responses | None
    black: Sequence[float]
    white: Sequence[float]

    def ranges(self, wiring: Wiring) -> Ranges:
        """Return the ranges of all features, read a layer at a time."""
        known: dict[str, tuple[Values, Values, Values]] = {}

        def of(layer: str) -> tuple[Values, Values, Values]:
            if layer not in known:
                known[layer] = self._of(wiring, layer)
            return known[layer]

        return Ranges(of)

    def _of(self, wiring: Wiring, layer: str) -> tuple[Values, Values, Values]:
        shape = wiring.layers[layer]
        if shape.kind == "input":
            black, white = (
                np.broadcast_to(np.asarray(side, np.float64), shape.channels)
                for side in (self.black, self.white)
            )
            return np.minimum(black, white), np.maximum(black, white), (black + white) / 2
        answers = self.of_layer(wiring.model, layer)
        return answers.min(axis=1), answers.max(axis=1), answers.mean(axis=1)

    def of_layer(self, model: str, layer: str, *, before: bool = False) -> Values:
        """Return what the units of a layer answered, axes (unit, stimulus).

        Raises
        ------
        ProofError
            The model was not observed.
        """
        found = self.responses
        if found is None or layer not in found.rows:
            raise ProofError(
                f"{model!r} was not observed, so nobody knows what its features answer: circuitkb "
                f"observe {model}; or --box pixels, with numbers in the statement."
            )
        kept = found.before if before else found.after
        return np.asarray(kept[found.rows[layer]], np.float64)


@dataclass(frozen=True, eq=False)
class Bound:
    """A statement whose names are places.

    Attributes
    ----------
    target
        Its place.
    any_of
        For each list of conditions: places with factors, and the level that they must reach.
    sign, level, strict
        Of what follows; see :class:`circuitkb.proofs.decide.Question`.
    statement
        The statement, with numbers in the place of words.
    """

    target: Place
    any_of: tuple[tuple[tuple[tuple[tuple[Place, float], ...], float], ...], ...]
    sign: int
    level: float
    strict: bool
    statement: Statement

    @property
    def watched(self) -> list[Place]:
        """All places that the conditions name."""
        every = {place: None for all_of in self.any_of for terms, _ in all_of for place, _ in terms}
        return list(every)

    def question(self, cone: Cone) -> Question:
        """Return the statement about a cone.

        Raises
        ------
        ProofError
            The target does not read something that is named.
        """
        return Question(
            1 if self.sign > 0 else -1,
            self.level,
            self.strict,
            tuple(
                tuple(self._condition(cone, terms, level) for terms, level in all_of)
                for all_of in self.any_of
            ),
        )

    def _condition(
        self, cone: Cone, terms: Sequence[tuple[Place, float]], level: float
    ) -> Condition:
        weights = np.zeros(cone.size)
        for place, factor in terms:
            number = cone.find(place)
            if number is None or not _is_read(cone, number):
                layer, unit, row, column = place
                raise ProofError(
                    f"The target does not read {layer}:{unit} (row {row}, column {column}) there: "
                    "name what it reads, or compute more layers (--box 'layers 3')."
                )
            weights[number] += factor
        return Condition(weights, level)


def _is_read(cone: Cone, number: int) -> bool:
    return bool(cone.weights[number]) or any(
        number < part.start and made.matrix[:, [number]].nnz for part, made in cone.computed
    )


@dataclass(eq=False)
class Names:
    """The names of a subject's features, and what words mean for them."""

    wiring: Wiring
    subject: Subject
    observed: Observed
    _places: dict[tuple[str, int, int], Place] = field(default_factory=dict)

    @property
    def target(self) -> Place:
        """The place of the target: the middle of its map, where kernels always hold."""
        one = self.subject.target
        return (one.layer, one.unit, *self.wiring.layers[one.layer].centre)

    def feature(self, name: str) -> FeatureId:
        """Return the feature of a name.

        Raises
        ------
        ProofError
            There is no such feature in the model, or no such case.
        """
        if name == "target":
            return self.subject.target
        if name.startswith("case "):
            number = int(name.removeprefix("case "))
            if not 1 <= number <= len(self.subject.cases):
                raise ProofError(
                    f"There is no {name}: {self.subject.circuit or self.subject.target} has "
                    f"{len(self.subject.cases)} cases."
                )
            return self.subject.cases[number - 1]
        model = self.wiring.model
        try:
            found = FeatureId.parse(name if name.startswith(f"{model}/") else f"{model}/{name}")
        except IdError as error:
            raise ProofError(f"{name!r} is no feature of {model}: {error}") from error
        shape = self.wiring.layers.get(found.layer)
        if shape is None or found.basis is not None or found.unit >= shape.channels:
            raise ProofError(f"There is no feature {name!r} in {model}.")
        return found

    def place(self, term: Term) -> Place:
        """Return the place that a term names.

        Raises
        ------
        ProofError
            It lies outside of the map.
        """
        one = self.feature(term.name)
        layer, _, *centre = self.target
        row, column = self.wiring.reading_place(
            one.layer, one.unit, layer, (int(centre[0]), int(centre[1]))
        )
        shape = self.wiring.layers[one.layer]
        row, column = row + term.down, column + term.right
        if not (0 <= row < shape.rows and 0 <= column < shape.columns):
            raise ProofError(f"{term} lies outside of its map, {shape.rows}x{shape.columns}.")
        return one.layer, one.unit, row, column

    def number(self, comparison: Comparison) -> float:
        """Return the number that a comparison's level stands for."""
        level = comparison.level
        if level.kind == "number":
            return level.value
        if len(comparison.terms) > 1:
            raise ProofError(f"{comparison}: a sum is compared with a number.")
        one = self.feature(comparison.terms[0].name)
        before = comparison.terms[0].name == "target"
        if self.wiring.layers[one.layer].kind == "input":
            if level.kind != "share":
                raise ProofError(f"{comparison}: a pixel is compared with a number or a share.")
            low, high, _ = self.observed.ranges(self.wiring).of(one.layer)
            return float(low[one.unit] + level.value / 100 * (high[one.unit] - low[one.unit]))
        answers = self.observed.of_layer(self.wiring.model, one.layer, before=before)[one.unit]
        if level.kind == "share":
            return float(level.value / 100 * answers.max())
        if level.kind == "mean":
            return float(answers.mean())
        return float(np.sort(answers)[-BEST:][0])

    def bind(self, statement: Statement) -> Bound:
        """Return a statement whose names are places of the model.

        Raises
        ------
        ProofError
            A name is none, or a word has no number.
        """
        any_of = []
        said = []
        for all_of in statement.when:
            bound, words = [], []
            for one in all_of:
                level = self.number(one)
                sign = 1.0 if one.sign[0] == ">" else -1.0
                terms = tuple((self.place(term), sign * term.factor) for term in one.terms)
                bound.append((terms, sign * level))
                # What must hold is closed: a number itself belongs to it.
                words.append(Comparison(one.terms, _closed(one.sign), Level("number", level)))
            any_of.append(tuple(bound))
            said.append(tuple(words))
        then = statement.then
        level = self.number(then)
        return Bound(
            self.target,
            tuple(any_of),
            1 if then.sign[0] == ">" else -1,
            level,
            len(then.sign) == 1,
            Statement(tuple(said), Comparison(then.terms, then.sign, Level("number", level))),
        )


def _closed(sign: Sign) -> Sign:
    return ">=" if sign[0] == ">" else "<="


def broken_by(bound: Bound, observed: Observed, model: str) -> list[int]:
    """Return the stimuli, by number, at which kept answers break a statement; the worst first.

    Raises
    ------
    ProofError
        The model was not observed.
    """
    layer, unit, *_ = bound.target
    target = bound.sign * observed.of_layer(model, layer, before=True)[unit]
    holds = np.zeros(len(target), bool)
    for all_of in bound.any_of:
        every = np.ones(len(target), bool)
        for terms, level in all_of:
            total = sum(
                factor * observed.of_layer(model, place[0])[place[1]] for place, factor in terms
            )
            every &= np.asarray(total) >= level
        holds |= every
    level = bound.sign * bound.level
    broken = holds & ((target <= level) if bound.strict else (target < level))
    which = np.flatnonzero(broken)
    return [int(one) for one in which[np.argsort(target[which], kind="stable")]]
