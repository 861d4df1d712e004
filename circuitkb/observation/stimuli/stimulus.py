"""One stimulus of a battery: what it shows, its id, and its images under the symmetries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from circuitkb.observation.stimuli.symmetry import SYMMETRIES, Symmetry

Parameters = Mapping[str, float | str]

_SAID_WITHOUT_NAME = {"orientation", "direction", "hue", "luminance", "pair", "channels", "pose"}
"""Parameters whose value is clear by itself in an id."""

_COLOURED_KINDS = {"colour edge", "hue", "hue spot"}


@dataclass(frozen=True)
class Stimulus:
    """What one image of the battery shows.

    Attributes
    ----------
    id
        Kind and parameters, as in ``grating 45 wavelength 8 phase 90``.
    kind
        Family: ``grating``, ``line``, ``edge``, ``arc``, and so on.
    parameters
        Lengths in pixels, angles in degrees counter-clockwise as seen on the screen.
        ``orientation``: along the line or grating, in [0, 180). ``direction``: towards the bright
        side, the centre of curvature or the opening, in [0, 360), from pointing right.
        ``polarity``: 1 bright on grey, -1 dark.
    """

    id: str
    kind: str
    parameters: Parameters = field(hash=False)

    @property
    def coloured(self) -> bool:
        """Whether it needs three channels."""
        return self.kind in _COLOURED_KINDS or self.parameters.get("channels") == "colour"

    @property
    def span(self) -> float:
        """Pixels that an image must have in each direction for it to show what it is.

        One wavelength; the diameter of a spot or ring; the radius of an arc or curved edge; of a
        line or edge twice its offset and width; of noise four times its smoothing; else 0.

        Examples
        --------
        >>> stimulus("spot", radius=8, polarity=1).span
        16.0
        """
        return max(
            self.number("wavelength"),
            self.number("radius") * (1 if self.kind in {"arc", "curved edge"} else 2),
            2 * (abs(self.number("offset")) + self.number("width")),
            4 * self.number("smoothing"),
        )

    def number(self, name: str) -> float:
        """Return a parameter as a number, 0 if it has no such parameter."""
        return float(self.parameters.get(name, 0))

    def transformed(self, by: Symmetry) -> Stimulus:
        """Return the stimulus whose image is the transformed image of this one.

        An orientation is the same half a turn on, but the side that phases and offsets count
        towards then changes: both turn their sign.

        Examples
        --------
        >>> from circuitkb.observation.stimuli.symmetry import symmetry_named
        >>> stimulus("line", orientation=30, offset=6).transformed(symmetry_named("rotate 180")).id
        'line 30 offset -6'
        """
        given = dict(self.parameters)
        if "direction" in given:
            given["direction"] = by.angle(self.number("direction"))
        if "orientation" in given:
            left = by.angle(self.number("orientation") + 90)
            given["orientation"] = (left - 90) % 180
            if not 90 <= left < 270:
                for name, period in (("phase", 360), ("offset", None)):
                    if name in given:
                        turned = -self.number(name)
                        given[name] = turned % period if period else turned
        if "pose" in given:
            given["pose"] = SYMMETRIES[str(given["pose"])].then(by).name
        return stimulus(self.kind, **given)


def stimulus(kind: str, **parameters: float | str) -> Stimulus:
    """Return a stimulus with the id that its kind and parameters make.

    Examples
    --------
    >>> stimulus("arc", direction=30, radius=10, polarity=-1).id
    'arc 30 radius 10 dark'
    """
    # Adding zero turns -0.0 into 0.0: both are one offset, and must be one id.
    given = {k: v if isinstance(v, str) else float(v) + 0.0 for k, v in parameters.items()}
    words = [kind, *(_words(name, value) for name, value in given.items())]
    return Stimulus(" ".join(words), kind, MappingProxyType(given))


def _words(name: str, value: float | str) -> str:
    if name == "polarity":
        return "bright" if value == 1 else "dark"
    said = value if isinstance(value, str) else f"{value:g}"
    return said if name in _SAID_WITHOUT_NAME else f"{name} {said}"
