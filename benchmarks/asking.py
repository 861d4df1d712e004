"""Time of every question of the catalogue, the documents and the help on one store, against 0.3 s.

    uv run --group dev python benchmarks/asking.py circuits-demo.ckb [--rounds 5]

Each question of the catalogue is asked as its example does and, where it takes a feature, of the
unit with the most inputs; each command that only asks runs as README, docs and help have it.
Printed are the milliseconds that the engine takes for all that it is asked, start-up and printing
apart: as the first query of an opened store, and in the middle of some further rounds; and the
rows. It ends with 1 where one takes longer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from shlex import split
from typing import Any

from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.cli.app import app
from circuitkb.queries.questions.catalogue import questions
from circuitkb.schema.errors import CircuitKBError, UnknownQuestionError
from circuitkb.stores.embedded import EmbeddedStore

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.house.test_documentation import documented_commands

MOST_SECONDS = 0.3
ASKING = {"ask", "circuits", "edges", "features", "list", "models", "query", "show"}

HUB = """
MATCH (m:Model) WITH m ORDER BY m.edges_kept DESC LIMIT 1
MATCH (f:Feature {model: m.id}) RETURN f.id ORDER BY f.inputs DESC, f.id LIMIT 1
"""


class Reads:
    """What the reads of a store take, added up."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.rows = 0
        read = EmbeddedStore.read

        def timed(store: EmbeddedStore, *given: Any, **named: Any) -> Any:
            answer = read(store, *given, **named)
            self.seconds += answer.seconds
            self.rows = max(self.rows, len(answer.rows))  # other reads are for names and notes
            return answer

        EmbeddedStore.read = timed  # type: ignore[method-assign]

    def of(self, run: Callable[[], object]) -> float:
        self.seconds, self.rows = 0.0, 0
        run()
        return self.seconds


def asked(store: str) -> Iterator[tuple[str, Callable[[ckb.KnowledgeBase], object]]]:
    """Give each question of the catalogue, bound, with what to call it."""
    with ckb.open(store, create=False) as kb:
        hub = kb.query(HUB).rows[0][0]
        for question in questions():
            try:
                stated = kb.ask(question.example, limit=None).parameters
            except UnknownQuestionError:  # what the store holds gives its words another meaning too
                stated = kb.ask(question.name, limit=None).parameters
            yield question.name, lambda kb, q=question, p=stated: kb.ask(q.name, parameters=p)
            features = [p.name for p in question.parameters.values() if p.type == "feature"]
            if features:
                of_hub = stated | {features[0]: hub}
                yield (
                    f"{question.name} of {hub}",
                    lambda kb, q=question, p=of_hub: kb.ask(q.name, parameters=p),
                )


def commands() -> Iterator[list[str]]:
    """Give the arguments of each documented command that only asks an embedded store."""
    for line in documented_commands():
        words = split(line, comments=True)[1:]
        words = words[: next((i for i, word in enumerate(words) if word in "|<>"), len(words))]
        if words[0] in ASKING and not {"-", "--kb", "--list"} & set(words) and "..." not in line:
            yield words


def main() -> int:
    """Measure, print, and return the exit code."""
    given = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given.add_argument("store", help="path")
    given.add_argument("--rounds", type=int, default=5)
    options = given.parse_args()
    reads, good = Reads(), True

    def show(name: str, first: float, further: list[float]) -> None:
        nonlocal good
        again = statistics.median(further)
        met = max(first, again) <= MOST_SECONDS
        good &= met
        times = f"{1000 * first:8.1f} ms{1000 * again:8.1f} ms"
        print(f"{name:<76.76}{times}{reads.rows:7,} rows  {'met' if met else 'MISSED'}", flush=True)

    for name, ask in asked(options.store):
        try:
            with ckb.open(options.store, create=False) as kb:
                first, *further = (reads.of(partial(ask, kb)) for _ in range(options.rounds + 1))
                show(name, first, further)
        except CircuitKBError as error:
            print(f"{name:<76.76}  {str(error).splitlines()[0]:.60}")
    runner = CliRunner(env={"CIRCUITKB": options.store})
    for words in commands():
        times = [reads.of(partial(runner.invoke, app, words)) for _ in range(options.rounds + 1)]
        show(" ".join(words), times[0], times[1:])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
