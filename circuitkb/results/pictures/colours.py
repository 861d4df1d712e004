"""The two colours of every picture: what excites, and what inhibits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

EXCITES, INHIBITS = "#b2182b", "#2166ac"
"""Red and blue of the same lightness, told apart by those who see no red."""


def signed_colours() -> Colormap:
    """Return the map from what inhibits most, over white at zero, to what excites most.

    Examples
    --------
    >>> from matplotlib.colors import to_hex
    >>> [to_hex(signed_colours()(value)) for value in (0.0, 0.5, 1.0)]
    ['#2166ac', '#ffffff', '#b2182b']
    """
    from matplotlib.colors import LinearSegmentedColormap

    # An odd number of colours, so that there is one for zero.
    return LinearSegmentedColormap.from_list("signed", [INHIBITS, "white", EXCITES], N=255)
