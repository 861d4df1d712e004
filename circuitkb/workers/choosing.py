"""Who does the work on several models, as the user says it, or as the machine allows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from circuitkb.schema.errors import WorkerError
from circuitkb.workers.tasks import Here, Workers

MEMORY = 2_000_000_000
"""Free bytes for each process that is begun by itself: a load of 20,000 units takes 1 to 2 GB."""

ON_RAY = "ray"
_RAY = re.compile(rf"{ON_RAY}(?::(?P<address>.+))?")


def workers_for(
    asked: int | str | None,
    tasks: int,
    folder: Callable[[], Path],
    *,
    share_threads: bool = False,
    worth: bool = True,
) -> Workers:
    """Return who does so many tasks.

    Parameters
    ----------
    asked
        A number of processes; ``ray`` or ``ray:ADDRESS``; or None: one for each core and for each
        :data:`MEMORY` bytes that are free.
    tasks
        How many there are; one is done in this process, unless a cluster was asked for.
    folder
        Gives the folder where files are handed over, where one is needed.
    share_threads
        Whether processes share the cores; otherwise each has as many threads as this one, so that
        sums are added in the same order and come out the same.
    worth
        Whether, where nothing is asked, the work is worth beginning a process.

    Raises
    ------
    WorkerError
        It is neither a number nor a cluster, or there is no such cluster.

    Examples
    --------
    >>> workers_for(8, 1, Path)
    <circuitkb.workers.tasks.Here object at ...>
    >>> workers_for("many", 9, Path)
    Traceback (most recent call last):
    circuitkb.schema.errors.WorkerError: --workers is 'many': a number from 1, 'ray' or
    'ray:HOST:PORT'.
    """
    number = _number(asked)
    if number is None and isinstance(asked, str):
        from circuitkb.workers.pooled import Pooled

        found = _RAY.fullmatch(asked)
        if found is None:
            raise _refused(asked)
        from circuitkb.workers.on_ray import Ray

        address = found["address"]
        return Pooled(lambda: Ray(address), folder())
    if number is not None and number < 1:
        raise _refused(asked)
    count = min(tasks, number or (_fitting() if worth and tasks > 1 else 1))
    if count < 2:
        return Here()
    from circuitkb.workers.pooled import Pooled
    from circuitkb.workers.processes import Processes

    threads = max(1, cores() // count) if share_threads else None
    return Pooled(lambda: Processes(count, threads), folder())


def _number(asked: int | str | None) -> int | None:
    if isinstance(asked, str) and re.fullmatch("[0-9]{1,4}", asked):
        return int(asked)
    return asked if isinstance(asked, int) else None


def _refused(asked: object) -> WorkerError:
    return WorkerError(f"--workers is {asked!r}: a number from 1, 'ray' or 'ray:HOST:PORT'.")


def _fitting() -> int:
    return max(1, min(cores(), free_memory() // MEMORY))


def cores() -> int:
    """Return how many cores this process may use."""
    from loky import cpu_count

    return int(cpu_count())


def free_memory() -> int:
    """Return the bytes that are free, on the machine or in the container; many if unknown."""
    found = [1 << 50]
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text()
        found.append(int(text.split("MemAvailable:")[1].split()[0]) << 10)
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        most, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = (group / "memory.stat").read_text().split("\nfile ")[1].split()[0]
        found.append(most - used + int(cached))
    with suppress(AttributeError, OSError, ValueError):
        if len(found) == 1:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min(found)
