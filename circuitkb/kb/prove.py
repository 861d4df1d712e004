"""Statements about circuits, proved or refuted over a box, and kept to be repeated."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from circuitkb.kb.observe import refuse_without_weights, stored_model
from circuitkb.kb.on_trial import circuit_on_trial, target_of
from circuitkb.kb.reopening import reopen
from circuitkb.kb.writing import Writing
from circuitkb.results.proof_report import ProofReport
from circuitkb.schema.errors import NotFoundError, ObservationError, ProofError, SourceError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from circuitkb.loaders.composition.network import Network
    from circuitkb.proofs.binding import Observed, Subject
    from circuitkb.proofs.laboratory import Laboratory
    from circuitkb.proofs.proof import Proof
    from circuitkb.proofs.prover import Prover
    from circuitkb.proofs.wiring import Wiring

WRITTEN = 20
"""So many proofs are written together: what an interrupted list loses at most."""

THEN, BOX = "target > 0", "range"

About = str | FeatureId


class Proving(Writing):
    """Gives a knowledge base its ``prove`` and ``prove_again``."""

    def prove(
        self,
        about: About | Sequence[About] | None = None,
        when: str | None = None,
        then: str = THEN,
        *,
        box: str = BOX,
        within: Sequence[str] = (),
        seconds: float = 60.0,
        model: str | None = None,
        limit: int | None = None,
        seed: int = 0,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        keep: bool = True,
        progress: Progress = silent,
    ) -> ProofReport:
        """Prove a statement over a box of inputs, or refute it; keep what came of it.

        Bounds are asked first, then descents look for a counterexample, then HiGHS decides. A
        counterexample counts only where the network gives it, if that can be run.

        Parameters
        ----------
        about
            A circuit, several, or a feature. None takes all found circuits, those first whose
            trial held.
        when
            What must hold, as in ``case 1 >= best or layer:3 >= 0.5``; if not given, that any case
            is at least what it gives to its ten best stimuli.
        then
            What should follow of the target before its nonlinearity.
        box
            ``mean``, ``range``, ``layers N``, ``pixels`` or ``binary``; see
            ``docs/proofs.md``.
        within
            Limits that make it narrower, as in ``others in 0..0.5``.
        seconds
            Time for each statement.
        model, limit
            Of the circuits, where ``about`` is None.
        seed
            Of the beginnings of descents.
        source, architecture, module
            Where the network is, as for :meth:`observe`, if not where it was loaded from.
        keep
            Whether to write what came of it.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            There is no such circuit or feature.
        ProofError
            A statement cannot be read or encoded, or its box is empty. Of several, that is the
            note of the one; the others are decided.
        MissingExtraError
            The solver is not installed.
        """
        from circuitkb.proofs.box import Box
        from circuitkb.proofs.solver import solver
        from circuitkb.proofs.statement import WHEN, Statement

        started = time.perf_counter()
        solver()
        asked, chosen = when or WHEN, Box.parse(box, within)
        Statement.parse(asked, then, 2)
        several = about is None or not isinstance(about, str | FeatureId)
        subjects = self._subjects(about, model, limit)
        given = None if source is None else os.fspath(source)
        provers: dict[str, Prover] = {}
        done: list[Proof] = []
        kept: list[Proof] = []
        failed: list[tuple[str, str]] = []
        for number, subject in enumerate(subjects):
            name = subject.circuit or str(subject.target)
            progress(f"{subject.target.model}: {name}", number / len(subjects))
            owner = subject.target.model
            try:
                if owner not in provers:
                    provers[owner] = self._prover(owner, given, architecture, module)
                proof = provers[owner].prove(
                    subject, asked, then, chosen, seconds=seconds, seed=seed
                )
            except ProofError as error:
                if not several:
                    raise
                failed.append((name, str(error).splitlines()[0]))
                continue
            done.append(proof)
            kept += [proof] if keep else []
            if len(kept) == WRITTEN:
                self._keep(kept)
                kept = []
        if kept:
            self._keep(kept)
        progress("Deciding", 1.0)
        return ProofReport(tuple(done), tuple(failed), time.perf_counter() - started, written=keep)

    def prove_again(
        self,
        proof: str,
        *,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
    ) -> ProofReport:
        """Decide a kept statement again by its id, and say whether it ends the same.

        A counterexample that was kept is looked at anew: by its kernels, and on the network if that
        can be run. The kept proof stays as it is.

        Raises
        ------
        NotFoundError
            There is no such proof.
        ProofError
            It was decided on other weights.
        """
        started = time.perf_counter()
        before = self._kept_proof(proof)
        model = before.model
        given = None if source is None else os.fspath(source)
        prover = self._prover(model, given, architecture, module)
        subject = self._subject(before.circuit or before.target)
        found = prover.again(subject, before)
        return ProofReport(
            (found,), (), time.perf_counter() - started, written=False, before=before.outcome
        )

    def export_proof(
        self,
        about: About,
        folder: str | os.PathLike[str],
        when: str | None = None,
        then: str = THEN,
        *,
        box: str = BOX,
        within: Sequence[str] = (),
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
    ) -> list[Path]:
        """Write a statement as VNN-LIB 2.0, and what it is about as ONNX, for any solver.

        Where it was refuted here, ``variables.json`` has the counterexample.

        Parameters
        ----------
        folder
            A new folder, or an empty one.

        Raises
        ------
        ProofError
            It cannot be encoded, or the folder holds something.
        MissingExtraError
            The package onnx is not installed.
        """
        from pathlib import Path

        from circuitkb.proofs.box import Box
        from circuitkb.proofs.statement import WHEN
        from circuitkb.proofs.vnnlib import write_vnnlib

        subject = self._subject(about)
        given = None if source is None else os.fspath(source)
        prover = self._prover(subject.target.model, given, architecture, module)
        chosen = Box.parse(box, within)
        bound, plan = prover.plan(subject, when or WHEN, then, chosen)
        with suppress(NotFoundError):
            plan = replace(plan, witness=self._kept_proof(plan.id).witness)
        return write_vnnlib(prover.encode(subject, bound, chosen), plan, Path(folder))

    def draw_proof(self, proof: Proof | str, file: str | os.PathLike[str]) -> None:
        """Draw the counterexample of a refuted statement to a new file (.png, .svg or .pdf).

        Parameters
        ----------
        proof
            As :meth:`prove` gives it, or its id.

        Raises
        ------
        ProofError
            There is no counterexample, or it was too large to be kept.
        """
        from pathlib import Path

        from circuitkb.proofs.drawing import draw

        found = self._kept_proof(proof) if isinstance(proof, str) else proof
        subject = self._subject(found.circuit or found.target)
        draw(self._prover(found.model, None, None, None), subject, found, Path(file))

    def _keep(self, proofs: Sequence[Proof]) -> None:
        from circuitkb.proofs.proof import proof_rows

        self._write(proof_rows(proofs))

    def _kept_proof(self, id: str) -> Proof:
        from circuitkb.proofs.proof import KEPT, Proof

        names = ", ".join(f"p.`{name}` AS `{name}`" for name in (*KEPT, "network", "detail"))
        rows = self.store.read(f"MATCH (p:Proof {{id: $id}}) RETURN {names}", {"id": id}).to_dicts()
        if not rows:
            raise NotFoundError(f"There is no proof {id!r}: circuitkb list Proof has them.")
        return Proof.of_row(rows[0])

    def _subjects(
        self, about: About | Sequence[About] | None, model: str | None, limit: int | None
    ) -> list[Subject]:
        if isinstance(about, str | FeatureId):
            return [self._subject(about)]
        if about is None:
            if model is not None:
                known_names.check_models(self.store, [model])
            rows = self.store.read(
                "MATCH (c:Circuit {origin: 'found'}) WHERE $model IS NULL OR c.model = $model "
                "WITH c, CASE c.trial WHEN 'held' THEN 0 ELSE 1 END AS later "
                "WHERE COUNT { MATCH (f:Feature)-[m:MEMBER_OF]->(c) WHERE m.side IS NULL } = 1 "
                "RETURN c.id AS id ORDER BY later, c.model, c.id",
                {"model": model},
                limit=limit,
            ).rows
            about = [id for (id,) in rows]
            if not about:
                raise NotFoundError(
                    "There is no found circuit of one target here: circuitkb find union finds some."
                )
        return [self._subject(one) for one in about]

    def _subject(self, about: About) -> Subject:
        from circuitkb.proofs.binding import Subject
        from circuitkb.queries.lists.conditions import Mention

        circuit = circuit_on_trial(self.store, str(about))
        if circuit is None:
            known_names.check(self.store, [Mention("feature", str(about))])
            return Subject(FeatureId.parse(str(about)))
        cases = tuple(FeatureId.parse(case) for case in circuit["cases"])
        return Subject(FeatureId.parse(target_of(circuit)), cases, circuit["id"])

    def _prover(
        self,
        model: str,
        source: str | None,
        architecture: str | None,
        module: nn.Module | None,
    ) -> Prover:
        from circuitkb.proofs.prover import Prover

        known_names.check_models(self.store, [model])
        stored = stored_model(self.store, model)
        refuse_without_weights(stored)
        wiring = wiring_of(self.store, model)
        network: list[Network] = []

        def opened() -> Network:
            if not network:
                network.append(reopen(stored, source, architecture, module))
            return network[0]

        laboratories: list[Laboratory] = []

        def laboratory() -> Laboratory:
            from circuitkb.proofs.laboratory import Laboratory

            if not laboratories:
                laboratories.append(Laboratory(opened(), wiring, self.store.responses(model)))
            return laboratories[0]

        observed = self._observed(model, opened)
        return Prover(wiring, observed, stored["fingerprint"], laboratory)

    def _observed(self, model: str, opened: Any) -> Observed:
        from circuitkb.proofs.binding import Observed

        responses = self.store.responses(model)
        if responses is not None:
            settings = responses.settings
            return Observed(responses, settings["black"], settings["white"])
        pixels = _kept_pixels(self.store, model)
        if pixels is None:
            try:
                network = opened()
            except (ObservationError, SourceError) as error:
                raise ProofError(
                    f"{model!r} was not observed and its network cannot be opened, so nobody knows "
                    f"what its features may be: {str(error).splitlines()[0]}"
                ) from error
            pixels = network.pixels.black, network.pixels.white
        return Observed(None, *pixels)


def _kept_pixels(store: Store, model: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return what an earlier proof says that the model reads for black and for white."""
    rows = store.read(
        "MATCH (p:Proof {network: $model}) RETURN p.detail AS detail ORDER BY p.id LIMIT 1",
        {"model": model},
    ).rows
    if not rows:
        return None
    black, white = json.loads(rows[0][0])["pixels"]
    return tuple(black), tuple(white)


def wiring_of(store: Store, model: str) -> Wiring:
    """Return all that proofs read of a model; biases are read a layer at a time."""
    import numpy as np

    from circuitkb.proofs.wiring import LayerShape, Values, Wiring

    rows = store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.name AS name, l.position AS position, "
        "l.kind AS kind, l.channels AS channels, l.height AS height, l.width AS width",
        {"model": model},
        limit=None,
    ).to_dicts()
    layers = {
        row["name"]: LayerShape(
            row["position"],
            row["kind"] or "",
            row["channels"],
            row["height"] or 1,
            row["width"] or 1,
        )
        for row in rows
    }
    known: dict[str, Values] = {}

    def biases(layer: str) -> Values:
        if layer not in known:
            found = store.read(
                "MATCH (f:Feature {model: $model, layer: $layer}) WHERE f.basis IS NULL "
                "RETURN f.bias AS bias ORDER BY f.unit",
                {"model": model, "layer": layer},
                limit=None,
            ).rows
            known[layer] = np.array([np.nan if one is None else one for (one,) in found], float)
        return known[layer]

    return Wiring(model, layers, store.kernels(model), biases)
