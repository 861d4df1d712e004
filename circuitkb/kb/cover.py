"""Coverage: how much of a network is explained, and what hides in the rest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from circuitkb.kb.observe import refuse_without_weights, stored_model
from circuitkb.kb.writing import Writing
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.stores import known_names

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.coverage.chosen import Asked, Explained
    from circuitkb.coverage.coverage import Coverage
    from circuitkb.coverage.opening import Given, Opening
    from circuitkb.coverage.rebuilding import Reimplementation

OPENED, SHOWN = 0.05, 0.1
"""Shares of the time after which the network is opened, and its means are known, for progress."""


class Covering(Writing):
    """Gives a knowledge base its ``coverage`` and ``reimplement``."""

    def coverage(
        self,
        model: str,
        *,
        circuits: Sequence[str] = (),
        labels: Sequence[str] = (),
        edges: int | None = None,
        images: str | os.PathLike[str] | None = None,
        count: int | None = None,
        seed: int = 0,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        progress: Progress = silent,
    ) -> Coverage:
        """Measure how much of a network some of its edges explain; keep that as evidence.

        Layer by layer the share of variance, of weight and of effect on the answer; then the
        network run with these edges alone, all others at their mean; and the curve from .1% to all
        edges, beside as many by weight magnitude, by gradient times activation and at random.

        Parameters
        ----------
        circuits
            Ids, ``all`` or ``held``: edges between members of one circuit are explained.
        labels
            Texts, or ``all``: edges between units with such a label, the input and the output.
        edges
            The so many strongest inputs of each unit.
            If none of the three is given, it is all circuits.
        images
            A folder of pictures; if not given, stimuli of the battery.
        count
            Images that are shown at most: 200 if not given. Half of them give means and gradients.
        seed
            Of what is drawn.
        source, architecture, module
            Where the network is, as for :meth:`observe`, if not where it was loaded from.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            There is no such model, circuit or label.
        TrialError
            There are no pictures, or too few.
        ObservationError
            The model has no weights, or no kernels.
        """
        from circuitkb.coverage.chosen import Asked
        from circuitkb.coverage.coverage import Coverage, plain
        from circuitkb.coverage.hidden import hidden_directions, hidden_units, known_units
        from circuitkb.coverage.measuring import measure

        start = perf_counter()
        asked = Asked(tuple(circuits), tuple(labels), edges)
        stored, found = self._asked(model, asked)
        given = None if source is None else os.fspath(source), architecture, module
        progress(f"{model}: opening the network", 0.0)
        opening = self._opening(stored, images, count, seed, given)
        sub = opening.network(within(progress, OPENED, SHOWN, f"{model}: {{}}"))
        ends = sub.parts.input, sub.parts.output.name
        counts = sub.parts.counts
        told = measure(
            sub,
            lambda all_edges: found.edges(all_edges, counts, ends),
            opening.shown.count,
            seed=seed,
            progress=within(progress, SHOWN, 1.0, f"{model}: {{}}"),
        )
        output = sub.parts.output.name
        units = hidden_units(model, told.attributed.units, known_units(self.store, model), output)
        directions = hidden_directions(model, told.attributed, output, seed=seed)
        untold = [one.layer for one in told.layers if not one.told]
        rest = (
            f"kernels do not tell all of what goes into {len(untold)} of {len(told.layers)} layers "
            f"({', '.join(untold[:3])}{', ...' if len(untold) > 3 else ''}): the network's own "
            "operations give the rest there, whatever edges are chosen"
        )
        settings = {
            "circuits": list(circuits),
            "labels": list(labels),
            "edges": edges,
            "count": opening.shown.count,
            "seed": seed,
            "images": images is not None,
            "chosen": told.chosen_hash,
        }
        coverage = Coverage(
            model,
            stored["fingerprint"],
            found.words,
            opening.shown.words,
            settings,
            told.edges,
            told.lead,
            told.error,
            plain(told.chosen),
            {name: asdict(one) for name, one in told.equals.items()},
            list(told.random_draws),
            {name: asdict(curve) for name, curve in told.curves.items()},
            [asdict(layer) for layer in told.layers],
            [asdict(unit) for unit in units],
            [asdict(direction) for direction in directions],
            told.learnt,
            told.measured,
            (*opening.shown.notes, *([rest] if untold else [])),
            round(perf_counter() - start, 2),
            # To the microsecond: a report begins with the newest.
            datetime.now(UTC).isoformat(timespec="microseconds"),
        )
        self._write(coverage.rows())
        return coverage

    def reimplement(
        self,
        model: str,
        output: str | os.PathLike[str],
        *,
        circuits: Sequence[str] = (),
        labels: Sequence[str] = (),
        edges: int | None = None,
        images: str | os.PathLike[str] | None = None,
        count: int | None = None,
        seed: int = 0,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        progress: Progress = silent,
    ) -> Reimplementation:
        """Write what is explained of a network as a network of its own, and compare the two.

        The ONNX file holds the explained edges that lie on a path from the input to the output, and
        for all others a constant: what they give on average. Beside it a JSON file says which
        circuit or label each weight is from. Nothing is written into the knowledge base.

        Parameters
        ----------
        output
            A new ``.onnx`` file.
        circuits, labels, edges, images, count, seed, source, architecture, module, progress
            As for :meth:`coverage`.

        Raises
        ------
        NotFoundError
            There is no such model, circuit or label.
        TrialError
            The file is there, no edge lies on a path, or kernels do not tell all of the network.
        ObservationError
            The model has no weights, or no kernels.
        MissingExtraError
            The packages onnx or onnxruntime are not installed.
        """
        from circuitkb.coverage.chosen import Asked
        from circuitkb.coverage.measuring import halves
        from circuitkb.coverage.picture import check_file
        from circuitkb.coverage.rebuilding import rebuild

        file = Path(output)
        check_file(file, ".onnx")
        check_file(file.with_suffix(".json"), ".json")
        stored, found = self._asked(model, Asked(tuple(circuits), tuple(labels), edges))
        given = None if source is None else os.fspath(source), architecture, module
        progress(f"{model}: opening the network", 0.0)
        opening = self._opening(stored, images, count, seed, given)
        sub = opening.network(within(progress, OPENED, 0.4, f"{model}: {{}}"))
        about = {
            "model": model,
            "fingerprint": stored["fingerprint"],
            "shown": opening.shown.words,
        }
        _, test = halves(opening.shown.count)
        rebuilt = rebuild(
            sub,
            found,
            file,
            about,
            opening.held,
            test,
            seed=seed,
            progress=within(progress, 0.4, 1.0, f"{model}: {{}}"),
        )
        return replace(rebuilt, notes=opening.shown.notes)

    def _asked(self, model: str, asked: Asked) -> tuple[dict[str, Any], Explained]:
        """Return a model that has weights, and what is taken for explained of it."""
        from circuitkb.coverage.chosen import explained

        known_names.check_models(self.store, [model])
        stored = stored_model(self.store, model)
        refuse_without_weights(stored)
        return stored, explained(self.store, model, asked)

    def _opening(
        self,
        stored: Mapping[str, Any],
        images: str | os.PathLike[str] | None,
        count: int | None,
        seed: int,
        given: Given,
    ) -> Opening:
        from circuitkb.coverage.images import MOST
        from circuitkb.coverage.opening import Opening

        folder = None if images is None else Path(images)
        return Opening(self.store, stored, folder, MOST if count is None else count, seed, given)
