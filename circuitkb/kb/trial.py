"""Trials asked for by hand: one edit of the network of a model, or a circuit's own trial again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitkb.kb.editable_model import EditableModel, Line, line_of
from circuitkb.kb.on_trial import circuit_on_trial, own_engine, own_trial, whole_circuit
from circuitkb.kb.trying import try_circuits
from circuitkb.kb.writing import Writing
from circuitkb.results.trial_report import TrialReport
from circuitkb.schema.errors import NotFoundError, TrialError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent, within

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.trials.trial import Trial

OPENED = 0.1
"""Share of a trial that opening the network takes, for progress."""


class Trying(Writing):
    """Gives a knowledge base its ``trial`` and ``try_again``."""

    def trial(
        self,
        about: str | FeatureId,
        edit: str | None = None,
        *,
        read: str | FeatureId | None = None,
        controls: bool = True,
        search: bool = False,
        images: str | os.PathLike[str] | None = None,
        seed: int = 0,
        save: str | os.PathLike[str] | None = None,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        keep: bool = True,
        progress: Progress = silent,
    ) -> TrialReport:
        """Predict what an edit of the network changes, run the edited network, compare; keep that.

        Parameters
        ----------
        about
            A feature, whose inputs are edited; or a circuit, whose target's are.
        edit
            What is changed, in words: ``remove layer:3``, ``scale layer:3 by 0.5``, ``ablate``; of
            a circuit, ``case 1`` and ``case 2`` stand for its cases. If not given, the circuit's
            own trial is run; again, where it was run before.
        read
            The feature whose change is predicted and measured; if not given, the one that is
            edited.
        controls
            Whether the same edit of other inputs is run, too.
        search
            Whether pixels of the stimuli are moved first so that the prediction fails, if it can.
        images
            A folder of pictures to be shown in the place of the battery. Nothing of them is kept
            but hashes.
        seed
            Of the random edits that calibrate the interval.
        save
            A new safetensors file for all weights of the edited network, where each edge that is
            changed is one convolution or linear map.
        source, architecture, module
            Where the network is, as for :meth:`observe`, if not where it was loaded from.
        keep
            Whether to write what came of it.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            There is no such feature or circuit.
        TrialError
            The edit cannot be made or read, or clashes.
        ObservationError
            The model was not observed, or has no weights.
        """
        circuit = circuit_on_trial(self.store, str(about))
        if circuit and edit is None:
            own_engine(circuit)  # one that has no trial is refused before anything is opened
        model = circuit["model"] if circuit else FeatureId.parse(str(about)).model
        editable = self._editable(model, source, architecture, module, images)
        if edit is None:
            if images is not None:
                raise TrialError("A circuit's own trial is run on the battery: name an edit.")
            if circuit is None:
                raise TrialError(
                    f"{about}: say what to change, as in: circuitkb trial {about} 'ablate'"
                )
            done = own_trial(self.store, circuit)
            if done is not None:
                return self.try_again(
                    done, source=source, architecture=architecture, module=module, progress=progress
                )
            return self._own_trial(circuit, editable, seed, progress, write=keep)
        return self._edited(
            editable,
            line_of(self.store, str(about), edit, None if read is None else str(read)),
            seed=seed,
            controls=controls,
            search=search,
            progress=progress,
            write=keep,
            save=None if save is None else Path(save),
        )

    def try_again(
        self,
        trial: str,
        *,
        images: str | os.PathLike[str] | None = None,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        progress: Progress = silent,
    ) -> TrialReport:
        """Run a trial again by its id, and say whether it gives the same; the first one stays.

        Parameters
        ----------
        images
            The folder of the pictures that it was shown, if it was.
        source, architecture, module
            Where the network is, if not where it was loaded from.

        Raises
        ------
        NotFoundError
            There is no such trial.
        TrialError
            The pictures are missing, or other ones now.
        """
        found = self.store.read(
            "MATCH (t:Trial {id: $id}) OPTIONAL MATCH (t)-[:ABOUT]->(c:Circuit) "
            "RETURN t.kind AS kind, t.network AS model, t.edit AS edit, t.measured AS measured, "
            "t.outcome AS outcome, t.seed AS seed, t.detail AS detail, c.id AS circuit",
            {"id": trial},
        ).to_dicts()
        if not found:
            raise NotFoundError(f"There is no trial {trial!r}: circuitkb trials lists them.")
        before = found[0]
        detail = json.loads(before["detail"])
        editable = self._editable(before["model"], source, architecture, module, images)
        _check_pictures(trial, editable, detail["settings"].get("images"))
        circuit = circuit_on_trial(self.store, before["circuit"]) if before["circuit"] else None
        if before["kind"] == "edit":
            settings = detail["settings"]
            read = FeatureId.parse(f"{before['model']}/{settings['read']}")
            report = self._edited(
                editable,
                Line(read, before["edit"], str(read), before["circuit"]),
                seed=before["seed"],
                progress=progress,
                write=False,
                controls=settings.get("controls") != 0,
                search=settings.get("search", False),
            )
        else:
            assert circuit is not None, "a motif's trial is about a circuit"
            report = self._own_trial(circuit, editable, before["seed"], progress, write=False)
        return report.compared(before["measured"], before["outcome"])

    def _editable(
        self,
        model: str,
        source: str | os.PathLike[str] | None,
        architecture: str | None,
        module: nn.Module | None,
        images: str | os.PathLike[str] | None,
    ) -> EditableModel:
        given = None if source is None else os.fspath(source)
        folder = None if images is None else Path(images)
        return EditableModel(self.store, model, given, architecture, module, folder)

    def _own_trial(
        self,
        circuit: Mapping[str, Any],
        editable: EditableModel,
        seed: int,
        progress: Progress,
        *,
        write: bool = True,
    ) -> TrialReport:
        engine, tried = own_engine(circuit)
        trials = try_circuits(
            engine,
            [tried],
            editable.network,
            self.store.kernels(editable.model),
            editable.responses,
            progress,
            kind=circuit["motif"].name,
            of=circuit["of"],
            seed=seed,
        )
        return self._kept(trials[0], circuit if write else None, write=write)

    def _edited(
        self,
        editable: EditableModel,
        line: Line,
        *,
        seed: int,
        progress: Progress,
        write: bool = True,
        save: Path | None = None,
        **settings: Any,
    ) -> TrialReport:
        from circuitkb.trials.edit_trials import try_edits

        # What cannot be made, or saved, is refused before the network runs.
        edit, read = editable.parse(line)
        prepared = editable.prepare(edit, read, circuit=line.circuit, seed=seed, **settings)
        if save is not None:
            editable.save(edit, save)
        progress(f"{editable.model}: opening the network", 0.0)
        (trial,) = try_edits(
            [prepared],
            editable.effects_shown(within(progress, 0.0, OPENED, f"{editable.model}: {{}}")),
            editable.shown,
            editable.calibrations,
            within(progress, OPENED, 1.0, f"{editable.model}: {{}}"),
        )
        if trial is None:
            raise TrialError(f"The network responds with NaN or infinity once edited: {line.edit}")
        remarks = () if editable.pictures is None else editable.pictures.notes
        return replace(self._kept(trial, None, write=write), remarks=remarks)

    def _kept(self, trial: Trial, circuit: Mapping[str, Any] | None, *, write: bool) -> TrialReport:
        from circuitkb.trials.trial import trial_rows

        if write:
            rows = [] if circuit is None else [whole_circuit(self.store, circuit["id"])]
            self._write(trial_rows([trial], rows))
        return TrialReport(trial, written=write)


def _check_pictures(trial: str, editable: EditableModel, shown: str | None) -> None:
    """Refuse to run a trial again that was shown something else."""
    now = None if editable.pictures is None else editable.pictures.hash
    if shown == now:
        return
    if shown is None:
        raise TrialError(f"{trial} was shown the battery and no pictures: leave --images out.")
    if now is None:
        raise TrialError(f"{trial} was shown pictures: say where they are (--images, or images=).")
    raise TrialError(
        f"{trial} was shown other pictures ({shown}) than this folder has ({now}): some were "
        "changed, added or taken away."
    )
