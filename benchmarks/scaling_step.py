"""One step of ``scaling.py`` in a process of its own: a peer loads, or answers the questions.

Prints the figures as one line of JSON; the answers go to a file, to be compared.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from peers import IN_MEMORY, NAMES, peer
from peers.questions import Peer, comparable, questions
from synthetic import Shape, synthetic

from circuitkb.schema.errors import QueryTimeoutError
from circuitkb.schema.tables import GraphRows

AGAIN = 3
"""Times that a question is repeated; the least counts."""

Figures = dict[str, float | None]


def peak_memory(process: str = "self") -> float:
    """Return the most memory that a process had so far, in MB."""
    with Path(f"/proc/{process}/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


class Making:
    """The knowledge base, the seconds that making it took, and those that each piece was used."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.seconds = 0.0
        self.used: list[float] = []

    def __iter__(self) -> Iterator[GraphRows]:
        pieces = synthetic(self._shape)
        while True:
            started = time.perf_counter()
            rows = next(pieces, None)
            made = time.perf_counter()
            self.seconds += made - started
            if rows is None:
                return
            yield rows
            self.used.append(time.perf_counter() - made)


def load(found: Peer, shape: Shape) -> Figures:
    made = Making(shape)
    started = time.perf_counter()
    found.load(made)
    found.close()
    seconds = time.perf_counter() - started - made.seconds
    return {
        "load, s": seconds,
        "weights/s": shape.edges / seconds,
        "first model, s": made.used[0],
        "last model, s": made.used[-1],
    }


def read(found: Peer, shape: Shape, answers: Path, patience: float) -> Figures:
    """Ask every question, first and again; one that takes too long is null."""
    figures: Figures = {}
    started = time.perf_counter()
    found.open()
    figures["open, s"] = time.perf_counter() - started
    given = {}
    for question in questions(shape):
        spent = []
        try:
            for _ in range(1 + AGAIN):
                signal.setitimer(signal.ITIMER_REAL, patience)
                started = time.perf_counter()
                rows = found.answer(question)
                spent.append(time.perf_counter() - started)
                signal.setitimer(signal.ITIMER_REAL, 0)
        except (TimeoutError, QueryTimeoutError):
            signal.setitimer(signal.ITIMER_REAL, 0)
            figures |= {f"{question.name}, first": None, f"{question.name}, again": None}
            continue
        figures[f"{question.name}, first"] = spent[0]
        figures[f"{question.name}, again"] = min(spent[1:])
        given[question.name] = comparable(rows)
    answers.write_text(json.dumps(given))
    found.close()
    return figures


def too_long(*_: object) -> NoReturn:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("load", "read"))
    parser.add_argument("peer", choices=NAMES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--address", default="")
    parser.add_argument("--patience", type=float, default=600)
    for item in fields(Shape):
        parser.add_argument(f"--{item.name}", type=int, default=item.default)
    given = parser.parse_args()
    shape = Shape(**{item.name: getattr(given, item.name) for item in fields(Shape)})
    signal.signal(signal.SIGALRM, too_long)
    found = peer(given.peer, given.folder, given.address, given.patience)
    if given.step == "load":
        figures = load(found, shape)
    else:
        if given.peer in IN_MEMORY:
            found.load(synthetic(shape))
        figures = read(found, shape, given.folder / "answers.json", given.patience)
    doing = "loading" if given.step == "load" else "reading"
    figures[f"memory while {doing}, MB"] = peak_memory()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
