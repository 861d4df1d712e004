"""Trials of both kinds of claims stand in a report with the figures that each has."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from circuitkb.report.trials import trials_of
from tests.report.report_reading import figures, tables


def search(**detail: Any) -> Any:
    """A search whose two circuits were tried, as a report reads it."""
    part = {"value": 1.0, "null_mean": 0.1, "p": 0.01}
    rows = [
        {
            "outcome": "held" if held else "failed",
            "shape": None,
            "predicted": 1.0 + held,
            "measured": 1.5 + held,
            "detail": json.dumps({"parts": {"dissociation": part | {"held": held}}} | detail),
        }
        for held in (True, False)
    ]
    return SimpleNamespace(
        record=SimpleNamespace(ask=lambda *_, **__: rows),
        motif=SimpleNamespace(name="m"),
        step=SimpleNamespace(model="net", summary={"of": "mirror left-right"}),
    )


def test_a_union_says_what_share_goes_and_two_arms_what_changes() -> None:
    (union,) = tables("\n".join(trials_of([search(lost=[0.25, 0.75], crossed=[0.0, 0.1])])))
    (arms,) = tables("\n".join(trials_of([search(own=[1.0, 3.0], other=[0.5, 0.5])])))
    for table in (union, arms):
        assert figures(table)["held"] == ["1"]
        assert figures(table)["dissociation holds by itself"] == ["1"]
    share = "share of the response to a case's stimuli that goes with that case, median"
    assert figures(union)[share] == ["50%"]
    assert share not in figures(arms)
    own = "change on its own stimuli, in the way claimed, in sd of the target: median"
    assert figures(arms)[own] == ["2.00"]
    assert own not in figures(union)
