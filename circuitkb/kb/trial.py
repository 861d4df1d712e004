"""Trials asked for by hand: one edit of the network of a model, or a circuit's own trial again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitkb.kb.observe import refuse_without_weights, stored_model
from circuitkb.kb.predicting import effects_of
from circuitkb.kb.trying import Network, try_circuits
from circuitkb.kb.writing import Writing
from circuitkb.motifs.registry import motif_named
from circuitkb.queries.lists.conditions import Mention
from circuitkb.results.trial_report import TrialReport
from circuitkb.schema.errors import IdError, NotFoundError, ObservationError, TrialError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.schema.responses import Responses
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
        seed: int = 0,
        save: str | os.PathLike[str] | None = None,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
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
        seed
            Of the random edits that calibrate the interval.
        save
            A new safetensors file for all weights of the edited network, where each edge that is
            changed is one convolution or linear map.
        source, architecture, module
            Where the network is, as for :meth:`observe`, if not where it was loaded from.
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
        circuit = _circuit(self.store, str(about))
        target = FeatureId.parse(circuit["target"] if circuit else str(about))
        network, responses = self._network(target.model, source, architecture, module)
        if edit is None:
            if circuit is None:
                raise TrialError(
                    f"{about}: say what to change, as in: circuitkb trial {about} 'ablate'"
                )
            done = _own(self.store, circuit)
            if done is not None:
                return self.try_again(
                    done, source=source, architecture=architecture, module=module, progress=progress
                )
            return self._own_trial(circuit, network, responses, seed, progress)
        if circuit is None:
            known_names.check(self.store, [Mention("feature", str(target))])
        return self._edited(
            target,
            _with_cases(edit, circuit),
            read,
            circuit,
            network,
            responses,
            seed,
            progress,
            save=None if save is None else Path(save),
        )

    def try_again(
        self,
        trial: str,
        *,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        progress: Progress = silent,
    ) -> TrialReport:
        """Run a trial again by its id, and say whether it gives the same; the first one stays.

        Parameters
        ----------
        source, architecture, module
            Where the network is, if not where it was loaded from.

        Raises
        ------
        NotFoundError
            There is no such trial.
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
        network, responses = self._network(before["model"], source, architecture, module)
        circuit = _circuit(self.store, before["circuit"]) if before["circuit"] else None
        if before["kind"] == "edit":
            read = FeatureId.parse(f"{before['model']}/{detail['settings']['read']}")
            report = self._edited(
                read,
                before["edit"],
                read,
                circuit,
                network,
                responses,
                before["seed"],
                progress,
                write=False,
            )
        else:
            assert circuit is not None, "a motif's trial is about a circuit"
            report = self._own_trial(
                circuit, network, responses, before["seed"], progress, write=False
            )
        return report.compared(before["measured"], before["outcome"])

    def _network(
        self, model: str, source: Any, architecture: str | None, module: nn.Module | None
    ) -> tuple[Network, Responses]:
        known_names.check_models(self.store, [model])
        stored = stored_model(self.store, model)
        refuse_without_weights(stored)
        responses = self.store.responses(model)
        if responses is None:
            raise ObservationError(
                f"{model!r} was not observed, so nothing can be predicted of it: circuitkb observe "
                f"{model}"
            )
        given = None if source is None else os.fspath(source)
        return Network(stored, given, architecture, module), responses

    def _own_trial(
        self,
        circuit: Mapping[str, Any],
        network: Network,
        responses: Responses,
        seed: int,
        progress: Progress,
        *,
        write: bool = True,
    ) -> TrialReport:
        from circuitkb.trials.trial import CircuitOnTrial

        motif = motif_named(circuit["search"])
        engine = next((way.trial for way in motif.searches if way.trial), None)
        if engine is None or len(circuit["cases"]) != 2:
            raise TrialError(
                f"{circuit['id']} has no trial of its own: say what to change, as in: circuitkb "
                f"trial {circuit['id']} 'ablate'"
            )
        one, other = circuit["cases"]
        trials = try_circuits(
            engine,
            [CircuitOnTrial(circuit["id"], circuit["target"], (one, other))],
            network,
            self.store.kernels(network.model["id"]),
            responses,
            progress,
            kind=motif.name,
            of=circuit["of"],
            seed=seed,
        )
        return self._kept(trials[0], circuit if write else None, write=write)

    def _edited(
        self,
        target: FeatureId,
        edit: str,
        read: str | FeatureId | None,
        circuit: Mapping[str, Any] | None,
        network: Network,
        responses: Responses,
        seed: int,
        progress: Progress,
        *,
        write: bool = True,
        save: Path | None = None,
    ) -> TrialReport:
        from circuitkb.kb.reopening import reopen
        from circuitkb.trials.edits import Edit
        from circuitkb.trials.showing import shown
        from circuitkb.trials.single import Wanted, calibrations_of, try_edit
        from circuitkb.trials.single_changes import Unit

        model = network.model["id"]
        unit = Unit(target.layer, target.unit)
        asked = unit if read is None else Unit.parse(str(read), model)
        parsed = Edit.parse(edit, unit, model=model)
        if any(one.unit == asked for one in parsed.ablated):
            raise TrialError(
                f"{asked} is itself ablated: say which later feature to read (--read, or read=)."
            )
        effects = effects_of(self.store, model, responses)
        # What cannot be made, or saved, is refused before the network runs.
        changed = effects.kernels.changed(parsed)
        if save is not None and save.exists():
            raise TrialError(f"{save} is there already: give the edited weights another name.")
        progress(f"{model}: opening the network", 0.0)
        opened = reopen(network.model, network.source, network.architecture, network.module)
        if save is not None:
            from circuitkb.loaders.activations.editing.saving import save_edited

            if parsed.ablated:
                raise TrialError("An ablation changes no weight: only edges can be saved.")
            save_edited(opened, changed.kernels, save)
        wanted = Wanted(
            model,
            network.model["fingerprint"],
            parsed,
            asked,
            None if circuit is None else circuit["id"],
            seed,
        )
        kept = calibrations_of(_details(self.store, model, network.model["fingerprint"]))
        tell = within(progress, OPENED, 1.0, f"{model}: {{}}")
        return self._kept(
            try_edit(wanted, effects, shown(opened, responses), kept, tell), None, write=write
        )

    def _kept(self, trial: Trial, circuit: Mapping[str, Any] | None, *, write: bool) -> TrialReport:
        from circuitkb.trials.trial import trial_rows

        if write:
            rows = [] if circuit is None else [_whole(self.store, circuit["id"])]
            self._write(trial_rows([trial], rows))
        return TrialReport(trial, written=write)


def _circuit(store: Store, id: str) -> dict[str, Any] | None:
    """Return what the graph says of a circuit that is to be tried; None for a feature."""
    try:
        FeatureId.parse(id)
    except IdError:
        pass
    else:
        return None
    rows = store.read(
        "MATCH (c:Circuit {id: $id}) "
        "RETURN c.id AS id, c.of AS of, COLLECT { MATCH (f:Feature)-[m:MEMBER_OF]->(c) "
        "RETURN {feature: f.id, role: m.role, side: m.side} AS member ORDER BY m.side, f.id } "
        "AS members",
        {"id": id},
    ).to_dicts()
    if not rows:
        raise NotFoundError(f"There is no circuit {id!r} here: circuitkb circuits lists them.")
    found = rows[0]
    cases = [one["feature"] for one in found["members"] if one["side"] is not None]
    targets = [one["feature"] for one in found["members"] if one["side"] is None]
    if len(targets) != 1:
        raise TrialError(f"{id} has {len(targets)} targets: try one of its features.")
    return {
        "id": id,
        "of": (found["of"] or [""])[0],
        "target": targets[0],
        "cases": cases,
        "search": next(one["role"] for one in found["members"] if one["side"] is None),
    }


def _own(store: Store, circuit: Mapping[str, Any]) -> str | None:
    """Return the id of a circuit's own trial, if it was tried."""
    rows = store.read(
        "MATCH (t:Trial)-[:ABOUT]->(c:Circuit {id: $id}) WHERE t.kind = $kind "
        "RETURN t.id AS id ORDER BY t.created DESC, id LIMIT 1",
        {"id": circuit["id"], "kind": circuit["search"]},
    ).rows
    return rows[0][0] if rows else None


def _with_cases(edit: str, circuit: Mapping[str, Any] | None) -> str:
    """Put units in the place of ``case 1`` and ``case 2``."""
    for number, feature in enumerate(circuit["cases"] if circuit else (), start=1):
        edit = edit.replace(f"case {number}", feature)
    return edit


def _whole(store: Store, circuit: str) -> dict[str, Any]:
    """Return all properties of a circuit, to be written again with how its trial ended."""
    from circuitkb.schema.definition import node_type

    properties = ", ".join(f"c.`{p.name}` AS `{p.name}`" for p in node_type("Circuit").properties)
    answer = store.read(f"MATCH (c:Circuit {{id: $id}}) RETURN {properties}", {"id": circuit})
    return answer.to_dicts()[0]


def _details(store: Store, model: str, fingerprint: str) -> list[dict[str, Any]]:
    """Return the details of earlier edits of the same weights."""
    rows = store.read(
        "MATCH (t:Trial {network: $model, kind: 'edit'}) RETURN t.detail AS detail ORDER BY t.id",
        {"model": model},
        limit=None,
    ).rows
    details = [json.loads(detail) for (detail,) in rows]
    return [detail for detail in details if detail.get("fingerprint") == fingerprint]
