"""The counterexample of a proof, made ready to be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from circuitkb.proofs.binding import Subject
from circuitkb.proofs.box import Box
from circuitkb.proofs.cone import Cone
from circuitkb.proofs.proof import Proof, unpacked
from circuitkb.proofs.prover import Prover
from circuitkb.proofs.wiring import Values
from circuitkb.results.pictures.counterexample import Given, draw_counterexample
from circuitkb.schema.errors import ProofError


def draw(prover: Prover, subject: Subject, proof: Proof, file: Path) -> None:
    """Draw the counterexample of a proof to a new file.

    Raises
    ------
    ProofError
        There is none, or it was too large to be kept.
    """
    witness = proof.witness
    if proof.outcome != "refuted":
        raise ProofError(f"{proof.id} is {proof.outcome}: only a counterexample can be drawn.")
    if not witness:
        raise ProofError(f"The counterexample of {proof.id} was too large to be kept.")
    title = f"{proof.circuit or proof.target}: not always {proof.asked}"
    target = proof.value if proof.measured is None else proof.measured
    assert target is not None, "a counterexample has a target"
    if "stimulus" in witness:
        shown = prover.stimulus(str(witness["stimulus"]))
        title += f"\nover {proof.box}: the stimulus {witness['stimulus']} gives {target:.3g}"
        draw_counterexample(file, title, [], 0.0, target, shown)
        return
    title += f"\nover {proof.box}: the target is {target:.4g}"
    if "shape" in witness:
        channels, rows, columns = witness["shape"]
        pixels = unpacked(witness).reshape(channels, rows, columns) / 255
        draw_counterexample(file, title, [], 0.0, target, np.moveaxis(pixels, 0, 2))
        return
    box = Box.parse(proof.box)
    bound, _ = prover.plan(subject, proof.when, proof.then, box)
    cone = prover.encode(subject, bound, box).cone
    every, _ = cone.values(unpacked(witness))
    named = {cone.find(place) for place in bound.watched}
    given = [
        Given(
            f"{part.layer}:{unit}",
            float(every[number]),
            float(cone.weights[number] * every[number]),
            number in named,
        )
        for part in cone.parts
        for number, unit in zip(range(part.start, part.stop), part.units.tolist(), strict=True)
        if cone.weights[number]
    ]
    image = _image(proof, cone.parts[0].shape.channels, every, cone) if _of_pixels(cone) else None
    draw_counterexample(file, title, given, cone.bias, target, image)


def _of_pixels(cone: Cone) -> bool:
    return [part.shape.kind for part in cone.boxed] == ["input"]


def _image(proof: Proof, channels: int, every: Values, cone: Cone) -> Values:
    """Return the pixels that the target reads, the others grey, from 0 (black) to 1 (white)."""
    (part,) = cone.boxed
    black, white = (np.broadcast_to(np.array(side), channels) for side in proof.pixels)
    rows, columns = part.rows - part.rows.min(), part.columns - part.columns.min()
    image = np.full((int(rows.max()) + 1, int(columns.max()) + 1, channels), 0.5)
    shown = (every[part.start : part.stop] - black[part.units]) / (white - black)[part.units]
    image[rows, columns, part.units] = shown
    return image
