"""What a report reads: the models it is about, and what was done with each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.stores import known_names
from circuitkb.stores.base import Store

Row = dict[str, Any]

TIMEOUT = 600.0
"""Seconds that one question may take; a report asks for all units of a network at once."""


@dataclass(frozen=True)
class Step:
    """One thing that was done with a model, as its ``Import`` says it."""

    kind: str
    source: str
    model: str
    created: str
    tool: str
    seconds: float
    summary: Mapping[str, Any]

    @property
    def date(self) -> str:
        """The day, as in 2026-01-31."""
        return self.created[:10]


@dataclass(frozen=True)
class Record:
    """The models of a report, and the last time that each thing was done with them.

    Attributes
    ----------
    store
        Where they are kept.
    models
        Properties of their nodes, by name, in order of the names.
    steps
        What was done with them, by kind, then model.
    """

    store: Store
    models: Mapping[str, Row]
    steps: Sequence[Step]

    @classmethod
    def read(cls, store: Store, models: Sequence[str] | None = None) -> Record:
        """Return what is known of some models, or of all.

        Raises
        ------
        NotFoundError
            No such model.
        """
        if models is not None:
            known_names.check_models(store, models)
        found = ask(store, "MATCH (m:Model) RETURN m AS model ORDER BY m.id")
        nodes = {row["model"]["id"]: row["model"] for row in found}
        kept = {name: node for name, node in nodes.items() if models is None or name in models}
        steps = ask(
            store,
            "MATCH (i:Import) WHERE i.model IN $models RETURN i.kind AS kind, i.source AS source, "
            "i.model AS model, i.created AS created, i.tool AS tool, i.seconds AS seconds, "
            "i.summary AS summary ORDER BY model, kind, i.id",
            models=list(kept),
        )
        parsed = [Step(**row | {"summary": json.loads(row["summary"])}) for row in steps]
        return cls(store, kept, parsed)

    def ask(self, cypher: str, **parameters: Any) -> list[Row]:
        """Return all rows of a query as dictionaries."""
        return ask(self.store, cypher, **parameters)

    def of(self, kind: str) -> list[Step]:
        """Return the steps of one kind."""
        return [step for step in self.steps if step.kind == kind]

    @property
    def observed(self) -> dict[str, Step]:
        """The observation of each observed model."""
        return {step.model: step for step in self.of("observe")}

    @property
    def unobserved(self) -> list[str]:
        """Models that could be observed and were not."""
        return [
            name
            for name, node in self.models.items()
            if name not in self.observed and node["weights"] != "published"
        ]

    @property
    def matched(self) -> list[Step]:
        """The matches of two models of the report."""
        return [s for s in self.of("match") if set(s.summary["models"]) <= set(self.models)]


def ask(store: Store, cypher: str, **parameters: Any) -> list[Row]:
    """Return all rows of a query as dictionaries."""
    return store.read(cypher, parameters, timeout=TIMEOUT, limit=None).to_dicts()


def local(feature: str) -> str:
    """Return a feature's id without its model, which the text around it names.

    Examples
    --------
    >>> local("alexnet/features.1:7")
    'features.1:7'
    """
    return feature.partition("/")[2]
