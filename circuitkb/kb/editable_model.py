"""A model whose network is edited: what is known of it is read once, and it is opened once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitkb.kb.observe import refuse_without_weights, stored_model
from circuitkb.kb.on_trial import circuit_on_trial, details_of_edits, target_of, with_cases
from circuitkb.kb.predicting import effects_of
from circuitkb.kb.trying import Network
from circuitkb.queries.lists.conditions import Mention
from circuitkb.schema.errors import ObservationError, TrialError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network as Opened
    from circuitkb.schema.responses import Responses
    from circuitkb.trials.conformal import Calibration
    from circuitkb.trials.edit_trials import Prepared
    from circuitkb.trials.edits import Edit
    from circuitkb.trials.effects import Effects
    from circuitkb.trials.pictures import Pictures
    from circuitkb.trials.showing import Shown
    from circuitkb.trials.single_changes import Unit


class Line(NamedTuple):
    """An edit to be tried, in words.

    Attributes
    ----------
    target
        The feature whose inputs are edited, or that is ablated.
    edit
        What is changed; units may go without the name of their model.
    read
        The feature whose change is measured; the target if None.
    circuit
        The circuit that it is about, if any.
    """

    target: FeatureId
    edit: str
    read: str | None = None
    circuit: str | None = None


def line_of(store: Store, about: str, edit: str, read: str | None) -> Line:
    """Return what is to be tried of a feature or a circuit, whose cases may stand in the words.

    Raises
    ------
    NotFoundError
        There is no such feature or circuit.
    """
    circuit = circuit_on_trial(store, about)
    if circuit is not None:
        target = FeatureId.parse(target_of(circuit))
        return Line(target, with_cases(edit, circuit), read, circuit["id"])
    known_names.check(store, [Mention("feature", about)])
    return Line(FeatureId.parse(about), edit, read)


class EditableModel:
    """A model whose network is edited.

    Parameters
    ----------
    store, model
        Where it is, and its name.
    source, architecture, module
        Where its network is, if not where it was loaded from.
    images
        A folder of pictures to be shown in the place of the battery.

    Raises
    ------
    NotFoundError
        There is no such model.
    ObservationError
        It was not observed, or has no weights.
    """

    def __init__(
        self,
        store: Store,
        model: str,
        source: str | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        images: Path | None = None,
    ) -> None:
        known_names.check_models(store, [model])
        stored = stored_model(store, model)
        refuse_without_weights(stored)
        responses = store.responses(model)
        if responses is None:
            raise ObservationError(
                f"{model!r} was not observed, so nothing can be predicted of it: circuitkb observe "
                f"{model}"
            )
        self.model = model
        self.responses: Responses = responses
        self.network = Network(stored, source, architecture, module)
        self._of_pictures: Effects | None = None
        self.pictures = None if images is None else _pictures(images)
        self._store = store

    @cached_property
    def effects(self) -> Effects:
        """What predicts what edits change."""
        return effects_of(self._store, self.model, self.responses)

    @cached_property
    def opened(self) -> Opened:
        """The network."""
        from circuitkb.kb.reopening import reopen

        where = self.network
        return reopen(where.model, where.source, where.architecture, where.module)

    @cached_property
    def shown(self) -> Shown:
        """The network ready to be shown stimuli."""
        from circuitkb.trials.showing import shown

        found = shown(self.opened, self.responses)
        if self.pictures is None:
            return found
        channels = self.opened.example.shape[1]
        return replace(found, battery=self.pictures.seen_in(found.edited.views, channels))

    def effects_shown(self, progress: Progress = silent) -> Effects:
        """Return what predicts what edits change in answers to what is shown."""
        if self.pictures is None:
            return self.effects
        if self._of_pictures is None:
            from circuitkb.trials.pictures import answers_to

            views, images = self.shown.edited.views, self.shown.images
            found = answers_to(self.pictures, self.opened, views, self.responses, images, progress)
            self._of_pictures = effects_of(self._store, self.model, found)
        return self._of_pictures

    @cached_property
    def calibrations(self) -> dict[str, Calibration]:
        """What earlier trials of the same weights calibrated, by purpose."""
        from circuitkb.trials.edit_trials import calibrations_of

        fingerprint = self.network.model["fingerprint"]
        return calibrations_of(details_of_edits(self._store, self.model, fingerprint))

    def parse(self, line: Line) -> tuple[Edit, Unit]:
        """Return an edit in words, and the unit that is read.

        Raises
        ------
        TrialError
            The words are no edit.
        """
        from circuitkb.trials.edits import Edit
        from circuitkb.trials.single_changes import Unit

        unit = Unit(line.target.layer, line.target.unit)
        read = unit if line.read is None else Unit.parse(line.read, self.model)
        return Edit.parse(line.edit, unit, model=self.model), read

    def prepare(self, edit: Edit, read: Unit, **settings: Any) -> Prepared:
        """Return a trial before it runs.

        Parameters
        ----------
        settings
            Further attributes of :class:`circuitkb.trials.edit_trials.Wanted`.

        Raises
        ------
        TrialError
            It cannot be made, or changes nothing of what is read.
        """
        from circuitkb.trials.edit_trials import Wanted, prepare
        from circuitkb.trials.search import Search

        if any(one.unit == read for one in edit.ablated):
            raise TrialError(
                f"{read} is itself ablated: say which later feature to read (--read, or read=)."
            )
        if isinstance(settings.get("search"), dict):  # as an earlier trial kept it
            settings["search"] = Search(**settings["search"])
        if self.pictures is not None:
            settings["images"] = self.pictures.hash, self.pictures.name
        wanted = Wanted(self.model, self.network.model["fingerprint"], edit, read, **settings)
        return prepare(wanted, self.effects)

    def save(self, edit: Edit, file: Path) -> None:
        """Write all weights of the edited network as safetensors.

        Raises
        ------
        TrialError
            An edge is not one convolution or linear map, or the file is there.
        """
        from circuitkb.loaders.activations.editing.saving import save_edited

        if file.exists():
            raise TrialError(f"{file} is there already: give the edited weights another name.")
        if edit.ablated:
            raise TrialError("An ablation changes no weight: only edges can be saved.")
        save_edited(self.opened, self.effects.kernels.changed(edit).kernels, file)


def _pictures(folder: Path) -> Pictures:
    from circuitkb.trials.pictures import Pictures

    return Pictures.of_folder(folder)
