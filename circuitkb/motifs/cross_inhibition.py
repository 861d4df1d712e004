"""Cross-inhibition between mirrored pathways: what one unit excites, its mirror image inhibits.

``docs/discovery.md`` has what was measured: hits are many, pairs hardly beyond chance.
"""

from __future__ import annotations

from circuitkb.motifs.motif import Between, Role
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.transforms import Mirror

CROSS_INHIBITION = PairMotif(
    name="cross-inhibition",
    summary="a unit that one unit excites and the mirror image of that one inhibits",
    title="Cross-inhibition between mirrored pathways",
    of=Mirror("left-right"),
    target="target",
    roles=(
        Role(name="exciting", response=Between(low=1)),
        Role(name="inhibiting", sign="inhibits", response=Between(high=0)),
    ),
    invariance=Between(high=0.5),
    question="cross-inhibition",
    trial="circuitkb.trials.inhibited_targets:try_circuits",
)
