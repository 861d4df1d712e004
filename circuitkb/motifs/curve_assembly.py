"""Curve assembly: a unit whose curve tuning its inputs' tunings add up to, beyond chance.

Any sum of tuned inputs is tuned; asked is how much better the weights add them up than the same
weights from other inputs would. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import EighthTurn


@dataclass(frozen=True, kw_only=True)
class AssembledCurves(Groups):
    """By responses: curve tuning of units, and of the weighted sum of their inputs.

    Attributes
    ----------
    selectivity
        Modulation by the direction of curves, root mean square, over the unit's spread.
    agreement
        Cosine between the unit's tuning and that of the sum.
    gain
        Power of the sum's tuning, over what the same weights give with inputs permuted on average.
    draws
        Draws from either null.
    named
        Inputs that a circuit names: those that add most, of either sign.
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.assembled_curves:find_in_model"
    score: ClassVar[str] = "cosine between the unit's tuning to curves and its inputs' summed one"

    selectivity: Between = field(default_factory=lambda: Between(low=0.5))
    agreement: Between = field(default_factory=lambda: Between(low=0.7))
    gain: Between = field(default_factory=lambda: Between(low=4))
    draws: int = 20
    named: int = 3

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "selectivity": self.selectivity.ends(),
            "agreement": self.agreement.ends(),
            "gain": self.gain.ends(),
            "draws": self.draws,
        }


CURVE_ASSEMBLY = AssembledCurves(
    name="curve-assembly",
    summary="a unit for curves whose weights add up the curve tunings of its inputs",
    title="Curve assembly",
    of=EighthTurn(),
    roles=(Role(name="exciting"), Role(name="inhibiting", sign="inhibits")),
    target="curve",
    question="curve-assembly",
    evidence="assembled-curves",
    method="power of the inputs' summed curve tuning over that of permuted inputs",
    intro="By responses to bright and dark arcs and curved edges of four radii: units and the "
    "weighted sums of their inputs. These must hold:",
    tested=(
        "the direction of curves moves the unit by more than half of its spread (root mean "
        "square over the families)",
        "cosine between the unit's tuning and that of the weighted sum is above 0.7",
        "the power of the sum's tuning is more than 4 times what the same weights give on average "
        "with the inputs of each layer permuted",
    ),
    untested=(
        "where in the kernel each input is taken: sums of kernels are read",
        "what the assembly does for the network: no trial yet",
    ),
    null_method="the larger q of two: inputs of each layer permuted for all units alike, where the "
    "power alone is asked, not that the unit is tuned; the directions of the curves permuted "
    "within each family and radius, where all is asked anew",
    explained="Inputs named are those whose part of the sum is most along it.",
)
