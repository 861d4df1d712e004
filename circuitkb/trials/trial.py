"""One trial: what was predicted, what the edited network gave, and how it ended; as a row, too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.provenance import now, tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

if TYPE_CHECKING:
    from circuitkb.motifs.motif import Motif

Outcome = Literal["held", "failed", "undecided"]

_KEPT = (
    *("id", "kind", "edit", "method", "version", "measure", "inputs", "predicted", "low", "high"),
    *("prediction_hash", "measured", "null_mean", "null_count", "null_method", "p", "q", "tested"),
    *("outcome", "searched", "seed"),
)
"""Properties of the node that are attributes of the same name."""

EDIT = "edit"
"""``Trial.kind`` of one edit that somebody asked for; that of a motif's own trial is its name."""


@dataclass(frozen=True)
class CircuitOnTrial:
    """A circuit to be tried: its id, and those of its target and of its cases, by side."""

    circuit: str
    target: str
    cases: tuple[str, str]


@dataclass(frozen=True)
class TargetsOnTrial:
    """A circuit of two targets to be tried: its id, theirs, and those of the inputs of each."""

    circuit: str
    targets: tuple[str, str]
    inputs: tuple[tuple[str, ...], tuple[str, ...]]


OnTrial = CircuitOnTrial | TargetsOnTrial

Members = Sequence[tuple[str, str, int | None]]
"""Of a circuit: the id of each feature, its role, and its side if it has one."""


def on_trial(motif: Motif, circuit: str, members: Members) -> OnTrial | None:
    """Return a circuit of a motif as its trial takes it; None where it lacks what is tried.

    Cases stand by role where the roles of the motif differ, else by side.

    Examples
    --------
    >>> from circuitkb.motifs.cross_inhibition import CROSS_INHIBITION
    >>> members = [("m/a:0", "inhibiting", 1), ("m/a:1", "exciting", 2), ("m/b:0", "target", None)]
    >>> on_trial(CROSS_INHIBITION, "c", members)
    CircuitOnTrial(circuit='c', target='m/b:0', cases=('m/a:1', 'm/a:0'))
    """
    roles = [role.name for role in motif.roles]
    ordered = sorted(members, key=lambda one: one[2] or 0)
    targets = [one for one in ordered if one[1] == motif.target]
    rest = [one for one in ordered if one[1] != motif.target]
    if len(targets) == 1 and len(rest) == 2 and all(one[1] in roles for one in rest):
        first, second = sorted(rest, key=lambda one: roles.index(one[1]))
        return CircuitOnTrial(circuit, targets[0][0], (first[0], second[0]))
    if len(targets) == 2:
        first, second = targets
        one, other = (
            tuple(feature for feature, _, of in rest if of == side) for _, _, side in targets
        )
        if one and other:
            return TargetsOnTrial(circuit, (first[0], second[0]), (one, other))
    return None


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A trial before it is run: all that its id is made of.

    Attributes
    ----------
    kind
        ``edit``, or the name of the motif whose circuit was tried.
    model, fingerprint
        Whose network is run, and of which weights.
    edit
        What is changed, in words that read back to it.
    method, version
        What is done.
    measure, inputs
        What is predicted and measured, with its unit; what is shown to the network.
    about
        Features in their parts: ``target``, ``edited``, ``read``.
    settings
        What it takes to run it again: JSON can hold it.
    circuit
        The circuit that it is about.
    seed
        Of the draws.
    """

    kind: str
    model: str
    fingerprint: str
    edit: str
    method: str
    version: str
    measure: str
    inputs: str
    about: tuple[tuple[str, str], ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    circuit: str | None = None
    seed: int = 0

    @property
    def id(self) -> str:
        """What the same trial has when it is run again: nothing that is measured is part of it."""
        what: list[Any] = [self.kind, self.fingerprint, self.model, self.edit, self.method]
        what += [
            self.version,
            self.measure,
            self.inputs,
            self.circuit,
            self.seed,
            dict(self.settings),
        ]
        return f"trial-{content_hash(what)[:16]}"


@dataclass(frozen=True, kw_only=True)
class Trial(Planned):
    """One attempt to refute.

    Attributes
    ----------
    predicted, low, high, prediction_hash
        What the claim says will be measured, its interval, and the hash of both, made before the
        network ran.
    measured
        What was measured.
    null_mean, null_count, null_method
        The same under the controls; None where there were none.
    p, q, tested
        Share of the controls that do as much; corrected over ``tested`` trials of one search.
    outcome
        How it ended.
    searched
        Whether the stimuli were searched to break the prediction.
    decides
        Whether the outcome speaks for or against the circuit.
    seconds
        Of the run.
    detail
        Further figures, as JSON can hold them.

    Examples
    --------
    >>> trial = Trial(
    ...     kind="edit", model="m", fingerprint="0", edit="remove a:0", method="removal",
    ...     version="1", measure="change of m/b:0", inputs="its ten best stimuli",
    ...     predicted=-0.5, low=-0.6, high=-0.4, prediction_hash="0", measured=-0.52,
    ...     outcome="held", about=(("m/b:0", "target"),))
    >>> trial.id
    'trial-...'
    """

    predicted: float | None
    low: float | None
    high: float | None
    prediction_hash: str
    measured: float
    outcome: Outcome
    null_mean: float | None = None
    null_count: int | None = None
    null_method: str | None = None
    p: float | None = None
    q: float | None = None
    tested: int | None = None
    searched: bool = False
    decides: bool = False
    seconds: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_interval(self) -> bool:
        """Whether what was measured lies in the interval that was predicted."""
        ends = self.low, self.high
        return ends[0] is not None and ends[1] is not None and ends[0] <= self.measured <= ends[1]

    def row(self) -> dict[str, Any]:
        """Return the node."""
        detail = {**self.detail, "settings": dict(self.settings), "fingerprint": self.fingerprint}
        return {
            **{name: getattr(self, name) for name in _KEPT},
            "network": self.model,
            "seconds": round(self.seconds, 3),
            "tool": tool(),
            "created": now(),
            "detail": canonical_json(detail),
        }


def trial_rows(trials: Iterable[Trial], circuits: Sequence[Mapping[str, Any]] = ()) -> GraphRows:
    """Return trials as rows of the graph.

    A trial is ABOUT its features and its circuit; one that decides SUPPORTS the circuit where it
    held, and REFUTES it where it failed.

    Parameters
    ----------
    circuits
        All properties of the ``Circuit`` nodes whose trials decide; written with ``trial`` and
        ``trial_q``.
    """
    trials = list(trials)
    by_circuit = {trial.circuit: trial for trial in trials if trial.decides}
    about: dict[str, list[dict[str, Any]]] = {"Feature": [], "Circuit": []}
    speaks: dict[str, list[dict[str, Any]]] = {"SUPPORTS": [], "REFUTES": []}
    for trial in trials:
        for feature, role in dict.fromkeys(trial.about):
            about["Feature"].append({"source": trial.id, "target": feature, "role": role})
        if trial.circuit is None:
            continue
        about["Circuit"].append({"source": trial.id, "target": trial.circuit, "role": "circuit"})
        relation = {"held": "SUPPORTS", "failed": "REFUTES"}.get(trial.outcome)
        if trial.decides and relation:
            speaks[relation].append({"source": trial.id, "target": trial.circuit})
    tried = [
        {**row, "trial": by_circuit[row["id"]].outcome, "trial_q": by_circuit[row["id"]].q}
        for row in circuits
        if row["id"] in by_circuit
    ]
    relations = [
        Relations("ABOUT", "Trial", label, relation_table("ABOUT", rows_of(rows)))
        for label, rows in about.items()
        if rows
    ]
    relations += [
        Relations(name, "Trial", "Circuit", relation_table(name, rows_of(rows)))
        for name, rows in speaks.items()
        if rows
    ]
    nodes = {"Trial": node_table("Trial", rows_of([trial.row() for trial in trials]))}
    if tried:
        nodes["Circuit"] = node_table("Circuit", rows_of(tried))
    return GraphRows(nodes=nodes, relations=relations)


def settings_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a Trial node was made with."""
    found: dict[str, Any] = json.loads(row["detail"])["settings"]
    return found
