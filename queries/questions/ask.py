"""From a sentence to a question of the catalogue, or to an honest refusal.

A question is chosen only where every word of the sentence is understood: each is a parameter, a
word that the question knows, or one that says nothing. A single word beyond that (``weather``,
``not``, the name of a model that was never loaded) means that the sentence asks for something
else, and nothing runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rapidfuzz.distance import Indel

from circuitkb.queries.questions.catalogue import Question, questions
from circuitkb.queries.questions.mentions import (
    Names,
    take_angle,
    take_features,
    take_integer,
    take_label,
    take_layers,
    take_models,
)
from circuitkb.queries.questions.words import correct, words
from circuitkb.schema.errors import UnknownQuestionError

LEAST = 0.4
"""How near the order of words must come to one of the question's sentences, from 0 to 1."""

MOST_CHARACTERS = 1_000
"""Of a sentence."""

MARGIN = 0.08
"""How much nearer it must be than to the next question."""


@dataclass(frozen=True)
class Choice:
    """A question and the parameters that the sentence gave."""

    question: Question
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class _Reading:
    """A sentence read as one question: what fits and what does not."""

    question: Question
    parameters: Mapping[str, Any]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    lacks_need: bool
    nearness: float

    @property
    def fits(self) -> bool:
        return not (self.unknown or self.missing or self.lacks_need) and self.nearness >= LEAST


def pick(
    asked: str,
    names: Callable[[], Names] = Names,
    *,
    given: Collection[str] = (),
    among: Sequence[Question] | None = None,
) -> Choice:
    """Return the question that ``asked`` names or asks, with the parameters it states.

    Parameters
    ----------
    asked
        The name of a question, or a sentence.
    names
        Called for what the knowledge base holds, if ``asked`` is a sentence: models, features and
        labels are read off against it.
    given
        Parameters that need not be in the sentence.
    among
        Questions to choose from; the catalogue if not given.

    Raises
    ------
    UnknownQuestionError
        None fits, or several do; the message names the nearest three. Nothing is guessed.

    Examples
    --------
    >>> sentence = "find all circuits unioning left/right orientation detectors across models"
    >>> pick(sentence).question.name
    'union'
    >>> pick("what is the weather like?")
    Traceback (most recent call last):
    circuitkb.schema.errors.UnknownQuestionError: No question here fits 'what is the ...
    """
    if not isinstance(asked, str):
        raise UnknownQuestionError(f"A question is text, not a {type(asked).__name__}.")
    if len(asked) > MOST_CHARACTERS:
        raise UnknownQuestionError(
            f"The question has {len(asked):,} characters; {MOST_CHARACTERS:,} are the most."
        )
    among = questions() if among is None else among
    for question in among:
        if question.name == asked.strip():
            return Choice(question, {})
    known = names()
    readings = sorted(
        (_read(asked, question, known, given) for question in among),
        key=lambda reading: (not reading.fits, -reading.nearness, reading.question.name),
    )
    fitting = [reading for reading in readings if reading.fits]
    if not fitting:
        raise UnknownQuestionError(_nothing_fits(asked, readings))
    if len(fitting) > 1 and fitting[0].nearness - fitting[1].nearness < MARGIN:
        several = " or ".join(repr(reading.question.name) for reading in fitting[:3])
        raise UnknownQuestionError(f"{_quote(asked)} may ask {several}: say which by its name.")
    return Choice(fitting[0].question, fitting[0].parameters)


def _read(asked: str, question: Question, names: Names, given: Collection[str]) -> _Reading:
    text, features = names.once(("features", asked), lambda: take_features(asked, names))
    parameters: dict[str, Any] = {}
    missing = []
    unread = list(features)
    for p in question.parameters.values():
        value: Any = None
        if p.type == "feature" and unread:
            value = unread.pop(0)
        elif p.type == "label":
            text, value = take_label(text, names)
        elif p.type == "integer":
            key = ("integer", text, *p.cues)
            text, value = names.once(key, partial(take_integer, text, p.cues))
        elif p.type == "angle":
            text, value = take_angle(text)
        elif p.type == "layers":
            text, layers = take_layers(text, names)
            value = layers or None
        if value is not None:
            parameters[p.name] = value
        elif p.required and p.name not in given:
            missing.append(p.name)
    if unread and len(unread) < len(features):
        several = len(features) - len(unread) > 1
        missing.append("only two features" if several else "only one feature")
    text, models = take_models(text, names)
    models_parameter = next((p for p in question.parameters.values() if p.type == "models"), None)
    takes = {p.type for p in question.parameters.values()}
    if models and models_parameter:
        parameters[models_parameter.name] = models
    elif models and "feature" in takes and features and features[0].split("/")[0] in models:
        text = text.replace("{models}", "")
    found = words(text)
    known = _vocabulary(question)
    found = correct(found, known)
    allowed = known | {f"{{{kind}}}" for kind in takes}
    return _Reading(
        question,
        parameters,
        unknown=tuple(dict.fromkeys(word for word in found if word not in allowed)),
        missing=tuple(missing),
        lacks_need=not all(set(group) & set(found) for group in question.needs),
        nearness=max(
            Indel.normalized_similarity(found, words(_with_types(line, question)))
            for line in question.sentences
        ),
    )


def _vocabulary(question: Question) -> set[str]:
    known = set(question.words).union(*question.needs)
    for line in question.sentences:
        known.update(word for word in words(line) if not word.startswith("{"))
    return known


def _with_types(line: str, question: Question) -> str:
    for p in question.parameters.values():
        line = line.replace(f"{{{p.name}}}", f"{{{p.type}}}")
    return line


def _nothing_fits(asked: str, readings: Sequence[_Reading]) -> str:
    # What is wrong counts first, so that a single unknown word or parameter is what gets named.
    near = sorted(
        readings,
        key=lambda r: (
            len(r.unknown) + len(r.missing) + r.lacks_need,
            -r.nearness,
            r.question.name,
        ),
    )[:3]
    best = near[0]
    why = "."
    if best.unknown:
        are = "is" if len(best.unknown) == 1 else "are"
        shown = ", ".join(
            repr(word if len(word) <= 40 else word[:37] + "...") for word in best.unknown[:4]
        )
        why = f": {shown} {are} not understood."
    elif best.missing:
        why = f": {best.question.name!r} also needs {' and '.join(best.missing)}."
    names = "; ".join(f"{r.question.name} ({r.question.title})" for r in near)
    return f"No question here fits {_quote(asked)}{why}\nNearest: {names}."


def _quote(asked: str) -> str:
    line = " ".join(asked.split())
    return repr(line if len(line) <= 80 else line[:77] + "...")
