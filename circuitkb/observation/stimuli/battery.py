"""The battery: a fixed list of stimuli, each with all its mirror images and rotations.

``docs/observation.md`` says what is on it and which way its angles count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.contents import base_stimuli
from circuitkb.observation.stimuli.drawing import Plane, draw
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.observation.stimuli.symmetry import SYMMETRIES, Symmetry, symmetry_named
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import ObservationError, QueryError

__all__ = ["NAME", "Battery", "Stimulus", "battery"]

NAME = "circuitkb-1"
"""Name and version of the battery. Responses to batteries of one name can be compared."""

Images = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Origin:
    """How a stimulus is drawn: its base is drawn, and the array transformed."""

    base: Stimulus
    by: Symmetry


@dataclass(frozen=True, eq=False)
class Battery:
    """Stimuli that are shown to networks.

    Made by :func:`battery`.

    Attributes
    ----------
    name
        Name and version; the same however many channels and whatever the extent.
    stimuli
        In order; images of one another under the symmetries stand together.
    channels
        Of the images: 1 or 3.
    """

    name: str
    stimuli: tuple[Stimulus, ...]
    channels: int

    def __len__(self) -> int:
        return len(self.stimuli)

    def images(
        self,
        which: Sequence[int] | Indices | slice,
        *,
        rows: int,
        columns: int,
        centre: tuple[float, float] | None = None,
    ) -> Images:
        """Draw some of the stimuli.

        What stands around the centre does not depend on the size of the images. Images that are
        symmetric to each other are so bit for bit, if the centre is in the middle.

        Parameters
        ----------
        which
            Places of stimuli in the battery.
        rows, columns
            Size of the images in pixels.
        centre
            Row and column that the stimuli are centred on, multiples of one half; pixel centres
            are whole numbers. The middle unless given.

        Returns
        -------
        array
            Values in [0, 1], .5 is mean grey; axes (stimulus, channel, row, column), float32.

        Raises
        ------
        ObservationError
            There are no such images: no pixels, or a centre between halves.

        Examples
        --------
        >>> shown = battery()
        >>> images = shown.images(slice(None, 32), rows=63, columns=63)
        >>> images.shape
        (32, 3, 63, 63)
        >>> partner = shown.transformed("mirror left-right")[20]
        >>> bool((images[20, :, :, ::-1] == images[partner]).all())
        True
        """
        if min(rows, columns) < 1:
            raise ObservationError(f"An image of {rows} x {columns} pixels shows nothing.")
        row, column = map(float, centre or ((rows - 1) / 2, (columns - 1) / 2))
        if not (2 * row).is_integer() or not (2 * column).is_integer():
            raise ObservationError(
                f"Stimuli cannot be centred on row {row:g}, column {column:g}: give whole or "
                "half numbers."
            )
        up, across = max(row, rows - 1 - row), max(column, columns - 1 - column)
        top, left = int(up - row), int(across - column)

        chosen = np.arange(len(self))[which if isinstance(which, slice) else _indices(which)]
        origins = [_origins()[self.stimuli[place].id] for place in chosen]
        together: dict[tuple[Stimulus, Plane], list[int]] = defaultdict(list)
        for image, origin in enumerate(origins):
            plane = Plane(across, up) if origin.by.transposes else Plane(up, across)
            together[origin.base, plane].append(image)
        shown = np.empty((len(origins), self.channels, rows, columns), np.float32)
        for (base, plane), images in together.items():
            drawn = draw(base, plane)
            for image in images:
                whole = origins[image].by.apply(drawn)
                shown[image] = whole[:, top : top + rows, left : left + columns]
        return shown

    def transformed(self, symmetry: str) -> Indices:
        """Return for each stimulus the place of the one that shows its transformed image.

        Parameters
        ----------
        symmetry
            A name in :data:`~circuitkb.observation.stimuli.symmetry.SYMMETRIES`:
            ``mirror left-right``, ``mirror up-down``, ``mirror rising diagonal``,
            ``mirror falling diagonal``, ``rotate 90`` (counter-clockwise as seen), ``rotate 180``,
            ``rotate 270``, ``identity``.

        Raises
        ------
        QueryError
            There is no such symmetry.

        Examples
        --------
        >>> shown = battery()
        >>> ids = [stimulus.id for stimulus in shown.stimuli]
        >>> ids[shown.transformed("mirror left-right")[ids.index("edge 30 width 1 offset 8")]]
        'edge 150 width 1 offset 8'
        """
        by = symmetry_named(symmetry)
        return np.array([self._places[item.transformed(by).id] for item in self.stimuli], np.intp)

    def of_kind(self, kind: str) -> Indices:
        """Return the places of the stimuli of one kind; none where the battery leaves them out.

        Raises
        ------
        QueryError
            No battery of this version has the kind.

        Examples
        --------
        >>> len(battery().of_kind("grating")), len(battery(channels=1).of_kind("hue"))
        (240, 0)
        """
        kinds = {item.kind for item in _every_stimulus()}
        if kind not in kinds:
            raise QueryError(f"The battery has no {kind!r}.{did_you_mean(kind, kinds)}")
        return np.array([i for i, item in enumerate(self.stimuli) if item.kind == kind], np.intp)

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a parameter of every stimulus, NaN for those that do not have it.

        Raises
        ------
        QueryError
            No stimulus has such a parameter, or it is no number.

        Examples
        --------
        >>> shown = battery()
        >>> np.unique(shown.values("wavelength")[shown.of_kind("grating")])
        array([ 4.,  8., 16., 32., 64.])
        """
        numbers = {
            key
            for item in _every_stimulus()
            for key, value in item.parameters.items()
            if isinstance(value, float)
        }
        if name not in numbers:
            raise QueryError(
                f"No stimulus has a number called {name!r}.{did_you_mean(name, numbers)}"
            )
        return np.array([item.parameters.get(name, np.nan) for item in self.stimuli], np.float64)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {item.id: place for place, item in enumerate(self.stimuli)}


@lru_cache(maxsize=16)
def battery(*, channels: int = 3, extent: int | None = None) -> Battery:
    """Return the battery that images of some kind can show.

    Ids and images do not depend on what is left out: two models can be compared by the stimuli
    that both were shown.

    Parameters
    ----------
    channels
        3, or 1: then coloured stimuli are left out.
    extent
        Smaller side of the images in pixels. Stimuli whose
        :attr:`~circuitkb.observation.stimuli.stimulus.Stimulus.span` is larger are left out, with
        all their mirror images and rotations.

    Raises
    ------
    ObservationError
        Another number of channels, or an extent that holds no pixel.

    Examples
    --------
    >>> len(battery()), len(battery(channels=1)), len(battery(extent=32))
    (1165, 1045, 903)
    >>> battery(channels=4)
    Traceback (most recent call last):
    circuitkb.schema.errors.ObservationError: The battery has images of 1 channel (grey) or 3 ...
    """
    if channels not in (1, 3):
        raise ObservationError(
            "The battery has images of 1 channel (grey) or 3 (red, green, blue): it cannot be "
            f"shown to a network that reads {channels}."
        )
    if extent is not None and extent < 1:
        raise ObservationError(f"Images of {extent} pixels show nothing: give at least 1.")
    shown = (
        item
        for item in _every_stimulus()
        if (channels == 3 or not item.coloured) and (extent is None or item.span <= extent)
    )
    return Battery(NAME, tuple(shown), channels)


def _indices(which: Sequence[int] | NDArray[np.generic]) -> NDArray[np.generic]:
    """Return places as an array; a mask stays one."""
    return np.asarray(which) if len(which) else np.empty(0, np.intp)


@lru_cache(maxsize=1)
def _every_stimulus() -> tuple[Stimulus, ...]:
    return tuple(origin.base.transformed(origin.by) for origin in _origins().values())


@lru_cache(maxsize=1)
def _origins() -> dict[str, _Origin]:
    """Return by id how each stimulus is drawn, in the order of the battery.

    Stimuli that are images of themselves come out of several symmetries: the first one counts.
    """
    origins: dict[str, _Origin] = {}
    for base in base_stimuli():
        for by in SYMMETRIES.values():
            origins.setdefault(base.transformed(by).id, _Origin(base, by))
    return origins
