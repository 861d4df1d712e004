"""High-low frequency to boundary: a unit that adds up differences of texture and of brightness.

After Schubert et al. (High-Low Frequency Detectors, 2021): they feed detectors of boundaries,
together with edges. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import EighthTurn


@dataclass(frozen=True, kw_only=True)
class SummedCues(Groups):
    """By responses: tuning of units to two cues of a boundary, and that of their inputs' sums.

    Attributes
    ----------
    selectivity
        Modulation by the direction, root mean square, over the unit's spread; for either cue.
    locked
        Share of the unit's variance over directions that goes with one direction; for either cue.
    alignment
        Cosine between the two directions, either way round: which side is bright is not asked.
    gain
        Power of the sum's tuning, over what the same weights give with inputs permuted on average;
        of the cue where it is less.
    draws
        Draws from either null.
    named
        Inputs that a circuit names for either cue.
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.boundaries:find_in_model"
    score: ClassVar[str] = "the less of both cues' modulations of the unit, over its spread"

    selectivity: Between = field(default_factory=lambda: Between(low=0.25))
    locked: Between = field(default_factory=lambda: Between(low=0.5))
    alignment: Between = field(default_factory=lambda: Between(low=0.7))
    gain: Between = field(default_factory=lambda: Between(low=2))
    draws: int = 20
    named: int = 3

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "selectivity": self.selectivity.ends(),
            "locked": self.locked.ends(),
            "alignment": self.alignment.ends(),
            "gain": self.gain.ends(),
            "draws": self.draws,
        }


BOUNDARY = SummedCues(
    name="boundary",
    summary="a unit whose weights add up inputs for high beside low frequency and for edges",
    title="High-low frequency to boundary",
    of=EighthTurn(),
    roles=(Role(name="high-low frequency"), Role(name="edge")),
    target="boundary",
    question="boundary",
    evidence="summed-cues",
    method="power of the inputs' summed tunings to two cues over that of permuted inputs",
    intro="By responses to borders of high and low frequency, and to edges of brightness: units "
    "and the weighted sums of their inputs. These must hold:",
    tested=(
        "the direction of either cue moves the unit by more than a quarter of its spread (root "
        "mean square over the families), and more than half of its variance over directions goes "
        "with one of them",
        "cosine between both directions is above 0.7, either way round",
        "the power of the sum's tuning to either cue is more than twice what the same weights "
        "give on average with the inputs of each layer permuted",
    ),
    untested=("what the boundary does for the network: no trial yet",),
    null_method="the larger q of two: inputs of each layer permuted for all units alike, where the "
    "power and the alignment alone are asked; the directions permuted within each family, where "
    "all is asked anew",
    explained="Inputs named are those whose parts of the sums are most along them.",
)
