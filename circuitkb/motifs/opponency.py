"""Opponency: what one unit excites, the unit that answers to the inverted contrast inhibits.

``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from circuitkb.motifs.motif import Between, Role
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.transforms import ContrastInversion

OPPONENCY = PairMotif(
    name="opponency",
    summary="a unit that one unit excites and the one for the inverted contrast or colour inhibits",
    title="Opponency of contrast and colour",
    of=ContrastInversion(),
    target="opponent",
    roles=(
        Role(name="exciting", response=Between(low=1)),
        Role(name="inhibiting", sign="inhibits", response=Between(high=0)),
    ),
    invariance=Between(high=0.5),
    question="opponency",
)
