"""Statements about one model, decided one after the other; what they share is read once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from circuitkb.observation.kept import battery_of
from circuitkb.proofs.binding import Bound, Names, Observed, Subject, broken_by
from circuitkb.proofs.box import Bounds, Box
from circuitkb.proofs.cone import Cone, cone_of
from circuitkb.proofs.decide import Answer, Outcome, decide, overall
from circuitkb.proofs.laboratory import LEVELS, Laboratory
from circuitkb.proofs.proof import Proof, packed, unpacked
from circuitkb.proofs.solver import version
from circuitkb.proofs.statement import Statement, Term
from circuitkb.proofs.wiring import Values, Wiring
from circuitkb.schema.errors import ProofError, TrialError

LOOKED_AT = 8
"""Stimuli that kept answers say break a statement, and that the network is shown, at most."""

BEGUN = 12
"""Stimuli from which descents on images begin."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A statement about a cone, over a box in numbers."""

    bound: Bound
    cone: Cone
    bounds: Bounds


class Prover:
    """Decides statements about a model.

    Parameters
    ----------
    wiring, observed
        What is known of it.
    fingerprint
        Of its weights.
    laboratory
        Opens the network; raises where it is not there.
    """

    def __init__(
        self,
        wiring: Wiring,
        observed: Observed,
        fingerprint: str,
        laboratory: Callable[[], Laboratory],
    ) -> None:
        self._wiring, self._observed, self._fingerprint = wiring, observed, fingerprint
        self._laboratory = laboratory
        self._ranges = observed.ranges(wiring)

    def plan(self, subject: Subject, when: str, then: str, box: Box) -> tuple[Bound, Proof]:
        """Return a statement with numbers in the place of words, and its proof before it is one.

        Raises
        ------
        ProofError
            It cannot be read, or names what is not there.
        """
        names = Names(self._wiring, subject, self._observed)
        asked = Statement.parse(when, then, len(subject.cases))
        bound = names.bind(asked)
        return bound, Proof(
            model=self._wiring.model,
            fingerprint=self._fingerprint,
            target=str(subject.target),
            cases=tuple(map(str, subject.cases)),
            circuit=subject.circuit,
            when=bound.statement.condition,
            then=str(bound.statement.then),
            asked=str(asked),
            box=str(box),
            outcome="undecided",
            by="",
            level=bound.level,
            pixels=(tuple(self._observed.black), tuple(self._observed.white)),
        )

    def encode(self, subject: Subject, bound: Bound, box: Box) -> Encoded:
        """Return a statement about what its target reads.

        Raises
        ------
        ProofError
            That cannot be encoded, or the box is empty.
        """
        names = Names(self._wiring, subject, self._observed)
        cone = cone_of(self._wiring, bound.target, layers=box.computed, watched=bound.watched)
        bound.question(cone)
        numbers = [cone.find(place) for place in bound.watched]
        bounds = Bounds.of(
            box,
            cone,
            self._ranges,
            [one for one in numbers if one is not None],
            lambda name: cone.find(names.place(Term(name))),
        )
        return Encoded(bound, cone, bounds)

    def prove(
        self,
        subject: Subject,
        when: str,
        then: str,
        box: Box,
        *,
        seconds: float = 60.0,
        seed: int = 0,
    ) -> Proof:
        """Decide a statement.

        Raises
        ------
        ProofError
            It cannot be read or encoded, or the box is empty.
        MissingExtraError
            The solver is not installed.
        """
        started = time.perf_counter()
        found_version = version()
        bound, plan = self.plan(subject, when, then, box)
        plan = replace(plan, allowed=seconds, seed=seed, solver=found_version)
        ends = time.monotonic() + seconds
        proof = self._decided(subject, bound, plan, box, ends)
        return replace(proof, seconds=time.perf_counter() - started)

    def _decided(self, subject: Subject, bound: Bound, plan: Proof, box: Box, ends: float) -> Proof:
        seen = box.kind == "pixels" and not box.within and self._observed.responses is not None
        if seen:
            shown = self._by_stimuli(bound, plan)
            if shown is not None:
                return shown
        try:
            encoded = self.encode(subject, bound, box)
        except ProofError as error:
            if not seen:
                raise
            return self._by_images(bound, plan, str(error), ends)
        answers = decide(
            encoded.cone,
            encoded.bounds,
            bound.question(encoded.cone),
            ends - time.monotonic(),
            starts=self._starts(encoded) if seen else (),
            seed=plan.seed,
        )
        return self._checked(encoded, plan, answers)

    def _checked(self, encoded: Encoded, plan: Proof, answers: Sequence[Answer]) -> Proof:
        """Return how a statement ended; a counterexample counts once the network gives it."""
        cone, bounds = encoded.cone, encoded.bounds
        outcome = overall(answers)
        deciding = next(one for one in answers if one.outcome == outcome)
        known = [one.bound for one in answers if one.bound is not None]
        worst = (min if encoded.bound.sign > 0 else max)(known) if known else None
        proof = replace(
            plan,
            outcome=outcome,
            by=", ".join(dict.fromkeys(one.by for one in answers if one.outcome == outcome)),
            bound=worst,
            value=deciding.target,
            variables=cone.size,
            free=int((bounds.low < bounds.high)[cone.in_box].sum()),
            kinks=max(one.kinks for one in answers),
            nodes=sum(one.nodes for one in answers),
            parts=tuple(
                {"outcome": one.outcome, "by": one.by, "bound": one.bound, "note": one.note}
                for one in answers
            ),
            note=deciding.note,
        )
        if outcome != "refuted" or deciding.values is None:
            return proof
        values = deciding.values
        proof = replace(proof, witness=packed(values))
        return self._run(proof, lambda lab: lab.run(cone, values, encoded.bound))

    def _run(self, proof: Proof, run: Callable[[Laboratory], Any]) -> Proof:
        """Run a counterexample on the network; one that the network does not give is none."""
        from circuitkb.schema.errors import ObservationError, SourceError

        try:
            ran = run(self._laboratory())
        except (ObservationError, SourceError, TrialError) as error:
            why = str(error).splitlines()[0].rstrip(".")
            return replace(proof, note=f"the network was not run: {why}")
        if ran.breaks:
            return replace(proof, measured=ran.target)
        return replace(
            proof,
            outcome="undecided",
            measured=ran.target,
            witness=None,
            note="the network does not give what its kernels give at the counterexample",
        )

    def _by_stimuli(self, bound: Bound, plan: Proof) -> Proof | None:
        """Return a counterexample among what was shown, if there is one."""
        broken = broken_by(bound, self._observed, self._wiring.model)
        plan = replace(plan, by="stimuli")
        responses = self._observed.responses
        assert responses is not None, "kept answers were read"
        layer, unit, *_ = bound.target
        for number in broken[:LOOKED_AT]:
            value = float(self._observed.of_layer(plan.model, layer, before=True)[unit, number])
            found = replace(
                plan,
                outcome="refuted",
                value=value,
                witness={"stimulus": responses.stimuli[number]},
            )
            found = self._run(found, partial(Laboratory.stimulus, number=number, bound=bound))
            if found.outcome == "refuted":
                return found
        return None

    def _by_images(self, bound: Bound, plan: Proof, why: str, ends: float) -> Proof:
        """Search images for the network itself, where it is too large to be encoded."""
        plan = replace(plan, by="search", note=why.splitlines()[0])
        starts = self._nearest(bound)

        def run(lab: Laboratory) -> Any:
            return lab.search(bound, starts, lambda: time.monotonic() > ends)

        from circuitkb.schema.errors import ObservationError, SourceError

        try:
            found = run(self._laboratory())
        except (ObservationError, SourceError, TrialError) as error:
            return replace(plan, note=f"{plan.note} The network was not run: {error}")
        if found is None:
            return plan
        coarse = np.round(found.image * LEVELS).reshape(-1).astype(np.float64)
        shape = list(found.image.shape)
        return replace(
            plan,
            outcome="refuted",
            value=None,
            measured=found.target,
            witness={"began": found.began, "shape": shape, **(packed(coarse) or {})},
            note="",
        )

    def _nearest(self, bound: Bound) -> list[int]:
        """Return the stimuli that come nearest to breaking a statement."""
        layer, unit, *_ = bound.target
        model = self._wiring.model
        target = bound.sign * self._observed.of_layer(model, layer, before=True)[unit]
        chosen: dict[int, None] = {}
        for all_of in bound.any_of:
            short = np.zeros(len(target))
            for terms, level in all_of:
                total = sum(
                    factor * self._observed.of_layer(model, place[0])[place[1]]
                    for place, factor in terms
                )
                short += np.maximum(level - np.asarray(total), 0) / max(abs(level), 1e-6)
            spread = float(target.std()) or 1.0
            order = np.argsort(short * 3 + target / spread, kind="stable")
            chosen |= dict.fromkeys(order[: BEGUN // len(bound.any_of) + 1].tolist())
        return list(chosen)

    def _starts(self, encoded: Encoded) -> list[Values]:
        """Return stimuli as values of a box over pixels."""
        cone, responses = encoded.cone, self._observed.responses
        (pixels,) = cone.boxed
        if responses is None or pixels.shape.kind != "input" or not len(pixels.index):
            return []
        centre = tuple(float(side.min() + side.max()) / 2 for side in (pixels.rows, pixels.columns))
        images = battery_of(responses).images(
            np.array(self._nearest(encoded.bound)),
            rows=pixels.shape.rows,
            columns=pixels.shape.columns,
            centre=(centre[0], centre[1]),
        )
        shown = _as_read(images, self._observed, responses.settings.get("order", ()))
        found = []
        for image in shown:
            values = np.zeros(cone.size)
            values[pixels.start : pixels.stop] = image[pixels.units, pixels.rows, pixels.columns]
            found.append(values)
        return found

    def stimulus(self, id: str) -> Values:
        """Return a stimulus as it is drawn: values from 0 to 1, axes (row, column, colour)."""
        responses = self._observed.responses
        assert responses is not None, "it was observed"
        view = responses.settings["views"][-1]
        images = battery_of(responses).images(
            np.array([responses.stimuli.index(id)]),
            rows=view["rows"],
            columns=view["columns"],
            centre=tuple(view["centre"]),
        )
        return np.moveaxis(images[0].astype(np.float64), 0, 2)

    def again(self, subject: Subject, kept: Proof) -> Proof:
        """Decide a kept statement again; a counterexample that was kept is looked at, not sought.

        Raises
        ------
        ProofError
            It cannot be repeated.
        """
        box = Box.parse(kept.box)
        bound, plan = self.plan(subject, kept.when, kept.then, box)
        if plan.id != kept.id:
            raise ProofError(f"{kept.id} was decided on other weights: decide it anew.")
        plan = replace(plan, allowed=kept.allowed, seed=kept.seed, asked=kept.asked)
        if kept.witness is not None and "shape" in kept.witness:
            return self._image_again(bound, kept)
        if kept.witness is None or "values" not in kept.witness:
            return self.prove(
                subject, kept.when, kept.then, box, seconds=kept.allowed, seed=kept.seed
            )
        encoded = self.encode(subject, bound, box)
        values = unpacked(kept.witness)
        if len(values) != encoded.cone.size:
            raise ProofError(f"The counterexample of {kept.id} does not fit its box any more.")
        every, target = encoded.cone.values(values)
        question = bound.question(encoded.cone)
        inside = ((values >= encoded.bounds.low) & (values <= encoded.bounds.high))[
            encoded.cone.in_box
        ].all()
        holds = any(all(one.holds(every) for one in all_of) for all_of in question.any_of)
        off = bound.sign * (target - bound.level)
        breaks = off <= 0 if bound.strict else off < 0
        outcome: Outcome = "refuted" if inside and holds and breaks else "undecided"
        found = replace(kept, outcome=outcome, by="the counterexample that was kept", value=target)
        return self._run(found, lambda lab: lab.run(encoded.cone, values, bound))

    def _image_again(self, bound: Bound, kept: Proof) -> Proof:
        """Show the network the image that was kept; without the network nothing is decided."""
        assert kept.witness is not None, "it was refuted"
        numbers = unpacked(kept.witness)
        shape = kept.witness["shape"]
        if not isinstance(shape, list) or len(shape) != 3 or np.prod(shape) != len(numbers):
            raise ProofError(f"The image of {kept.id} that was kept is damaged.")
        image = (numbers.astype(np.float32) / np.float32(LEVELS)).reshape(shape)
        found = replace(kept, by="the image that was kept", measured=None)
        ran = self._run(found, lambda lab: lab.image(image, bound))
        return ran if ran.measured is not None else replace(ran, outcome="undecided")


def _as_read(images: Any, observed: Observed, order: Sequence[int]) -> Values:
    """Return images as the network reads them, axes (image, channel, row, column)."""
    shown = images[:, list(order)] if order else images
    black, white = (
        np.asarray(side, np.float64).reshape(1, -1, 1, 1)
        for side in (observed.black, observed.white)
    )
    found: Values = shown * (white - black) + black
    return found
