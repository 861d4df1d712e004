"""Patterns over folders that ``circuitkb export parquet`` wrote, on a disk or in object storage.

Nothing is loaded: DuckDB reads the columns that a pattern asks about from the files, and joins them
within a bound of memory; what does not fit goes to a temporary folder. The weights are those that
the exported graphs keep, and features are told apart by their ids.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitkb.loaders.sources.kinds.exported import ABOUT
from circuitkb.patterns.joining import joining_database
from circuitkb.patterns.relational import (
    EDGES,
    VALUES,
    Relational,
    compared_of,
    relational,
    weight_columns,
)
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.predicates import Predicate
from circuitkb.queries.patterns.language import Step
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.results.result import Result
from circuitkb.schema.definition import FORMAT_VERSION, node_type
from circuitkb.schema.errors import QueryError, SourceError

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
"""What DuckDB may hold; with Python and its own buffers the process stays below 2 GB."""


@dataclass(frozen=True)
class Folders:
    """Exported folders, as paths or URLs such as ``s3://bucket/zoo``.

    URLs need fsspec and the package of their kind (``s3fs``, ``gcsfs``, ...), which has its own
    settings and credentials. A model that stands in two of the folders is found twice.

    Parameters
    ----------
    folders
        At least one.
    memory
        What DuckDB may hold, as in ``"1GB"``.
    spill
        Where what does not fit goes: a folder on a disk with room; the system's own for temporary
        files if not given.

    Examples
    --------
    >>> import tempfile
    >>> import circuitkb as ckb
    >>> from circuitkb.patterns.in_folders import Folders
    >>> with tempfile.TemporaryDirectory() as folder, ckb.open(f"{folder}/kb.ckb") as kb:
    ...     _ = kb.load("published:inceptionv1")
    ...     _ = kb.export("parquet", f"{folder}/zoo")
    ...     pattern = ckb.Pattern("a +> u <+ b", unordered=[("a", "b")], edges=ckb.edge(max_rank=2))
    ...     Folders([f"{folder}/zoo"]).count(pattern) == kb.pattern(pattern).over("graph").count()
    True
    """

    folders: Sequence[str | os.PathLike[str]]
    memory: str = MEMORY
    spill: str | os.PathLike[str] | None = None

    def run(self, pattern: Pattern) -> Result:
        """Return the matches of a pattern, in the order of the ids of its features.

        Raises
        ------
        QueryError
            It asks what only a knowledge base can tell: labels, or counterparts in other models.
        SourceError
            A folder is not what an export wrote, or cannot be read.
        """
        started = time.perf_counter()
        with self._prepared(pattern) as (database, made):
            given = ", ".join(f'{place} AS "{name}"' for name, place in made.columns.items())
            order = ", ".join(f'"{name}"' for name in pattern.names)
            room = "" if pattern.limit is None else f" LIMIT {pattern.limit + 1}"
            text = f"SELECT {given} {made.joined}{made.grouped} ORDER BY {order}{room}"
            rows = database.execute(text, made.used_in(text)).fetchall()
        return Result(
            pattern.columns,
            tuple(rows if pattern.limit is None else rows[: pattern.limit]),
            pattern.limit is not None and len(rows) > pattern.limit,
            seconds=time.perf_counter() - started,
            notes=(f"Over the weights kept in {', '.join(map(str, self.folders))}.",),
        )

    def count(self, pattern: Pattern) -> int:
        """Return how many matches there are, without listing them; errors as :meth:`run`."""
        with self._prepared(pattern) as (database, made):
            text = f"SELECT 1 {made.joined}{made.grouped}"
            found = database.execute(f"SELECT count(*) FROM ({text})", made.used_in(text))
            row = found.fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _prepared(self, pattern: Pattern) -> Iterator[tuple[duckdb.DuckDBPyConnection, Relational]]:
        import duckdb

        if pattern.counterparts is not None:
            raise QueryError(
                "Counterparts in other models are known to a knowledge base alone: load the folder."
            )
        weight_columns(pattern)  # refuses what no weight has
        if not self.folders:
            raise SourceError("Name at least one folder that circuitkb export parquet wrote.")
        with joining_database(self.memory, self.spill) as (database, spilled):
            database.execute("SET preserve_insertion_order = false")
            places = [_opened(database, folder) for folder in self.folders]
            try:
                _view(database, EDGES, places, "relations/WEIGHT")
                _view(database, "features", places, "nodes/Feature")
                if compared_of(pattern):
                    database.execute(
                        f"CREATE VIEW {VALUES} AS SELECT id AS number, * EXCLUDE (id) FROM features"
                    )
                narrowed = _narrowed(database, pattern)
                relations = _relations(database, pattern, places)
                made = relational(pattern, narrowed, relations, parallel=True)
                for name, text in made.tables.items():
                    database.execute(f"CREATE TEMP TABLE {name} AS {text}", made.used_in(text))
                yield database, made
            except duckdb.OutOfMemoryException as error:
                raise QueryError(
                    f"The pattern needs more than {self.memory} of memory, or more room than "
                    f"{spilled} has: ask for lower ranks, or give more with memory= or spill=."
                ) from error
            except duckdb.IOException as error:
                raise _unreadable(error) from error


def _unreadable(error: Exception) -> SourceError:
    return SourceError(f"A file of the folders cannot be read: {str(error).splitlines()[0]:.200}")


def _opened(database: duckdb.DuckDBPyConnection, folder: str | os.PathLike[str]) -> str:
    """Return where the files of a folder are for DuckDB, once it is seen to be an export."""
    text = os.fspath(folder)
    try:
        if "://" in text:
            from circuitkb.loaders.sources.extras import require

            fsspec = require(
                "fsspec", extra="", what=f"{text}", command="pip install fsspec (and s3fs, ...)"
            )
            system, path = fsspec.core.url_to_fs(text)
            about = json.loads(system.cat_file(f"{path}/{ABOUT}"))
            database.register_filesystem(system)
            place = system.unstrip_protocol(path)
        else:
            place = str(Path(text).expanduser().absolute())
            about = json.loads((Path(place) / ABOUT).read_text("utf-8"))
        known = about["format"] == "circuitkb-parquet"
        version = about["schema_version"]
    except (OSError, ValueError, KeyError, TypeError, ImportError, RecursionError) as error:
        raise SourceError(
            f"{text} cannot be read as a folder that circuitkb export parquet wrote: {error}."
        ) from error
    if not known or version != FORMAT_VERSION:
        raise SourceError(f"{text} was exported in another format, or by another version.")
    return str(place)


def _view(database: duckdb.DuckDBPyConnection, name: str, places: Sequence[str], kind: str) -> None:
    import duckdb

    files = [f"{place}/{kind}.parquet" for place in places]
    try:
        database.read_parquet(files, union_by_name=True).create_view(name)
    except duckdb.Error as error:
        raise _unreadable(error) from error


def _narrowed(database: duckdb.DuckDBPyConnection, pattern: Pattern) -> dict[str, str]:
    """Make a table of the ids that each feature with conditions can have."""
    found: dict[str, str] = {}
    for number, (name, wanted) in enumerate(pattern.features):
        conditions, values = _conditions(name, wanted)
        if conditions:
            found[name] = f"feature{number}"
            database.execute(
                f"CREATE TEMP TABLE {found[name]} AS SELECT id AS number FROM features "
                f"WHERE {' AND '.join(conditions)}",
                values,
            )
    return found


def _conditions(name: str, wanted: Features) -> tuple[list[str], dict[str, Any]]:
    plain = Features(
        model=wanted.model,
        layer=wanted.layer,
        id=wanted.id,
        conditions=wanted.conditions,
        limit=wanted.limit,
    )
    if replace(wanted) != plain:
        raise QueryError(
            f"{name}: labels, and lists that are reached from others, are known to a knowledge "
            "base alone: load the folder, or narrow it by model, layer, id and properties."
        )
    values = Relational()
    found = []
    for column in ("model", "layer", "id"):
        given = getattr(wanted, column)
        if isinstance(given, Predicate):
            owner = node_type("Feature").property(column)
            found.append(given.text(f'"{column}"', owner, values.bind, "sql"))
        elif given is not None:
            found.append(f'"{column}" = {values.bind(str(given))}')
    for owner, condition in wanted.conditions:
        found.append(condition.text(f'"{owner.name}"', owner, values.bind, "sql"))
    return found, values.parameters


def _relations(
    database: duckdb.DuckDBPyConnection, pattern: Pattern, places: Sequence[str]
) -> dict[Step, str]:
    """Make a table of the pairs that each transform or analogy joins, both ways."""
    found: dict[Step, str] = {}
    for step, wanted in pattern.on_steps:
        if isinstance(wanted, Edges) or step in found:
            continue
        name = found[step] = f"relation{len(found)}"
        _view(database, f"{name}_file", places, f"relations/{step.relation}")
        values = Relational()
        conditions = ["source_label = 'Feature'"]
        conditions += [
            condition.text(f'"{owner.name}"', owner, values.bind, "sql")
            for owner, condition in wanted
        ]
        database.execute(
            f"CREATE TEMP TABLE {name} AS SELECT source, target FROM {name}_file "
            f"WHERE {' AND '.join(conditions)}",
            values.parameters,
        )
        database.execute(f"INSERT INTO {name} SELECT target, source FROM {name}")
    return found
