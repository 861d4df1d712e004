"""Intervals of shares that are counted."""

from __future__ import annotations

CONFIDENCE = 0.95

Interval = tuple[float, float] | tuple[None, None]


def share_of(some: int, of: int) -> Interval:
    """Return the exact interval of a share (Clopper and Pearson 1934); None where of nothing.

    Examples
    --------
    >>> low, high = share_of(0, 10)
    >>> low, round(high, 4) == round(1 - 0.025 ** (1 / 10), 4)
    (0.0, True)
    >>> share_of(0, 0)
    (None, None)
    """
    from scipy.stats import binomtest

    if not of:
        return None, None
    found = binomtest(some, of).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)


def f1_of(right: int, wrong: int, missed: int) -> tuple[float | None, float | None, float | None]:
    """Return F1 and its interval: F1 is 2 s / (1 + s) of the share s of right among all three.

    Examples
    --------
    >>> round(f1_of(6, 2, 2)[0], 3)
    0.75
    """
    among = right + wrong + missed
    if not among:
        return None, None, None
    shares = right / among, *share_of(right, among)
    f1, low, high = (2 * float(share or 0) / (1 + float(share or 0)) for share in shares)
    return f1, low, high
