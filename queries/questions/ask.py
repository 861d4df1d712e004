"""From a sentence to a question of the catalogue, or to an honest refusal.

A question is chosen where the sentence comes near enough to one of its own sentences, states what
it needs, and holds nothing that asks for something else (see
:mod:`circuitkb.queries.questions.reading`).
Otherwise nothing runs, and the three nearest questions are named as commands.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.queries.questions.catalogue import Question, questions
from circuitkb.queries.questions.mentions import Names
from circuitkb.queries.questions.reading import Reading, read
from circuitkb.schema.errors import UnknownQuestionError

MOST_CHARACTERS = 1_000
"""Of a sentence."""

_LONGEST = 60  # characters of a value in a command that is proposed

MARGIN = 0.08
"""How much nearer it must be than to the next question."""


@dataclass(frozen=True)
class Choice:
    """A question, the parameters that the sentence gave, and its words that nobody knows."""

    question: Question
    parameters: Mapping[str, Any]
    unknown: tuple[str, ...] = ()


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
        None fits, or several do; the message gives the nearest three as commands.

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
        (read(asked, question, known, given) for question in among),
        key=lambda reading: (not reading.fits, -reading.nearness, reading.question.name),
    )
    fitting = [reading for reading in readings if reading.fits]
    if not fitting:
        raise UnknownQuestionError(_nothing_fits(asked, readings, known, given))
    if len(fitting) > 1 and fitting[0].nearness - fitting[1].nearness < MARGIN:
        raise UnknownQuestionError(
            f"{_quote(asked)} may ask several questions. Say which:\n"
            f"{_commands(fitting[:3], given)}"
        )
    best = fitting[0]
    return Choice(best.question, best.parameters, best.unknown)


def _nothing_fits(
    asked: str, readings: Sequence[Reading], names: Names, given: Collection[str]
) -> str:
    # What is wrong counts first, so that a single unknown word or parameter is what gets named.
    near = sorted(readings, key=lambda r: (r.faults, -r.nearness, r.question.name))[:3]
    best = near[0]
    why = "."
    strange = [*best.against, *best.unknown]
    if strange:
        are = "is" if len(strange) == 1 else "are"
        why = f": {', '.join(map(_word, strange[:4]))} {are} not understood."
    elif best.missing:
        why = f": {best.question.name!r} also needs {' and '.join(best.missing)}."
    for word in strange:
        models = names.place_index.models_called(word)
        if len(models) > 1:
            why += f" {_word(word)} may be {', '.join(models[:4])}."
    return f"No question here fits {_quote(asked)}{why}\nNearest:\n{_commands(near, given)}"


def _commands(readings: Sequence[Reading], given: Collection[str]) -> str:
    return "\n".join(f"  {command(r, given)}  ({r.question.title})" for r in readings)


def command(reading: Reading, given: Collection[str] = ()) -> str:
    """Return the command that asks a question with the parameters that were read off.

    What is missing stands in capitals, to be replaced.
    """
    parts = ["circuitkb", "ask", reading.question.name]
    for p in reading.question.parameters.values():
        if p.name in reading.parameters:
            value = reading.parameters[p.name]
            shown = ",".join(value) if isinstance(value, list) else f"{value}"
            shown = shown if len(shown) <= _LONGEST else p.name.upper()
        elif p.required and p.name not in given:
            shown = "MODEL/LAYER:UNIT" if p.type == "feature" else p.name.upper()
        else:
            continue
        parts += ["-p", f"{p.name}={shown}"]
    return shlex.join(parts)


def _word(word: str) -> str:
    return repr(word if len(word) <= 40 else word[:37] + "...")


def _quote(asked: str) -> str:
    line = " ".join(asked.split())
    return repr(line if len(line) <= 80 else line[:77] + "...")
