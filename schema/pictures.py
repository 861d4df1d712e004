"""Pictures beside the graph: images, and numbers about them, made once and kept under a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import IdError, NotFoundError
from circuitkb.schema.ids import check_slug

_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,300}")

PICTURE_TYPES = ("uint8", "int32", "int64", "float16", "float32", "float64")
"""Types of the arrays."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """One batch of pictures that are about one model.

    Attributes
    ----------
    key
        ``MODEL/NAME``, under which a store gives it; another batch under the same key takes its
        place.
    about
        What they are and how they were made, as JSON can hold it.
    arrays
        Images and numbers by name, each of one axis or more and one of :data:`PICTURE_TYPES`. An
        encoded image, a PNG for instance, is its bytes as ``uint8``.

    Examples
    --------
    >>> batch = Pictures("net/dogs", {"of": "dogs"}, {"1.png": encoded(b"...")})
    >>> batch.model, batch.image("1.png")
    ('net', b'...')
    """

    key: str
    about: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        model, _, name = self.key.partition("/")
        check_slug(model)
        if not _NAME.fullmatch(name):
            raise IdError(f"{self.key[:400]!r} is no key of pictures: MODEL/NAME, without spaces.")

    @property
    def model(self) -> str:
        """The model that they are about."""
        return model_of(self.key)

    def image(self, name: str) -> bytes:
        """Return the bytes of an encoded image.

        Raises
        ------
        NotFoundError
            There is none of that name.
        """
        if name not in self.arrays:
            raise NotFoundError(f"There is no picture {name!r} in {self.key}.")
        return self.arrays[name].tobytes()


def encoded(image: bytes) -> NDArray[np.uint8]:
    """Return an encoded image as an array of its bytes."""
    return np.frombuffer(image, np.uint8)


def model_of(key: str) -> str:
    """Return which model something beside the graph is about, by its key.

    Examples
    --------
    >>> model_of("inceptionv1/dogs"), model_of("inceptionv1")
    ('inceptionv1', 'inceptionv1')
    """
    return key.partition("/")[0]
