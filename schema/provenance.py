"""Where a batch of rows came from: the Import node that is written with it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from circuitkb.schema.ids import content_hash
from circuitkb.schema.tables import node_table, rows_of


def tool() -> str:
    """Return name and version of this program."""
    return f"circuitkb {version('circuitkb')}"


def now() -> str:
    """Return date and time as the graph keeps them: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def import_node(
    id: str, kind: str, *, summary: Mapping[str, Any], seconds: float | None = None, **more: Any
) -> pa.Table:
    """Return the one Import row of what a load, search, observation, match or import writes.

    Parameters
    ----------
    id
        The same for the same work, which then takes the place of what was said of it before.
    kind
        ``load``, ``find``, ``observe``, ``match`` or ``annotate``.
    summary
        Counts and settings; written as JSON in the order given.
    more
        Further properties of the node: ``source``, ``model``, ``by``, ``sha256``.

    Examples
    --------
    >>> import_node("match:a:b", "match", summary={"seed": 0}, model="a")["summary"].to_pylist()
    ['{"seed": 0}']
    """
    record = {
        "id": id,
        "kind": kind,
        **more,
        "created": now(),
        "tool": tool(),
        "seconds": None if seconds is None else round(seconds, 3),
        "summary": json.dumps(summary, ensure_ascii=False, allow_nan=False),
    }
    return node_table("Import", rows_of([record]))


def load_provenance(
    *,
    model: str,
    source: str,
    fingerprint: str,
    started: float,
    counts: Mapping[str, object],
    keep: int | None = None,
) -> pa.Table:
    """Return the one Import row of a load.

    Parameters
    ----------
    started
        When it began, by ``time.perf_counter``.
    counts
        What was loaded, and how it was checked, for the summary.
    keep
        Strongest inputs that the graph keeps; None where all of what is published is kept.

    Examples
    --------
    >>> one, two = (
    ...     load_provenance(model="m", source=s, fingerprint="0", started=0.0, counts={})
    ...     for s in ("a", "b")
    ... )
    >>> one["id"] == two["id"], one["kind"].to_pylist()
    (True, ['load'])
    """
    # Without the date, so that the same load again is the same node.
    what = {"kind": "load", "model": model, "fingerprint": fingerprint, "keep": keep}
    settings = {"fingerprint": fingerprint} | ({"keep": keep} if keep is not None else {})
    return import_node(
        f"load-{content_hash(what)[:16]}",
        "load",
        source=source,
        model=model,
        seconds=time.perf_counter() - started,
        summary={**counts, **settings},
    )
