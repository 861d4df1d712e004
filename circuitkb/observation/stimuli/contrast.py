"""The same stimuli with their contrast inverted: bright for dark, each colour for its opposite."""

from __future__ import annotations

from circuitkb.observation.stimuli.stimulus import Stimulus, stimulus

INVERSION = "invert contrast"
"""Name of the transform, beside those of :mod:`~circuitkb.observation.stimuli.symmetry`."""

_OF_KIND = {
    "grating": "phase",
    "edge": "direction",
    "colour edge": "direction",
    "hue": "hue",
    "hue spot": "hue",
}


def inverted(item: Stimulus) -> Stimulus:
    """Return the stimulus whose image is that of another about mean grey, with contrast inverted.

    Of corners, textures and noise the battery has no such image: they are returned as they are.

    Examples
    --------
    >>> inverted(stimulus("edge", direction=30, width=1, offset=8)).id
    'edge 210 width 1 offset -8'
    >>> inverted(stimulus("arc", direction=30, radius=10, polarity=-1)).id
    'arc 30 radius 10 bright'
    >>> inverted(stimulus("corner", direction=30, angle=90)).id
    'corner 30 angle 90'
    """
    given = dict(item.parameters)
    turned = _OF_KIND.get(item.kind)
    if turned is not None:
        given[turned] = (item.number(turned) + 180) % 360
        if item.kind == "edge":
            given["offset"] = -item.number("offset")
    elif "polarity" in given:
        given["polarity"] = -item.number("polarity")
    elif "luminance" in given:
        given["luminance"] = round(1 - item.number("luminance"), 6)
    else:
        return item
    return stimulus(item.kind, **given)
