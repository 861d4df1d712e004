"""Weight banding: layers whose kernels differ from row to row more than from column to column.

After Petrov et al. (Weight Banding, 2021), who saw horizontal bands in the last convolutions before
global pooling. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import Unchanged

BANDED = Role(name="banded")


@dataclass(frozen=True, kw_only=True)
class BandedLayer(Groups):
    """By kernels: rows against columns in all kernels of a layer.

    Attributes
    ----------
    excess
        The layer's mean contrast of rows and columns, in standard errors over its units.
    draws
        Draws from either null.
    named
        Units that a circuit names: the most banded.
    """

    by: ClassVar[Basis] = "kernels"
    engine: ClassVar[str] = "circuitkb.motifs.by_kernels.banded_layers:find_in_model"
    score: ClassVar[str] = (
        "contrast of the variance over rows with that over columns, mean of the layer's units"
    )

    excess: Between = field(default_factory=lambda: Between(low=2))
    draws: int = 200
    named: int = 10

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {**super().settings(), "excess": self.excess.ends(), "draws": self.draws}


WEIGHT_BANDING = BandedLayer(
    name="weight-banding",
    summary="a layer whose kernels differ from row to row more than from column to column",
    title="Weight banding",
    of=Unchanged(),
    roles=(BANDED, BANDED),
    target=BANDED.name,
    question="weight-banding",
    evidence="banded-layer",
    method="contrast of rows and columns over all kernels of a layer",
    intro="By kernels alone: all kernels of two rows and columns or more into a layer. This must "
    "hold:",
    tested=(
        "(variance of the row means less that of the column means) over their sum, of all kernels "
        "into a unit and on average over the layer's units, is above 0 by more than two standard "
        "errors",
    ),
    untested=("that the bands do something for the network: no trial yet",),
    null_method="the larger q of two: all kernels into a unit transposed, or not, at random; all "
    "kernels from a source transposed, or not, at random",
    explained="Tested are layers, not units; the units named are the most banded. A layer of many "
    "detectors of horizontal lines passes too.",
)
