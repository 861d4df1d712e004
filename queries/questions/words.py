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

from circuitkb.queries.questions.vocabulary import COMMON, FILLERS, NARROWING, ORDERS, PREPOSITIONS

_WORD = re.compile(r"\{\w+\}|[^\W_]+(?:[_.][^\W_]+)*")

_PHRASES = (
    (re.compile(r"\bleft[ -]?out\b"), "left_out"),
    (re.compile(r"\bleaves? out\b"), "left_out"),
    (re.compile(r"\b(?:not|doesn't|isn't) (?:yet )?(?:kept|keep|include[ds]?)\b"), "left_out"),
    (re.compile(r"\b(?:not|isn't) (?:yet )?(?:explained|accounted for)\b"), "unexplained"),
    (re.compile(r"\bmore than one\b"), "several"),
    (re.compile(r"\b(?:two|one) or more\b"), "several"),
    (
        re.compile(r"\bboth (?:of )?(?:the |these |my |our )?(models|networks|nets)\b"),
        r"several \1",
    ),
    (re.compile(r"\bnumber of\b"), "how many"),
    (re.compile(r"\b(?:show|turn)s? up\b"), "appear"),
    (re.compile(r"\bso far\b"), ""),
    (re.compile(r"\bout[ -]of[ -]date\b"), "outdated"),
    (re.compile(r"\bbacks? up\b"), "confirm"),
    (re.compile(r"\b(?:by|per|each|every|of each) (?:motif|kind|type)s?\b"), "kind"),
    (re.compile(r"\bmirror(?:ed)? inputs?\b"), "mirror"),
    (re.compile(r"\bmirror(?:ed)?[- ]targets?\b"), "mirror wiring"),
    (re.compile(r"\bgets? (?:from \{feature\} )?to(?= \{)"), "reach"),
    # "what X reads from" are its inputs, and "what reads from X" its outputs.
    (re.compile(r"\}((?: both)?) (?:reads?|draws?)(?: inputs?)? from(?! [\w{])"), r"}\1 input"),
    (re.compile(r"\bat least two\b"), "several"),
    (re.compile(r"\bmirror[ -]images?\b"), "mirror"),
    (re.compile(r"\b(?:not|isn't|aren't) un(?=label|tag|annot|named)"), "not_not "),
    (re.compile(r"\}'s\b"), "}"),
    (re.compile(r"\b(?:is|are|gets?) (inhibited|suppressed|excited|activated) by\b"), r"\1 by_it"),
    (re.compile(r"\b(inhibited|suppressed|excited|activated) by\b(?! which)"), r"\1 by_it"),
    # "X takes its input from" asks for inputs; "takes its input from X" for what X goes to.
    (re.compile(r"\binputs? from (?=[\w{])"), "as_input "),
    (re.compile(r"\bas (?:an? |one of (?:its|their) )?inputs?\b"), "as_input"),
    (re.compile(r"\b(left|right)[ -](?:ward|hand|facing)\b"), r"\1"),
)
_MEANINGS = frozenset(COMMON.values())
_ENDS = frozenset("that which who what is are was were do does did have has".split())  # noqa: SIM905
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
    found = [COMMON.get(word, word) for word in _WORD.findall(_plain(sentence))]
    return tuple(word for word in found if word not in FILLERS)


def _plain(sentence: str) -> str:
    text = sentence.lower().replace("’", "'")
    for pattern, plain in _PHRASES:
        text = pattern.sub(plain, text)
    return text


@lru_cache(maxsize=4096)
def narrowing(sentence: str) -> frozenset[str]:
    """Return the words that stand after a preposition, or begin the sentence as what it orders.

    They narrow what is asked, or are what is asked: to leave one out would ask for something else.

    Examples
    --------
    >>> sorted(narrowing("ablate hubs in resnet and vgg that matter"))
    ['ablate', 'resnet', 'vgg']
    """
    raw = _WORD.findall(_plain(sentence))
    found = set()
    inside = was_inside = False
    for place, word in enumerate(raw):
        common = COMMON.get(word, word)
        if word in PREPOSITIONS:
            inside = True
        elif word in ("and", "or"):
            inside = was_inside
        elif word in COMMON or word.startswith("{"):
            inside, was_inside = False, inside
        elif word in _ENDS:
            inside = was_inside = False
        elif word not in FILLERS and (inside or place == 0):
            found.add(common)
            was_inside = inside
    return frozenset(found)


def order(sentence: str) -> tuple[str, ...]:
    """Return the first word, if it orders that something be done: no question does that.

    Examples
    --------
    >>> order("Excite mixed4b:418"), order("excitatory inputs")
    (('excite',), ())
    """
    return tuple(word for word in _WORD.findall(_plain(sentence))[:1] if word in ORDERS)


def rules_out(word: str) -> bool:
    """Return whether a word that a question does not know means that another thing is asked.

    It is a value, a word of another question, a name, or one that turns or bounds the answer.

    Examples
    --------
    >>> rules_out("not"), rules_out("resnet50"), rules_out("circuit"), rules_out("polysemous")
    (True, True, True, False)
    """
    return word in _MEANINGS or word in NARROWING or _NAME.fullmatch(word) is not None


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
    from (two from ten letters on) and whose first letter it has: ``explained`` is not
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
        slips = 1 if len(word) < 10 else 2
        near = process.extractOne(
            word, forms[word[0]], scorer=DamerauLevenshtein.distance, score_cutoff=slips
        )
        if near:
            done[word] = COMMON.get(near[0], near[0])
    return [done[word] for word in asked]
