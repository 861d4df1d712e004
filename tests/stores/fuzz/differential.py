"""Answers of stores held against brute force."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from circuitkb.errors import CircuitKBError
from circuitkb.stores.base import Store
from tests.stores.fuzz.clauses import Query, identity
from tests.stores.fuzz.needs import Need, lacks
from tests.stores.fuzz.patterns import TooManyRowsError
from tests.stores.fuzz.questions import Question, random_question
from tests.stores.fuzz.worlds import Edge, Node, World, random_world

QUESTIONS = 40
"""Questions about one graph, at most."""

ATTEMPTS = 20
"""Questions of one motif and shape that may be drawn until one is small enough."""

Answer = list[tuple[Any, ...]]
Opener = Callable[[World], AbstractContextManager[Store]]
"""Opens a store that holds a world and nothing else."""


@dataclass(frozen=True)
class Round:
    """A graph, and questions about it with what brute force answers."""

    seed: int
    graph: int
    world: World
    asked: Sequence[tuple[Question, Answer]]


def make_round(seed: int, graph: int, *, alike: int = 1) -> Round:
    """Return the same round for the same numbers.

    So many graphs in a row, as are ``alike``, get the same questions: Neo4j takes fifty times as
    long to plan a new query as to answer it on a small graph.
    """
    first = graph - graph % alike
    world = random_world(random.Random(f"{seed}/{graph}"))
    model = random_world(random.Random(f"{seed}/{first}"))
    rng = random.Random(f"{seed}/{first}/questions")
    asked: list[tuple[Question, Answer]] = []
    for number in range(first * QUESTIONS, (first + 1) * QUESTIONS):
        found = answered(rng, model, number)
        if found is None:
            continue
        question, answer = found
        try:
            asked.append((question, answer if alike == 1 else question.query.answer(world)))
        except TooManyRowsError:
            continue
    return Round(seed, graph, world, asked)


def answered(rng: random.Random, world: World, number: int) -> tuple[Question, Answer] | None:
    """Return a question with its answer by brute force, or None if all that are drawn are large."""
    for _ in range(ATTEMPTS):
        question = random_question(rng, world, number)
        try:
            return question, question.query.answer(world)
        except TooManyRowsError:
            continue
    return None


@dataclass(frozen=True)
class Difference:
    """A question that a store answers in another way."""

    store: str
    seed: int
    graph: int
    number: int
    question: Question
    world: World
    expected: Answer
    found: Answer | CircuitKBError

    def report(self) -> str:
        """Return all that is needed to see it again, as Markdown."""
        query = self.question.query
        lines = [
            f"### {self.store}: {self.question.shape} of {self.question.motif!r}, "
            f"seed {self.seed}, graph {self.graph}, question {self.number}",
            f"```cypher\n{query.text}\n```",
            f"Parameters: `{json.dumps(query.parameters)}`",
        ]
        if isinstance(self.found, CircuitKBError):
            lines.append(f"The store: {type(self.found).__name__}: {self.found}")
            lines.append(_listed("Brute force", self.expected))
        else:
            found, expected = (
                {_comparable(query, row): row for row in rows}
                for rows in (self.found, self.expected)
            )
            lines += [
                f"{len(self.found)} rows, {len(self.expected)} by brute force.",
                _listed(
                    "Only the store", [row for key, row in found.items() if key not in expected]
                ),
                _listed("Only brute force", [r for key, r in expected.items() if key not in found]),
                _listed("The store", self.found),
                _listed("Brute force", self.expected),
            ]
        lines.append(f"The graph (`worlds.from_json` reads it):\n```json\n{self.world.json()}\n```")
        return "\n\n".join(lines)


def _listed(title: str, rows: Answer, most: int = 10) -> str:
    shown = "\n".join(json.dumps(row) for row in rows[:most])
    more = f"\n... and {len(rows) - most} more" if len(rows) > most else ""
    return f"{title}:\n```json\n{shown}{more}\n```"


@dataclass(frozen=True)
class Outcome:
    """What came of one question: nothing if the store's engine lacks what it needs."""

    question: Question
    expected: Answer
    lacking: frozenset[Need]
    difference: Difference | None = None


def outcomes(name: str, store: Store, given: Round) -> Iterator[Outcome]:
    """Ask a store that holds the round's graph what its engine can do."""
    missing = lacks(store)
    for number, (question, expected) in enumerate(given.asked):
        lacking = question.needs & missing
        found = None if lacking else ask(store, question.query)
        if found is None or same(question.query, found, expected):
            yield Outcome(question, expected, lacking)
        else:
            place = (name, given.seed, given.graph, number)
            difference = Difference(*place, question, given.world, expected, found)
            yield Outcome(question, expected, lacking, difference)


def ask(store: Store, query: Query) -> Answer | CircuitKBError:
    """Return the rows that a store gives, or its error."""
    try:
        return store.read(query.text, query.parameters, limit=None).rows
    except CircuitKBError as error:
        return error


def same(query: Query, found: Answer | CircuitKBError, expected: Answer) -> bool:
    """Whether the rows are the same: in their order if the query gives one, else as often."""
    if isinstance(found, CircuitKBError):
        return False
    one, other = ([_comparable(query, row) for row in rows] for rows in (found, expected))
    return one == other if query.last.order else Counter(one) == Counter(other)


def _comparable(query: Query, row: tuple[Any, ...]) -> Hashable:
    return tuple(
        identity(sorted(value, key=repr) if column.in_any_order else value)
        for column, value in zip(query.last.columns, row, strict=True)
    )


def smaller(found: Difference, opener: Opener) -> Difference:
    """Return the same difference on a graph from which nothing can be taken away."""
    best, size = found, max(1, len(found.world.nodes) // 2)
    while size:
        parts: list[Node | Edge] = [*best.world.nodes, *best.world.edges]
        for start in range(0, len(parts), size):
            left: set[Node | Edge] = {*best.world.nodes, *best.world.edges}
            taken = left.intersection(parts[start : start + size])
            if taken:
                best = _again(best, best.world.without(taken), opener) or best
        size //= 2
    return best


def _again(found: Difference, world: World, opener: Opener) -> Difference | None:
    """Return the difference on another graph, if there is one."""
    query = found.question.query
    try:
        expected = query.answer(world)
    except TooManyRowsError:
        return None
    with opener(world) as store:
        answer = ask(store, query)
    if same(query, answer, expected) or type(answer) is not type(found.found):
        return None
    return replace(found, world=world, expected=expected, found=answer)
