"""A sentence read as one question: the parameters that it states, and what does not fit.

A word that nobody knows lowers how well the sentence fits. A word that narrows or turns what is
asked (``not``, ``by Ada``, ``in resnet50``, ``below``), and a word or value that belongs to
another question, rules the question out: it would answer something else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rapidfuzz.distance import Indel

from circuitkb.queries.questions.catalogue import Question
from circuitkb.queries.questions.feature_mentions import take_features
from circuitkb.queries.questions.mentions import Names, take_layers, take_models
from circuitkb.queries.questions.parameters import Parameter
from circuitkb.queries.questions.stated_values import (
    is_quoting,
    swallow_lines,
    swallow_title,
    take_angle,
    take_choice,
    take_integer,
    take_label,
    take_whole_label,
)
from circuitkb.queries.questions.words import correct, narrowing, order, rules_out, words

LEAST = 0.4
"""How near the words must come to one of the question's sentences, from 0 to 1."""

LEAST_WITH_UNKNOWN = 0.6
"""The same where a word is not known."""

LEAST_OF_NOTHING = 0.7
"""The same where, besides, the sentence names nothing that the knowledge base holds."""

MOST_UNKNOWN = 2
"""Words of a sentence that nobody knows."""

_NOTHING_KNOWN = Names()


@dataclass(frozen=True)
class Reading:
    """A sentence read as one question: what fits and what does not."""

    question: Question
    parameters: Mapping[str, Any]
    against: tuple[str, ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    lacks_need: bool
    nearness: float

    @property
    def fits(self) -> bool:
        """Whether it may be answered."""
        if self.against or self.missing or self.lacks_need or len(self.unknown) > MOST_UNKNOWN:
            return False
        if not self.unknown:
            return self.nearness >= LEAST
        return self.nearness >= (LEAST_WITH_UNKNOWN if self.parameters else LEAST_OF_NOTHING)

    @property
    def faults(self) -> int:
        """How much is wrong with it."""
        return 2 * len(self.against) + len(self.unknown) + len(self.missing) + self.lacks_need


def read(asked: str, question: Question, names: Names, given: Collection[str]) -> Reading:
    """Read ``asked`` as ``question``; parameters that are ``given`` need not be in it."""
    text, parameters, missing = _take_parameters(asked, question, names, given)
    takes = {_placeholder(p) for p in question.parameters.values()}
    allowed = vocabulary(question) | {f"{{{kind}}}" for kind in takes}
    found = correct(words(text), allowed)
    strange = tuple(dict.fromkeys(word for word in found if word not in allowed))
    narrows = narrowing(text)
    against = tuple(
        word
        for word in strange
        if word in narrows or rules_out(word) or names.label_index.holds(word)
    )
    return Reading(
        question,
        parameters,
        against=order(asked) + against,
        unknown=tuple(word for word in strange if word not in against),
        missing=tuple(missing),
        lacks_need=not all(set(group) & set(found) for group in question.needs),
        nearness=max(Indel.normalized_similarity(found, line) for line in _lines(question)),
    )


def _take_parameters(
    asked: str, question: Question, names: Names, given: Collection[str]
) -> tuple[str, dict[str, Any], list[str]]:
    """Return the text with what was taken in braces, the parameters, and what is missing."""
    by_type = {p.type: p for p in reversed(tuple(question.parameters.values()))}
    parameters: dict[str, Any] = {}
    angle = by_type.get("angle")
    text = asked
    if angle and not is_quoting(text):
        text, parameters[angle.name] = take_angle(text)
        if "label" in by_type and parameters[angle.name] is not None:
            text = swallow_lines(text)
    for p in question.parameters.values():
        if p.type == "choice":
            text, parameters[p.name] = take_choice(text, p, names)
    if "label" in by_type:
        text, parameters[by_type["label"].name] = take_whole_label(text, names)
    text, features = take_features(text, names)
    if features and "label" not in by_type:
        text = swallow_title(text, names)
    unread = list(features)
    for p in question.parameters.values():
        if p.type == "feature" and unread:
            parameters[p.name] = unread.pop(0)
    if "layers" in by_type:
        text, parameters[by_type["layers"].name] = take_layers(text, names)
    text, models = take_models(text, names)
    if "models" in by_type:
        parameters[by_type["models"].name] = models
    elif {feature.split("/")[0] for feature in features} >= set(models):
        text = text.replace("{models}", "")
    for p in question.parameters.values():
        if p.type == "integer":
            key = ("integer", text, *p.cues)
            text, parameters[p.name] = names.once(key, partial(take_integer, text, p.cues))
    if "label" in by_type and parameters[by_type["label"].name] is None:
        text, parameters[by_type["label"].name] = take_label(text, names)
    parameters = {
        name: parameters[name]
        for name in question.parameters
        if parameters.get(name) not in (None, [])
    }
    missing = [
        p.name
        for p in question.parameters.values()
        if p.required and p.name not in parameters and p.name not in given
    ]
    if unread and len(unread) < len(features):
        several = len(features) - len(unread) > 1
        missing.append("only two features" if several else "only one feature")
    return text, parameters, missing


def _lines(question: Question) -> tuple[tuple[str, ...], ...]:
    """Return the words of the question's sentences, with the types of its parameters."""
    lines = []
    for line in question.sentences:
        for p in question.parameters.values():
            if p.type == "choice":
                line, _ = take_choice(line, p, _NOTHING_KNOWN)
            line = line.replace(f"{{{p.name}}}", f"{{{_placeholder(p)}}}")
        lines.append(tuple(words(line)))
    return tuple(lines)


def _placeholder(p: Parameter) -> str:
    """Return what stands for a value of a parameter: two choices are not of one kind."""
    return p.name if p.type == "choice" else p.type


def vocabulary(question: Question) -> set[str]:
    """Return the words that a question knows."""
    known = set(question.words).union(*question.needs)
    for line in question.sentences:
        known.update(word for word in words(line) if not word.startswith("{"))
    return known
