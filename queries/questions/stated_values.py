"""The labels, numbers and angles that a sentence states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from circuitkb.queries.questions.label_index import forms_of
from circuitkb.queries.questions.mentions import Names
from circuitkb.queries.questions.parameters import Parameter
from circuitkb.queries.questions.vocabulary import FILLERS, PREPOSITIONS
from circuitkb.queries.questions.words import is_plain, words

_ANGLE = re.compile(
    r"(?<![\w.])(?P<number>[0-9]{1,3}(?:\.[0-9]+)?)\s*(?:°|deg(?:rees?)?\b)"
    r"|\borientations? (?:of )?(?P<bare>[0-9]{1,3}(?:\.[0-9]+)?)(?!\w|\.[0-9]|:|\s*(?:°|deg))"
    r"|\b(?P<word>horizontal(?:ly)?|vertical(?:ly)?)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)|“([^”]+)”")
_NAMED = re.compile(
    r"\b(?:labell?ed|called|named|tagged|annotated|(?:the|a) label)(?: as| with| is)? ([^?.!,{}]+)",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?:labell?ed|called|named|tagged|annotated|filed|labels?)(?: as| with| is| under)?\s+$",
    re.IGNORECASE,
)
_NUMBERS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "fifty": 50,
    "hundred": 100,
}
_INTEGER = re.compile(
    rf"(?<![\w.:])([0-9]{{1,6}}|{'|'.join(_NUMBERS)})(?![\w:]|\.[0-9])", re.IGNORECASE
)


def is_quoting(text: str) -> bool:
    """Return whether something stands in quotes.

    Examples
    --------
    >>> is_quoting("units called 'vertical'"), is_quoting("the unit's inputs")
    (True, False)
    """
    return _QUOTED.search(text) is not None


def take_label(text: str, names: Names) -> tuple[str, str | None]:
    """Replace a label by ``{label}``; return the text and the label.

    It is what stands in quotes; else the longest run of words that a label of the knowledge base
    has, if not all of them are words of the catalogue; else a label that such a run is a slip of
    the keyboard away from; else the words that follow ``labelled``, ``called`` or ``named``.

    Examples
    --------
    >>> take_label("where are the dog heads?", Names(labels=["Oriented Dog Heads"]))
    ('where are the {label}?', 'dog heads')
    >>> take_label("where are the oriented dog haeds?", Names(labels=["Oriented Dog Heads"]))
    ('where are the {label}?', 'Oriented Dog Heads')
    """
    return names.once(("label", text), lambda: _take_label(text, names))


def take_whole_label(text: str, names: Names) -> tuple[str, str | None]:
    """Replace a label that stands in quotes, or whole: no model or layer is read out of that.

    Examples
    --------
    >>> take_whole_label("units called mixed4a curves", Names(labels=["mixed4a curves"]))
    ('units called {label}', 'mixed4a curves')
    """
    return names.once(("whole label", text), lambda: _take_whole_label(text, names))


def _take_whole_label(text: str, names: Names) -> tuple[str, str | None]:
    quoted = _QUOTED.search(text)
    if quoted:
        label = next(group for group in quoted.groups() if group)
        return text[: quoted.start()] + "{label}" + text[quoted.end() :], label
    for start, end, plain in _runs(text):
        # "Other Units" is a label, and "other units" mostly is none.
        if plain and not (_CUE.search(text[:start]) or text[start:end] in names.labels):
            continue
        for label in forms_of(text[start:end]):
            if names.label_index.is_whole(label):
                return text[:start] + "{label}" + text[end:], text[start:end]
    return text, None


def _take_label(text: str, names: Names) -> tuple[str, str | None]:
    index = names.label_index
    for start, end, plain in _runs(text):
        ends = {text[start:end].split()[0].lower(), text[start:end].split()[-1].lower()}
        if plain or not FILLERS.isdisjoint(ends):
            continue
        for label in forms_of(text[start:end]):
            if index.holds(label):
                return text[:start] + "{label}" + text[end:], label
        near = index.nearest(text[start:end])
        if near is not None:
            return text[:start] + "{label}" + text[end:], near
    for named in _NAMED.finditer(text):
        run = re.match(r"(?:(?:the|an?) )?", named[1], re.IGNORECASE)
        start = end = named.start(1) + (run.end() if run else 0)
        for token in re.finditer(r"\S+", text[start : named.end(1)]):
            if token[0].lower() in PREPOSITIONS or is_plain(token[0]):
                break
            end = start + token.end()
        if end > start:
            return text[:start] + "{label}" + text[end:], text[start:end]
    return text, None


def _runs(text: str) -> Iterable[tuple[int, int, bool]]:
    """Give runs of one to six words, long ones first, and whether the catalogue has them all."""
    tokens = list(re.finditer(r"\{\w+\}|[\w/\-]*\w", text))
    for length in range(6, 0, -1):
        for place in range(len(tokens) - length + 1):
            run = tokens[place : place + length]
            if "{" not in text[run[0].start() : run[-1].end()]:
                yield run[0].start(), run[-1].end(), all(is_plain(token[0]) for token in run)


def take_integer(text: str, cues: Sequence[str]) -> tuple[str, int | None]:
    """Replace a number next to a word among ``cues`` (common forms); return text and number.

    Examples
    --------
    >>> take_integer("the 5 strongest inputs", ["strong"])
    ('the {integer} strongest inputs', 5)
    >>> take_integer("the ten strongest inputs", ["strong"])
    ('the {integer} strongest inputs', 10)
    """
    for match in _INTEGER.finditer(text):
        before = words(" ".join(re.split(r"[\s-]+", text[: match.start()].rstrip(" -"))[-1:]))
        after = words(" ".join(text[match.end() :].split(maxsplit=2)[:2]))
        if set(before + after) & set(cues):
            value = _NUMBERS.get(match[1].lower()) or int(match[1])
            return text[: match.start()] + "{integer}" + text[match.end() :], value
    return text, None


def take_angle(text: str) -> tuple[str, float | None]:
    """Replace an angle in degrees by ``{angle}``; return text and angle.

    Examples
    --------
    >>> take_angle("unions of detectors at 45 degrees")
    ('unions of detectors at {angle}', 45.0)
    >>> take_angle("units tuned to vertical lines")
    ('units tuned to {angle} lines', 90.0)
    """
    found = _ANGLE.search(text)
    if found is None:
        return text, None
    if found["word"]:
        angle = 90.0 if found["word"].lower().startswith("vertical") else 0.0
        return text[: found.start()] + "{angle}" + text[found.end() :], angle
    if found["bare"]:
        start, end = found.span("bare")
        return text[:start] + "{angle}" + text[end:], float(found["bare"])
    return text[: found.start()] + "{angle}" + text[found.end() :], float(found["number"])


def take_choice(text: str, choice: Parameter, names: Names) -> tuple[str, str | None]:
    """Replace the words that state one of a few values by the parameter; return text and value.

    Words of other values right beside them go too: a curve detector may be called a curved line
    detector. What stands in quotes or in a longer label, or is said to be a label, states nothing.

    Examples
    --------
    >>> cases = Parameter("cases", "choice", "", choices=(("curve", "curves?"), ("line", "lines?")))
    >>> take_choice("unions of curve detectors", cases, Names())
    ('unions of {cases} detectors', 'curve')
    >>> take_choice("unions of Curve circles", cases, Names(labels=["curve circles"]))
    ('unions of Curve circles', None)
    """
    return names.once(("choice", choice.name, text), lambda: _take_choice(text, choice, names))


def _take_choice(text: str, choice: Parameter, names: Names) -> tuple[str, str | None]:
    if is_quoting(text):
        return text, None
    every = "|".join(pattern for _, pattern in choice.choices)
    for value, pattern in choice.choices:
        for found in re.finditer(rf"(?<![\w{{])(?:{pattern})(?![\w}}])", text, re.IGNORECASE):
            before, after = text[: found.start()], text[found.end() :]
            runs = [" ".join([*before.split()[-1:], found[0]])]
            runs.append(" ".join([found[0], *after.split()[:1]]))
            longer = any(run != found[0] and names.label_index.holds(run) for run in runs)
            if longer or _CUE.search(before):
                continue
            before = re.sub(rf"(?<![\w{{])(?:(?:{every})[ -])+$", "", before, flags=re.IGNORECASE)
            after = re.sub(rf"^(?:[ -](?:{every})(?![\w}}]))+", "", after, flags=re.IGNORECASE)
            return f"{before}{{{choice.name}}}{after}", value
    return text, None


_LINES = re.compile(
    r"\{angle\} (?:lines?|edges?|bars?|gratings?)\b"
    r"|\b(?:lines?|edges?|bars?|gratings?) (?:at|of|near|around|with) (?:an? )?\{angle\}",
    re.IGNORECASE,
)


def swallow_lines(text: str) -> str:
    """Leave out the lines that an angle is one of, which are no label.

    Examples
    --------
    >>> swallow_lines("unions that prefer lines at {angle}")
    'unions that prefer {angle}'
    """
    return _LINES.sub("{angle}", text)


_TITLE = re.compile(
    r"(?P<label>(?:[\w/\-]+\s){1,4})(?:detectors?|units?|neurons?|channels?|features?)\s\{feature\}"
)


def swallow_title(text: str, names: Names) -> str:
    """Leave out what a feature is called right before it is named.

    Examples
    --------
    >>> swallow_title("inputs of the curve detector {feature}", Names(labels=["Curves"]))
    'inputs of the {feature}'
    """
    for title in _TITLE.finditer(text):
        words_of = title["label"].split()
        for place in range(len(words_of)):
            label = " ".join(words_of[place:])
            if names.label_index.holds(label) and not is_plain(label):
                before = " ".join(["", *words_of[:place], ""]).lstrip()
                return text[: title.start()] + before + "{feature}" + text[title.end() :]
    return text
