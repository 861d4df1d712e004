"""What the verbs of a knowledge base that write stand on: its store, and the one way to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store
from circuitkb.workers.choosing import workers_for
from circuitkb.workers.tasks import Done, Task

if TYPE_CHECKING:
    from circuitkb.schema.tables import GraphRows

WORTH = 50_000_000
"""Bytes of kernels and responses from which reading them is worth a process, which takes 2 s."""


class Writing:
    """Gives a knowledge base the way in which its verbs write."""

    store: Store

    def _write(self, rows: GraphRows, progress: Progress = silent) -> None:
        """Write rows whole or not at all, and join to them the annotations that waited for them."""
        from circuitkb.annotations.resolving import resolve

        self.store.write(rows, progress)
        resolve(self.store)

    @contextmanager
    def _done(
        self,
        tasks: Iterable[Task],
        progress: Sequence[Progress],
        workers: int | str | None,
        *,
        share_threads: bool = False,
        worth: bool = True,
    ) -> Iterator[Iterator[Done]]:
        """Give what tasks give, in order; see :func:`circuitkb.workers.choosing.workers_for`."""

        made: list[Path] = []

        def folder() -> Path:
            made.append(self.store.workspace("workers").absolute())
            return made[0]

        chosen = workers_for(
            workers, len(progress), folder, share_threads=share_threads, worth=worth
        )
        try:
            with closing(chosen.map(tasks, progress)) as done:  # type: ignore[type-var]
                yield done
        finally:
            for place in made:
                with suppress(OSError):  # others are at work there
                    place.rmdir()
                    place.parent.rmdir()


def bytes_beside(store: Store, models: Iterable[str]) -> int:
    """Return the size of what lies beside the graph of some models."""
    total = 0
    for model in models:
        total += sum(connection.kernel.nbytes for connection in store.kernels(model))
        responses = store.responses(model)
        total += 4 * responses.before.nbytes if responses is not None else 0
    return total
