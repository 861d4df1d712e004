"""What workers are given and give back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from circuitkb.schema.progress import Progress

if TYPE_CHECKING:
    from circuitkb.schema.tables import GraphRows


class Done(NamedTuple):
    """What a task gives.

    Attributes
    ----------
    rows
        What is to be written; None where nothing is.
    said
        What else is to be known; it can be pickled.
    """

    rows: GraphRows | None
    said: Any


@dataclass(frozen=True)
class Task:
    """One model, or two that are compared.

    Attributes
    ----------
    name
        What it is about, for progress and errors.
    work
        A function that other processes can import. It depends on what it is given alone.
    given
        What it takes; it can be pickled.
    """

    name: str
    work: Callable[[Any, Progress], Done]
    given: Any


class Workers(Protocol):
    """Whoever does tasks."""

    def map(self, tasks: Iterable[Task], progress: Sequence[Progress]) -> Iterator[Done]:
        """Give what each task gives, in their order; whoever stops early closes the iterator.

        Parameters
        ----------
        tasks
            Asked for one by one, some ahead of those whose results were taken.
        progress
            Of each task, from 0 to 1.

        Raises
        ------
        WorkerError
            A worker died, and died again when the task was repeated.
        """


class Here:
    """This process, one task after the other."""

    def map(self, tasks: Iterable[Task], progress: Sequence[Progress]) -> Iterator[Done]:
        """Give what each task gives, in their order."""
        for task, tell in zip(tasks, progress, strict=False):
            yield task.work(task.given, tell)
