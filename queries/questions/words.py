"""Words of a sentence, brought to the forms that the catalogue's sentences use.

Different words for one thing become one word (``merging``, ``joined`` and ``unions`` are
``union``), and words that say nothing are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from circuitkb.queries.questions.vocabulary import COMMON, FILLERS

_WORD = re.compile(r"\{\w+\}|[^\W_]+(?:[_.][^\W_]+)*")

_PHRASES = (
    (re.compile(r"\bleft[ -]?out\b"), "left_out"),
    (re.compile(r"\bleaves? out\b"), "left_out"),
    (re.compile(r"\b(?:not|doesn't|isn't) (?:yet )?(?:kept|keep|include[ds]?)\b"), "left_out"),
    (re.compile(r"\b(?:not|isn't) (?:yet )?(?:explained|accounted for)\b"), "unexplained"),
    (re.compile(r"\bmore than one\b"), "several"),
    (re.compile(r"\bat least two\b"), "several"),
    (re.compile(r"\bmirror[ -]images?\b"), "mirror"),
    (re.compile(r"\b(?:not|isn't|aren't) un(?=label|tag|annot|named)"), "not_not "),
    (re.compile(r"\}'s\b"), "}"),
    (re.compile(r"\b(?:is|are|gets?) (inhibited|suppressed|excited) by\b"), r"\1 by_it"),
    (re.compile(r"\b(inhibited|suppressed|excited) by\b(?! which)"), r"\1 by_it"),
    # "X takes its input from" asks for inputs; "takes its input from X" for what X goes to.
    (re.compile(r"\binputs? from (?=[\w{])"), "as_input "),
    (re.compile(r"\bas (?:an? |one of (?:its|their) )?inputs?\b"), "as_input"),
    (re.compile(r"\b(left|right)[ -](?:ward|hand|facing)\b"), r"\1"),
)
_NAME = re.compile(r"[^\d_.{}]*[\d_.{}].*", re.DOTALL)


def words(sentence: str) -> list[str]:
    """Return the words that carry meaning, in order, each in its common form.

    Examples
    --------
    >>> words("Find all circuits unioning left/right orientation detectors across models")
    ['circuit', 'union', 'left', 'right', 'orientation', 'detect', 'model']
    >>> words("circuits that do not merge the two")
    ['circuit', 'not', 'union', 'several']
    """
    return list(_words(sentence))


@lru_cache(maxsize=4096)
def _words(sentence: str) -> tuple[str, ...]:
    text = sentence.lower().replace("’", "'")
    for pattern, plain in _PHRASES:
        text = pattern.sub(plain, text)
    found = [COMMON.get(word, word) for word in _WORD.findall(text)]
    return tuple(word for word in found if word not in FILLERS)


def is_plain(word: str) -> bool:
    """Whether a word is a filler or one of the catalogue's own, so that no label is made of it.

    Examples
    --------
    >>> is_plain("the"), is_plain("detectors"), is_plain("curves")
    (True, True, False)
    """
    return word.lower() in FILLERS or word.lower() in COMMON


def correct(asked: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return the words with slips of the keyboard set right, where that is beyond doubt.

    A word of five letters or more that nobody knows becomes the common form it is one slip away
    from (two from nine letters on) and whose first letter it has: ``explained`` is not
    ``unexplained``. Names (with digits, dots or underscores) are left alone.

    Examples
    --------
    >>> correct(["cirucits", "weather"], ["circuit", "union"])
    ['circuit', 'weather']
    """
    wanted = set(known)
    forms: defaultdict[str, list[str]] = defaultdict(list)
    for form in [form for form, word in COMMON.items() if word in wanted] + sorted(wanted):
        forms[form[0]].append(form)
    done: dict[str, str] = {}
    for word in asked:
        if word in done:
            continue
        done[word] = word
        if word in wanted or len(word) < 5 or _NAME.fullmatch(word):
            continue
        slips = 1 if len(word) < 9 else 2
        near = process.extractOne(
            word, forms[word[0]], scorer=DamerauLevenshtein.distance, score_cutoff=slips
        )
        if near:
            done[word] = COMMON.get(near[0], near[0])
    return [done[word] for word in asked]
