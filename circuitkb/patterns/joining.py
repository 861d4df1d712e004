"""A database of DuckDB's that joins weights: in memory, within a bound, the rest on the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

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
