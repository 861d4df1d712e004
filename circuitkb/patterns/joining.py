"""A database of DuckDB's that joins weights: in memory, within a bound, the rest on the disk."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from circuitkb.stores.querying.errors import out_of_memory, timed_out

if TYPE_CHECKING:
    import duckdb


@contextmanager
def joining_database(
    memory: str, spill: str | os.PathLike[str] | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Give an empty database, and the folder where what does not fit goes until it is closed.

    Parameters
    ----------
    memory
        What it may hold, as in ``"1GB"``.
    spill
        Where that folder is made; among the system's temporary files if not given.

    Examples
    --------
    >>> with joining_database("1GB") as (database, _):
    ...     database.execute("SELECT 1 + 1").fetchall()
    [(2,)]
    """
    import duckdb

    with (
        tempfile.TemporaryDirectory(
            prefix="circuitkb-", dir=spill, ignore_cleanup_errors=True
        ) as folder,
        duckdb.connect(
            ":memory:", config={"memory_limit": memory, "temp_directory": folder}
        ) as database,
    ):
        # It would go to our output; a notebook without ipywidgets has none, and refuses this.
        with suppress(duckdb.InvalidInputException):
            database.execute("SET enable_progress_bar = false")
        yield database, folder


@contextmanager
def time_limit(database: duckdb.DuckDBPyConnection, left: float, timeout: float) -> Iterator[None]:
    """End whatever runs in the database in ``left`` seconds, the rest of ``timeout``.

    An interruption between two statements is lost on DuckDB, so it is repeated until it is felt.
    """
    import duckdb

    done = threading.Event()

    def watch() -> None:
        if not done.wait(left):
            while not done.wait(0.02):
                database.interrupt()

    watcher = threading.Thread(target=watch, name="circuitkb pattern clock", daemon=True)
    started = time.perf_counter()
    watcher.start()
    try:
        yield
        if time.perf_counter() - started > left:
            raise timed_out(timeout)
    except duckdb.InterruptException:
        raise timed_out(timeout) from None
    except duckdb.OutOfMemoryException:
        raise out_of_memory() from None
    finally:
        done.set()
        watcher.join()
