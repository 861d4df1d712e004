"""Motifs whose parts contradict, networks in which nothing answers: named, nothing found (2 s)."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from circuitkb.errors import QueryError
from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Between
from circuitkb.motifs.registry import MOTIFS
from tests.motifs.planted_layers import PLACE, network, random_network

OURS = list(MOTIFS.names)


def test_a_range_in_which_nothing_lies_is_refused() -> None:
    with pytest.raises(QueryError, match=r"Between\(0.9, 0.1\): nothing lies there"):
        Between(low=0.9, high=0.1)
    with pytest.raises(QueryError, match="nothing lies there"):
        Between(low=0.5, high=float("nan"))


@pytest.mark.parametrize("name", OURS)
def test_a_motif_without_draws_is_refused(name: str) -> None:
    for way in MOTIFS.get(name).searches:
        if isinstance(way, Groups) and getattr(way, "draws", None):
            with pytest.raises(QueryError, match=rf"{name}\(draws=0\): 1 or more"):
                replace(way, draws=0)


@pytest.mark.parametrize("name", OURS)
def test_networks_without_units_that_answer_have_none_of_it_and_it_is_said_why(name: str) -> None:
    weights = np.random.default_rng(0).normal(size=(20, 30))
    silent = network(
        {"a": np.zeros((30, len(PLACE))), "b": np.zeros((20, len(PLACE)))}, {("a", "b"): weights}
    )
    for way in MOTIFS.get(name).searches:
        engine = EntryPoint(name, way.engine, "").load()
        findings = engine(*silent, way, model="m", seed=0)
        assert (findings.circuits, findings.tested) == (0, 0)
        # Mirrored targets count what they cannot test by pairs, and there is none.
        assert findings.not_tested or name == "mirrored-targets"
        assert engine([], random_network(0)[1], way, model="m", seed=0).circuits == 0
