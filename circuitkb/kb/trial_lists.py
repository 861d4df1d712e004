"""Many trials of edits, written a batch at a time: an interrupted list goes on where it stopped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from circuitkb.kb.editable_model import EditableModel, line_of
from circuitkb.kb.trial import Trying
from circuitkb.results.trial_list import Ended, TrialList
from circuitkb.schema.errors import CircuitKBError, TrialError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent, within

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.trials.edit_trials import Prepared
    from circuitkb.trials.edits import Edit
    from circuitkb.trials.lists import Said
    from circuitkb.trials.single_changes import Unit

BATCH = 500
"""Trials that run and are written together, all or none. A batch shows the network nearly all
stimuli once, whatever its size: smaller ones would lose less, and take longer."""

OPENED = 0.05
"""Share of the work that opening a network takes, for progress."""

Edits = str | os.PathLike[str] | TextIO | Iterable[Sequence[str | FeatureId | None]]


class TryingMany(Trying):
    """Gives a knowledge base its ``try_edits``."""

    def try_edits(
        self,
        edits: Edits | None = None,
        *,
        random: int | None = None,
        kind: str = "remove",
        model: str | None = None,
        read_at: str = "target",
        controls: bool | None = None,
        search: bool | None = None,
        images: str | os.PathLike[str] | None = None,
        seed: int = 0,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        progress: Progress = silent,
    ) -> TrialList:
        """Try many edits, given or drawn, each as :meth:`trial` does; keep every one.

        Trials that are there are not run again, so that the same call goes on where an earlier one
        was interrupted; at most the 500 trials that ran together are lost.

        Parameters
        ----------
        edits
            A CSV file, or an open one, with the columns ``about``, ``edit`` and, if other features
            than the edited ones are to be measured, ``read``; or rows of these.
        random
            Draw so many edits instead.
        kind
            Of the edits drawn, as ``remove`` or ``ablate``; or several changes of one target made
            together, as in ``remove+scale``.
        model
            Whose network is edited, where edits are drawn.
        read_at
            What is measured of edits that are drawn: their ``target``, a unit of the ``logits``,
            or of a layer.
        controls
            Whether the same edit of other inputs is run, too. If None: where an edit is read at its
            target; elsewhere that would take forty times as long.
        search
            Whether pixels of the stimuli are moved first so that the prediction fails, if it can.
            If None: in a fifth of the trials, which their ids choose.
        images
            A folder of pictures to be shown in the place of the battery.
        seed
            Of the edits that are drawn, and of those that calibrate intervals.
        source, architecture, module
            Where the network is, as for :meth:`observe`, if not where it was loaded from.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        TrialError
            A line cannot be read, or its edit cannot be made: nothing runs.
        NotFoundError, ObservationError
            There is no such model, or it was not observed.
        """
        started = time.perf_counter()
        editables: dict[str, EditableModel] = {}

        def editable(name: str) -> EditableModel:
            if name not in editables:
                editables[name] = self._editable(name, source, architecture, module, images)
            return editables[name]

        progress("Reading edits", 0.0)
        if (edits is None) == (random is None):
            raise TrialError("Give either edits, or how many are to be drawn (random=).")
        if edits is not None:
            prepared = [
                self._prepared_line(editable, name, said, controls, search, seed)
                for name, said in _read(edits)
            ]
        else:
            if model is None:
                raise TrialError("Say of which model edits are to be drawn (--model, or model=).")
            prepared = _drawn(editable(model), random or 0, kind, read_at, controls, search, seed)
        if len(editables) > 1 and (source, module) != (None, None):
            raise TrialError("One network is given, and edits of several models: try each alone.")
        every = {one.trial.id: one for one in prepared}
        ended = self._trials_there(list(every))
        exploded: list[str] = []
        todo = [one for id, one in every.items() if id not in ended]
        batches = list(_batches(todo))
        for number, batch in enumerate(batches):
            tell = within(progress, number / len(batches), (number + 1) / len(batches))
            ended |= self._tried_batch(editable(batch[0].wanted.model), batch, exploded, tell)
        return TrialList(
            [ended[id] for id in every if id in ended],
            len(prepared) - len(every),
            tuple(exploded),
            BATCH,
            time.perf_counter() - started,
            next((one.pictures.notes for one in editables.values() if one.pictures), ()),
        )

    def _prepared_line(
        self,
        editable: Callable[[str], EditableModel],
        name: str,
        said: Said,
        controls: bool | None,
        search: bool | None,
        seed: int,
    ) -> Prepared:
        """Return what a line of a table asks for.

        Raises
        ------
        TrialError
            It cannot be made; the line is named.
        """
        try:
            line = line_of(self.store, said.about, said.edit, said.read)
            own = editable(line.target.model)
            edit, read = own.parse(line)
            return _prepared(own, edit, read, controls, search, seed=seed, circuit=line.circuit)
        except CircuitKBError as error:
            raise TrialError(f"{name}, line {said.number}: {error}") from error

    def _trials_there(self, ids: list[str]) -> dict[str, Ended]:
        """Return the trials that are in the knowledge base."""
        found: dict[str, Ended] = {}
        for start in range(0, len(ids), BATCH):
            rows = self.store.read(
                "MATCH (t:Trial) WHERE t.id IN $ids RETURN t.id AS id, t.network AS model, "
                "t.outcome AS outcome, t.low <= t.measured AND t.measured <= t.high AS inside, "
                "coalesce(t.searched, false) AS searched",
                {"ids": ids[start : start + BATCH]},
                limit=None,
            ).rows
            for id, model, outcome, inside, searched in rows:
                found[id] = Ended(id, model, outcome, inside, searched, there=True)
        return found

    def _tried_batch(
        self,
        editable: EditableModel,
        batch: Sequence[Prepared],
        exploded: list[str],
        progress: Progress,
    ) -> dict[str, Ended]:
        """Run a batch of one model, and write it whole."""
        from circuitkb.trials.edit_trials import try_edits
        from circuitkb.trials.trial import trial_rows

        progress(f"{editable.model}: opening the network", 0.0)
        trials = try_edits(
            batch,
            editable.effects_shown(within(progress, 0.0, OPENED, f"{editable.model}: {{}}")),
            editable.shown,
            editable.calibrations,
            within(progress, OPENED, 1.0, f"{editable.model}: {{}}"),
        )
        whole = [trial for trial in trials if trial is not None]
        exploded += [
            one.trial.edit for one, trial in zip(batch, trials, strict=True) if trial is None
        ]
        if whole:
            self._write(trial_rows(whole))
        return {
            one.id: Ended(
                one.id, one.model, one.outcome, one.in_interval, one.searched, there=False
            )
            for one in whole
        }


def _read(edits: Edits) -> Iterator[tuple[str, Said]]:
    """Yield what is asked for, and what it is read from."""
    from circuitkb.trials.lists import Said, read_table

    if isinstance(edits, str | os.PathLike):
        try:
            with Path(edits).open(encoding="utf-8", newline="") as lines:
                yield from ((str(edits), said) for said in read_table(str(edits), lines))
        except OSError as error:
            raise TrialError(f"{edits} cannot be read: {error.strerror}.") from error
        return
    if isinstance(edits, TextIOBase):
        name = "standard input" if edits is sys.stdin else str(getattr(edits, "name", "the edits"))
        yield from ((name, said) for said in read_table(name, edits))
        return
    for number, row in enumerate(edits, start=1):
        if not 2 <= len(row) <= 3:
            raise TrialError(
                f"The edits, line {number}: give (about, edit) or (about, edit, read)."
            )
        about, edit, read = (*row, None)[:3]
        yield "The edits", Said(number, str(about), str(edit), None if read is None else str(read))


def _drawn(
    editable: EditableModel,
    count: int,
    kind: str,
    read_at: str,
    controls: bool | None,
    search: bool | None,
    seed: int,
) -> list[Prepared]:
    from circuitkb.trials.lists import random_list

    return [
        _prepared(editable, edit, read, controls, search, seed=seed)
        for edit, read in random_list(editable.effects, kind, count, read_at, seed=seed)
    ]


def _prepared(
    editable: EditableModel,
    edit: Edit,
    read: Unit,
    controls: bool | None,
    search: bool | None,
    **settings: Any,
) -> Prepared:
    from circuitkb.trials.edit_trials import is_of_the_fifth, searchable

    if controls is None:
        controls = {target for _, target in edit.edges} == {read}
    settings["controls"] = controls
    prepared = editable.prepare(edit, read, search=bool(search), **settings)
    if search is None and is_of_the_fifth(prepared) and searchable(edit, editable.effects):
        return editable.prepare(edit, read, search=True, **settings)
    return prepared


def _batches(prepared: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """Cut a list into batches of one model each."""
    by_model: dict[str, list[Prepared]] = {}
    for one in prepared:
        by_model.setdefault(one.wanted.model, []).append(one)
    for some in by_model.values():
        for start in range(0, len(some), BATCH):
            yield some[start : start + BATCH]
