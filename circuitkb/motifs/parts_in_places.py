"""Parts in their places: inputs whose positive masses lie above and below, or left and right.

As the car of InceptionV1 (Olah et al., Zoom In, 2020): windows above, wheels below.
``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import Unchanged

PART = Role(name="part")


@dataclass(frozen=True, kw_only=True)
class PlacedParts(Groups):
    """By kernels: where the positive masses of a unit's strongest inputs lie.

    Attributes
    ----------
    aside
        How far from the centre, in half sizes of the kernel, a part lies on either side.
    draws
        Draws from either null.
    named
        Parts that a circuit names on either side.
    """

    by: ClassVar[Basis] = "kernels"
    engine: ClassVar[str] = "circuitkb.motifs.by_kernels.placed_parts:find_in_model"
    score: ClassVar[str] = (
        "how much more the parts' places vary along one axis than along the other, as a share"
    )

    aside: Between = field(default_factory=lambda: Between(low=0.4))
    draws: int = 20
    named: int = 2

    @property
    def plural(self) -> str:
        """Its name, of several."""
        return "units with parts in their places"

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "aside": self.aside.ends(),
            "share": self.share,
            "at_least": self.at_least,
            "draws": self.draws,
        }


PARTS_IN_PLACES = PlacedParts(
    name="parts-in-places",
    summary="a unit whose strongest inputs lie above and below, or left and right of each other",
    title="Parts in their places",
    of=Unchanged(),
    roles=(PART, PART),
    target="whole",
    question="parts-in-places",
    evidence="placed-parts",
    method="variance of the places of positive masses along one axis less that along the other",
    intro="By kernels alone: the centres of the positive masses of a unit's strongest inputs, in "
    "half sizes of the kernel. These must hold:",
    tested=(
        "one part lies beyond 0.4 on the one side, and another on the other side, of one axis",
        "their places, weighted by mass, vary more along this axis than along the other, by a "
        "share (times the root of their number) that is beyond both nulls",
    ),
    untested=("what the parts are, and what the whole does: no trial yet",),
    null_method="the larger q of two: each kernel turned and mirrored at random; kernels dealt "
    "anew among the units of the layer",
    explained="Turned: each kernel keeps how far aside its mass lies. Dealt: what places are "
    "common in the layer stays.",
)
