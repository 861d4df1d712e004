"""The features that a sentence names, in the ways that people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from circuitkb.queries.questions.mentions import Names, take_models
from circuitkb.queries.questions.vocabulary import COMMON
from circuitkb.schema.errors import UnknownQuestionError

_ID = re.compile(r"(?<!\S)[\"'(]?([a-z0-9][a-z0-9._-]*+/[^\s@]+?(?:@[^\s:]+)?:[0-9]+)(?!\w)")
_UNIT = r"(?:units?|neurons?|channels?|features?|nodes?|cells?)"
_SIGN = r"(?:(?:number|no\.?)\s*)?#?"
_NUMBER = re.compile(r"(?:(?<![\w.\-])|(?<=[:/#\[]))[0-9]+(?!\w|\.[0-9]|\s*(?:°|deg))")
_JOINED = re.compile(r"\s*[:#/\[]$")
_BESIDE = re.compile(rf"(?:'s)?,?\s+\(?(?P<said>{_UNIT}\s+)?{_SIGN}$", re.IGNORECASE)
_UNIT_BEFORE = re.compile(rf"\b{_UNIT}\s+{_SIGN}$", re.IGNORECASE)
_OF_LAYER = re.compile(
    r"\)?\s*(?:,|\(|\b(?:of|in|from|at)\b)\s*(?:the\s+)?(?:layer\s+)?", re.IGNORECASE
)
_LAYER_BEFORE = re.compile(r"\b(?:the\s+)?layer\s+$", re.IGNORECASE)
_ALSO = re.compile(r"\]?\s*(?:,|and|&|or|vs\.?|versus|to|with)\s+#?([0-9]+)(?!\w|\.[0-9]|:|\s*°)")
_LAST_WORDS = re.compile(r"(?:[\w.\-/]*\w\s+){0,2}[\w.\-/]*\w$")
_FIRST_WORDS = re.compile(r"[\w.\-/]*\w(?:\s+[\w.\-/]*\w){0,2}")

# A number before one of these counts them, and is no unit: "mixed4a 5 strongest".
_COUNTED = {"strong", "first", "input", "output", "feature", "model", "layer", "circuit", "inhibit"}


@dataclass(frozen=True)
class _Mention:
    """Where a layer with units of it stands: the stretch of text, and where its numbers do."""

    layer: str
    numbers: tuple[re.Match[str], ...]
    start: int
    stop: int


def take_features(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each feature by ``{feature}``; return the text and the ids.

    ``mixed4b:418``, ``4b 418``, ``unit 418 of mixed4b`` and ``block 3 unit 12`` are read where one
    layer fits, of all or of those of the models that the sentence names.

    Raises
    ------
    UnknownQuestionError
        Several models or layers fit.

    Examples
    --------
    >>> names = Names(["inceptionv1"], {"inceptionv1": ["mixed4a", "mixed4b"]})
    >>> take_features("inputs of unit 418 of mixed4b?", names)
    ('inputs of {feature}?', ['inceptionv1/mixed4b:418'])
    >>> take_features("do 4a 308 and 222 meet?", names)
    ('do {feature} and {feature} meet?', ['inceptionv1/mixed4a:308', 'inceptionv1/mixed4a:222'])
    """
    return names.once(("features", text), lambda: _take_features(text, names))


def _take_features(text: str, names: Names) -> tuple[str, list[str]]:
    pieces: list[str] = []
    found: list[str] = []
    end = 0
    for mention in _mentions(text, names):
        pieces += [text[end : mention.start], "{feature}"]
        place = mention.numbers[0].end()
        for number in mention.numbers[1:]:
            pieces += [text[place : number.start(1)], "{feature}"]
            place = number.end()
        found += [f"{mention.layer}:{int(_digits(number))}" for number in mention.numbers]
        end = mention.stop
    return "".join([*pieces, text[end:]]), found


def _mentions(text: str, names: Names) -> Iterator[_Mention]:
    whole = list(_ID.finditer(text))
    end = 0
    for number in _NUMBER.finditer(text):
        if number.start() < end:
            continue
        mention = (
            _whole(text, number, whole, names)
            or _beside(text, number, end, names)
            or _of_layer(text, number, names)
        )
        if mention is not None and mention.start >= end:
            yield mention
            end = mention.stop


def _whole(
    text: str, number: re.Match[str], whole: Sequence[re.Match[str]], names: Names
) -> _Mention | None:
    """Read ``model/layer:unit``, where a part of the model's name will do."""
    found = next((one for one in whole if one.start() <= number.start() < one.end()), None)
    if found is None:
        return None
    last = next(iter(re.finditer(r"[0-9]+$", found[1])))
    model, _, layer = found[1][: last.start() - 1].partition("/")
    called = names.place_index.models_called(model)
    if model not in names.models and len(called) == 1:
        model = called[0]
    at = re.compile(r"[0-9]+").fullmatch(text, found.start(1) + last.start(), found.end(1))
    return _Mention(f"{model}/{layer}", (at or number,), found.start(1), found.end())


def _beside(text: str, number: re.Match[str], end: int, names: Names) -> _Mention | None:
    """Read ``mixed4a:55``, ``mixed4a 55``, ``block 3, unit 12``."""
    before = text[end : number.start()]
    between = _BESIDE.search(before)
    joined = None if between else _JOINED.search(before)
    between = between or joined
    if between is None or (not joined and _counts(text[number.end() :], {"strong"})):
        return None
    run = _LAST_WORDS.search(before[: between.start()])
    if run is None:
        return None
    said_unit = joined is not None or between["said"] is not None
    for written in _shorter(run[0]):
        layer = _layer(written, number[0], text, names, plain=said_unit)
        if layer is not None:
            start = end + between.start() - len(written)
            start -= len(_matched(_LAYER_BEFORE, text[end:start]))
            numbers = (number, *_further(text, number.end()))
            stop = numbers[-1].end() + (text[numbers[-1].end() :][:1] == "]")
            return _Mention(layer, numbers, start, stop)
    return None


def _of_layer(text: str, number: re.Match[str], names: Names) -> _Mention | None:
    """Read ``unit 55 of mixed4a`` and ``units 55 and 56 in 4a``."""
    unit = _UNIT_BEFORE.search(text[: number.start()])
    if unit is None:
        return None
    numbers = (number, *_further(text, number.end()))
    of = _OF_LAYER.match(text, numbers[-1].end())
    run = _FIRST_WORDS.match(text, of.end()) if of else None
    if run is None:
        return None
    for written in _shorter(run[0], from_start=True):
        layer = _layer(written, number[0], text, names, plain=True)
        if layer is not None:
            return _Mention(layer, numbers, unit.start(), run.start() + len(written))
    return None


def _further(text: str, place: int) -> Iterator[re.Match[str]]:
    """Give further units of the same layer: the 222 of ``4a 308 and 222``."""
    while (also := _ALSO.match(text, place)) and not _counts(text[also.end() :], _COUNTED):
        yield also
        place = also.end()


def _digits(number: re.Match[str]) -> str:
    return number[number.lastindex or 0]


def _counts(after: str, counted: set[str]) -> bool:
    word = re.match(r"\s+(\w+)", after)
    return word is not None and COMMON.get(word[1].lower()) in counted


def _matched(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[0] if found else ""


def _shorter(run: str, *, from_start: bool = False) -> Iterator[str]:
    """Give a run of words, and ever shorter ones of it."""
    words = list(re.finditer(r"\S+", run))
    for count in range(len(words), 0, -1):
        yield run[: words[count - 1].end()] if from_start else run[words[-count].start() :]


def _layer(written: str, unit: str, text: str, names: Names, *, plain: bool) -> str | None:
    """Return ``model/layer``; a name without a digit counts where ``plain`` says it is one."""
    if len(written) < 2 and not names.place_index.has_layer(written):
        return None
    if not plain and not re.search(r"[\d._]", written):
        return None
    places = names.place_index.layers_called(written)
    said = take_models(text, names)[1]
    fits = [f"{m}/{y}" for m, y in places if m in said] or [f"{m}/{y}" for m, y in places]
    if len(fits) > 1:
        shown = ", ".join(f"{fit}:{unit:.20}" for fit in fits[:4])
        raise UnknownQuestionError(f"{written:.80}:{unit:.20} may be {shown}: write which.")
    return fits[0] if fits else None
