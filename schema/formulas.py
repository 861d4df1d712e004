"""Texts that a spreadsheet takes for a formula, also behind characters that nobody sees."""

from __future__ import annotations

import unicodedata

# Spreadsheets in East Asian languages take the wide forms for the narrow ones.
_SIGNS = frozenset("=+-@＝＋－＠﹦﹢﹣﹫−")
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_STARTS = ("\t", "\r")


ERRORS = frozenset(
    {"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
)
"""What a spreadsheet writes where a formula failed."""


def is_formula(text: str) -> bool:
    r"""Return whether a spreadsheet may take a text for a formula.

    It begins with a tab or a carriage return, or with ``= + - @`` in any width, whatever white
    space, zero-width characters, byte order marks or control characters stand before.

    Examples
    --------
    >>> [is_formula(text) for text in ("=1+1", "\u200b=1+1", "＝1", "curve = line", "\ufeffcurve")]
    [True, True, True, False, False]
    """
    if text.startswith(_STARTS):
        return True
    for character in text:
        if character in _SIGNS:
            return True
        if unicodedata.category(character) not in _UNSEEN:
            return False
    return False
