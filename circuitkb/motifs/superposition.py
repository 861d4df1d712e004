"""Superposition: one clean feature that is spread over many units which answer to others too.

After Olah et al. (Zoom In, 2020): a car detector's weights go to many units of the next layer that
answer to dogs as well. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import Unchanged


@dataclass(frozen=True, kw_only=True)
class SpreadFeature(Groups):
    """By responses: inputs of one kind, and the units of a later layer that they are spread over.

    Attributes
    ----------
    clean
        Share of the ten stimuli that the feature answers to most that are of one kind.
    response
        How a unit answers to those ten, in standard deviations from its mean.
    corr
        corr(feature, unit): it is no copy.
    unrelated
        corr(feature, another of the unit's strongest inputs that it answers to).
    spread
        Share of the layer's units at which all of this holds.
    draws
        Draws from either null.
    named
        Units that a circuit names: those that the feature feeds most.
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.spread_features:find_in_model"
    score: ClassVar[str] = "share of the layer's units that the feature is spread over"

    clean: Between = field(default_factory=lambda: Between(low=0.75))
    response: Between = field(default_factory=lambda: Between(low=1))
    corr: Between = field(default_factory=lambda: Between(high=0.5))
    unrelated: Between = field(default_factory=lambda: Between(low=-0.2, high=0.2))
    spread: Between = field(default_factory=lambda: Between(low=0.02))
    draws: int = 10
    named: int = 10

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        ranges = ("clean", "response", "corr", "unrelated", "spread")
        return {
            **super().settings(),
            **{name: getattr(self, name).ends() for name in ranges},
            "share": self.share,
            "at_least": self.at_least,
            "draws": self.draws,
        }


SUPERPOSITION = SpreadFeature(
    name="superposition",
    summary="one clean feature that is spread over many units which answer to others too",
    title="Superposition: clean features spread over many",
    of=Unchanged(),
    roles=(Role(name="feature"), Role(name="spread over")),
    target="spread over",
    question="superposition",
    evidence="spread-feature",
    method="share of a layer's units that a clean feature is spread over",
    intro="By responses: features, and the units of a later layer that take them among their "
    "strongest inputs without being copies of them. These must hold:",
    tested=(
        "more than three quarters of the ten stimuli that the feature answers to most are of one "
        "kind",
        "at more than 2% of the layer's units: the feature is among the strongest inputs by "
        "positive mass times spread; the weighted sum of the unit's inputs answers to those ten "
        "by more than one standard deviation; corr(feature, sum) is below 0.5; and the sum "
        "answers so to another of its strongest inputs, whose correlation with the feature is "
        "within 0.2 of none",
    ),
    untested=("what the units do for the network: no trial yet",),
    null_method="the larger q of two: each unit's weights permuted among its inputs of each layer "
    "and the sums computed anew; sources of the layer that are not clean instead",
    explained="Hits are features that fulfil all. What units answer is computed from their inputs, "
    "since answers go with the weights: with answers that stay while weights are permuted, random "
    "weights would seem to be in superposition.",
)
