"""Where a load came from: the Import node that goes with its rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import pyarrow as pa

from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.tables import node_table, rows_of


def tool() -> str:
    """Return name and version of this program."""
    return f"circuitkb {version('circuitkb')}"


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
    record = {
        "id": f"load-{content_hash(what)[:16]}",
        "kind": "load",
        "source": source,
        "model": model,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": tool(),
        "seconds": round(time.perf_counter() - started, 3),
        "summary": canonical_json({**counts, **settings}),
    }
    return node_table("Import", rows_of([record]))
