"""Labels that read alike: for people to declare one concept, or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ALIKE = 90.0
"""Likeness (rapidfuzz ratio, of 100) from which two labels are suggested to be one concept."""

SUGGESTED = 500
"""Pairs given at most, the most alike first."""

_AT_ONCE = 256  # labels compared with all others in one call


def alike(rows: Sequence[tuple[Any, ...]]) -> tuple[list[tuple[int, int, float]], int]:
    """Return the pairs of rows most alike, with their likeness, and how many there are in all.

    A row is id, text, concept and count; two rows that both have a concept are no pair.

    The order is that of the likeness, then of how often both are used, then of the rows. Only the
    best are kept on the way: numbered labels are all alike, and their pairs fill no memory.
    """
    import numpy as np
    from rapidfuzz import fuzz, process

    plain = [_plain(row[1]) for row in rows]
    used = np.array([row[3] for row in rows], dtype=np.int64)
    open_ = np.array([row[2] is None for row in rows], dtype=bool)
    best = np.empty((0, 4))
    count = 0
    for start in range(0, len(rows), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(rows))
        scores = process.cdist(
            plain[start:stop], plain[start:], scorer=fuzz.ratio, score_cutoff=ALIKE
        )
        scores[~(open_[start:stop, None] | open_[None, start:])] = 0
        i, j = np.nonzero(np.triu(scores, 1))
        count += len(i)
        one, two = i + start, j + start
        new = np.column_stack((scores[i, j], used[one] + used[two], one, two))
        best = np.concatenate((best, new))
        order = np.lexsort((best[:, 3], best[:, 2], -best[:, 1], -best[:, 0]))
        best = best[order[:SUGGESTED]]
    return [(int(i), int(j), round(score, 1)) for score, _, i, j in best.tolist()], count


def _plain(text: str) -> str:
    """Return a label in lower case with words apart, plurals cut.

    Examples
    --------
    >>> _plain("High-Low Frequencies") == _plain("high low frequency"), _plain("glass")
    (True, 'glass')
    """
    words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
    return " ".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word.removesuffix("ies") + "y"
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        return word.removesuffix("s")
    return word


def reason(one: str, two: str) -> str:
    """Return what tells two texts apart.

    Examples
    --------
    >>> reason("Curve", "curve"), reason("curve", "curves")
    ('differ in case', 'differ in case, hyphens or plural')
    """
    if one == two:
        return "the same text in two vocabularies"
    if one.casefold() == two.casefold():
        return "differ in case"
    if _plain(one) == _plain(two):
        return "differ in case, hyphens or plural"
    return "few letters differ"
