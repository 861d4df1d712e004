"""One trial: what was predicted, what the edited network gave, and how it ended; as a row, too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.provenance import now, tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

Outcome = Literal["held", "failed", "undecided"]

_KEPT = (
    *("id", "kind", "edit", "method", "version", "measure", "inputs", "predicted", "low", "high"),
    *("prediction_hash", "measured", "null_mean", "null_count", "null_method", "p", "q", "tested"),
    *("outcome", "seed"),
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


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One attempt to refute.

    Attributes
    ----------
    kind
        ``edit``, or the name of the motif whose circuit was tried.
    model, fingerprint
        Whose network was run, and of which weights.
    edit
        What was changed, in words that read back to it.
    method, version
        What was done.
    measure, inputs
        What is predicted and measured, with its unit; what was shown to the network.
    settings
        What it takes to run it again: JSON can hold it.
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
    about
        Features in their parts: ``target``, ``edited``, ``read``.
    circuit
        The circuit that it is about, and whether the outcome speaks for or against it.
    seed, seconds
        Of the draws; of the run.
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

    kind: str
    model: str
    fingerprint: str
    edit: str
    method: str
    version: str
    measure: str
    inputs: str
    predicted: float | None
    low: float | None
    high: float | None
    prediction_hash: str
    measured: float
    outcome: Outcome
    about: tuple[tuple[str, str], ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    null_mean: float | None = None
    null_count: int | None = None
    null_method: str | None = None
    p: float | None = None
    q: float | None = None
    tested: int | None = None
    circuit: str | None = None
    decides: bool = False
    seed: int = 0
    seconds: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What the same trial has when it is run again: nothing that was measured is part of it."""
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
