"""What a file may ask for: held before anything takes the memory or the time."""

from __future__ import annotations

import math
from collections.abc import Sequence

LARGEST_IMAGE = 2**24
"""Values of an image: 3 channels of 2,300 by 2,300 pixels."""

LARGEST_TENSOR = 2**28
"""Values of a tensor that a network makes of one image: 1 GB."""

LONGEST_AXIS = 2**24
"""Places along one axis of such a tensor."""


def check_size(shape: Sequence[int]) -> None:
    """Refuse a tensor before it takes the memory.

    Raises
    ------
    ValueError
        It is too large, or a size is negative.

    Examples
    --------
    >>> check_size([1, 64, 1000, 1000])
    >>> check_size([10**6, 10**6])
    Traceback (most recent call last):
    ...
    ValueError: it makes a tensor of 1,000,000,000,000 values, more than 268,435,456
    """
    if min(shape, default=0) < 0:
        raise ValueError(f"it makes a tensor of the size {'x'.join(map(str, shape))}")
    if math.prod(shape) > LARGEST_TENSOR or max(shape, default=0) > LONGEST_AXIS:
        raise ValueError(
            f"it makes a tensor of {math.prod(shape):,} values, more than {LARGEST_TENSOR:,}"
        )
