"""Scale unions along residual streams: a unit that unites a feature with a larger copy of it.

After Longon (Naturally Computed Scale Invariance in the Residual Stream of ResNet18, 2025): what
comes along the skip connection prefers the smaller copy, what the block adds the larger one, and
their sum hardly changes with the size. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import Doubling


@dataclass(frozen=True, kw_only=True)
class StreamAndBlock(Groups):
    """By responses: both parts of a unit's pre-activation, at two sizes.

    Attributes
    ----------
    scaled, plain
        corr(the stream's part, the block's part to stimuli of twice the size), and corr of both
        parts to the same stimuli.
    invariance
        corr(what the unit answers, the same to stimuli of twice the size).
    draws
        Times that units of a layer exchange what their block adds.
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.stream_scales:find_in_model"
    score: ClassVar[str] = (
        "correlation of what the stream gives with what the block adds at twice the size"
    )

    scaled: Between = field(default_factory=lambda: Between(low=0.5))
    plain: Between = field(default_factory=lambda: Between(high=0.5))
    invariance: Between = field(default_factory=lambda: Between(low=0.8))
    draws: int = 20

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "scaled": self.scaled.ends(),
            "plain": self.plain.ends(),
            "invariance": self.invariance.ends(),
            "draws": self.draws,
        }


SCALE_UNION = StreamAndBlock(
    name="scale-union",
    summary="a unit whose residual stream gives a feature and whose block adds a larger copy",
    title="Scale unions along residual streams",
    of=Doubling(),
    roles=(Role(name="smaller"), Role(name="larger")),
    target="union",
    question="scale-union",
    evidence="scaled-parts",
    method="the stream's and the block's part of pre-activations at two sizes",
    intro="By responses to stimuli that were shown at twice their size too: units that a "
    "residual stream comes to. These must hold:",
    tested=(
        "corr(the stream's part, the block's part to stimuli of twice the size) is above 0.5, "
        "and larger than the other way round",
        "corr(the stream's part, the block's part) is below 0.5",
        "corr(the unit's answer, the same to stimuli of twice the size) is above 0.8",
    ),
    untested=("what the union does for the network: no trial yet",),
    null_method="the larger q of two: units of a layer exchange what their block adds; the "
    "same in the network with shuffled weights",
    explained="The strongest input of either part is named beside each unit.",
)
