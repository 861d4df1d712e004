"""The trials of what a search found: the network opened again, edited and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from circuitkb.schema.errors import ObservationError, SourceError, TrialError
from circuitkb.schema.progress import Progress, within

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.motifs.findings import SearchFindings
    from circuitkb.schema.kernels import Connection
    from circuitkb.schema.responses import Responses
    from circuitkb.schema.tables import GraphRows
    from circuitkb.trials.trial import OnTrial, Trial

OPENED = 0.2
"""Share of the trials that opening the network takes, for progress."""


@dataclass(frozen=True)
class Network:
    """Where the network of a model is to be opened.

    Attributes
    ----------
    model
        Its properties: ``id``, ``source``, ``fingerprint`` and others.
    source, architecture, module
        What a user gives in place of what the model says.
    """

    model: Mapping[str, Any]
    source: str | None = None
    architecture: str | None = None
    module: nn.Module | None = None


@dataclass(frozen=True)
class Tried:
    """Trials of circuits, or why there are none.

    Attributes
    ----------
    trials
        In order of the circuits.
    untried
        Why circuits were found and not tried; empty if they were.
    """

    trials: tuple[Trial, ...] = ()
    untried: str = ""


def try_findings(
    findings: SearchFindings,
    network: Network,
    connections: Sequence[Connection],
    responses: Responses | None,
    progress: Progress,
) -> Tried:
    """Run the motif's own trial on everything that a search found in one model."""
    if not findings.found:
        return Tried()
    if findings.motif.trial is None:
        return Tried(untried=f"{findings.motif.name} by {findings.motif.by} has no trial")
    circuits = _found(findings)
    if not circuits:
        return Tried(untried="no circuit names edges that could be taken away")
    if network.model["weights"] == "published" or responses is None:
        return Tried(untried="the network itself is not here to be run")
    try:
        found = try_circuits(
            findings.motif.trial,
            circuits,
            network,
            connections,
            responses,
            progress,
            kind=findings.motif.name,
            of=findings.motif.of.name,
            seed=findings.seed,
        )
    except (ObservationError, SourceError, TrialError) as error:
        return Tried(untried=str(error).splitlines()[0].rstrip("."))
    return Tried(tuple(found))


def _found(findings: SearchFindings) -> list[OnTrial]:
    """Return what a search found as its trial takes it; what lacks what is tried is left out."""
    from circuitkb.trials.trial import on_trial

    found = [on_trial(findings.motif, id, own) for id, own in findings.members()]
    return [one for one in found if one is not None]


def try_circuits(
    engine: str,
    circuits: Sequence[OnTrial],
    network: Network,
    connections: Sequence[Connection],
    responses: Responses,
    progress: Progress,
    *,
    kind: str,
    of: str,
    seed: int,
) -> Sequence[Trial]:
    """Open the network of a model and run a motif's trial on circuits of it.

    Raises
    ------
    ObservationError, SourceError
        The network cannot be opened.
    TrialError
        It cannot be run with the edges changed.
    """
    from circuitkb.kb.reopening import reopen
    from circuitkb.trials.showing import shown

    model = network.model
    progress(f"{model['id']}: opening the network", 0.0)
    opened = reopen(model, network.source, network.architecture, network.module)
    run: Callable[..., Sequence[Trial]] = EntryPoint("trial", engine, "").load()
    return run(
        circuits,
        shown(opened, responses),
        connections,
        responses,
        kind=kind,
        of=of,
        model=model["id"],
        fingerprint=model["fingerprint"],
        seed=seed,
        progress=within(progress, OPENED, 1.0),
    )


def with_trials(rows: GraphRows, tried: Tried) -> GraphRows:
    """Return the rows of a search with its trials, if there are any."""
    from circuitkb.trials.trial import trial_rows

    if not tried.trials:
        return rows
    more = trial_rows(tried.trials, rows.nodes["Circuit"].to_pylist())
    return replace(
        rows,
        nodes={**rows.nodes, **more.nodes},
        relations=[*rows.relations, *more.relations],
    )
