"""The motifs there are: ours, and those of other packages (entry points ``circuitkb.motifs``)."""

from __future__ import annotations

from circuitkb.motifs.motif import Motif
from circuitkb.schema.errors import QueryError
from circuitkb.schema.registry import Registry

DEFAULT = "union"
"""The motif that is searched for where none is named."""

MOTIFS: Registry[Motif] = Registry(
    "circuitkb.motifs",
    "motif",
    Motif,
    {
        "union": "circuitkb.motifs.union:UNION",
        "mirrored-targets": "circuitkb.motifs.mirrored_targets:MIRRORED_TARGETS",
        "family": "circuitkb.motifs.family:FAMILY",
        "cross-inhibition": "circuitkb.motifs.cross_inhibition:CROSS_INHIBITION",
        "opponency": "circuitkb.motifs.opponency:OPPONENCY",
        "curve-assembly": "circuitkb.motifs.curve_assembly:CURVE_ASSEMBLY",
        "boundary": "circuitkb.motifs.boundary:BOUNDARY",
        "scale-union": "circuitkb.motifs.scale_union:SCALE_UNION",
        "superposition": "circuitkb.motifs.superposition:SUPERPOSITION",
        "parts-in-places": "circuitkb.motifs.parts_in_places:PARTS_IN_PLACES",
        "weight-banding": "circuitkb.motifs.weight_banding:WEIGHT_BANDING",
        "branch-specialisation": "circuitkb.motifs.branch_specialisation:BRANCH_SPECIALISATION",
    },
    unknown=QueryError,
)


def motif_named(wanted: str | Motif) -> Motif:
    """Return the motif of a name; a motif is itself.

    Raises
    ------
    QueryError
        There is no such motif.

    Examples
    --------
    >>> motif_named("union").target
    'union'
    >>> motif_named("onion")
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: There is no motif 'onion'. Did you mean 'union'?
    """
    if isinstance(wanted, Motif):
        return wanted
    if not isinstance(wanted, str):
        raise QueryError(f"{wanted!r} is no motif: name one, or give a value such as Union().")
    return MOTIFS.get(wanted)
