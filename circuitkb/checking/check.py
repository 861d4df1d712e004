"""The check of a whole knowledge base: its files, its arrays, its graph."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

from circuitkb.checking.graph import check_graph
from circuitkb.checking.report import CheckReport
from circuitkb.kb.address import address_of
from circuitkb.schema.errors import CapabilityError, CircuitKBError, StoreUnreachableError
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.stores import is_url, open_store
from circuitkb.stores.base import Capability, Store, missing
from circuitkb.stores.findings import Finding

FILES, GRAPH = 0.5, 1.0
"""Shares of a check that are done when each of its steps is."""

_UNREAD = Finding(
    "nodes, relations, ids", "", "not looked at, since files that hold them are damaged"
)


def check(
    address: str | os.PathLike[str] | None = None,
    *,
    repair: bool = False,
    progress: Progress = silent,
) -> CheckReport:
    """Compare all of a knowledge base with what was written, and mend what can be mended.

    Every file of the state that counts is read and compared with its checksums, every file of
    kernels and responses with its name; nodes and relations are counted, the ends of relations
    looked for, and ids compared with what they name. Of a knowledge base on a server, the arrays
    and the graph are looked at.

    Parameters
    ----------
    address
        As for :func:`circuitkb.open`. Unlike there, it may be damaged; or a release.
    repair
        Whether to let the newest whole state count where the one that does is damaged. Says what is
        lost; what is damaged is kept under another name, and nothing that others made is removed.
    progress
        Called with what is being done and how far it is.

    Returns
    -------
    CheckReport
        Part by part what was found, and what to do about it.

    Raises
    ------
    StoreNotFoundError
        There is no knowledge base.
    CapabilityError
        A repair of one on a server.
    StoreVersionError, StoreBusyError, StoreError
        It is none that can be looked at, or somebody writes to one that is to be repaired.

    Examples
    --------
    >>> import circuitkb as ckb, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ckb.open(f"{folder}/zoo.ckb") as kb:
    ...         _ = kb.store.ensure_schema()
    ...     ckb.check(f"{folder}/zoo.ckb").whole
    True
    """
    place = address_of(address)
    if is_url(place):
        if repair:
            raise CapabilityError(
                f"{place} is on a server: its own backups mend it, circuitkb check --repair does "
                "not."
            )
        with closing(open_store(place, create=False)) as store:
            return check_store(store, progress)
    return _checked(place, repair=repair, progress=progress)


def check_store(store: Store, progress: Progress = silent) -> CheckReport:
    """Check a store that is open; see :func:`check`."""
    start = perf_counter()
    findings = [*store.check_files(within(progress, 0.0, FILES))]
    if Capability.CHECKSUMS in store.capabilities and any(found.damage for found in findings):
        findings.append(_UNREAD)
    else:
        findings += _graph(store, progress)
    return CheckReport(store.address, tuple(findings), (), perf_counter() - start)


def _checked(place: str, *, repair: bool, progress: Progress) -> CheckReport:
    from circuitkb.moving.releases.hashes import is_release, release_findings
    from circuitkb.stores.embedded.checking import check_files
    from circuitkb.stores.embedded.repairing import repair as mend

    start = perf_counter()
    path = Path(place).expanduser().absolute()
    if not path.exists():
        raise missing(place)
    if is_release(path):
        if repair:
            raise CapabilityError(f"{place} is a release, which is never changed: get it again.")
        found = tuple(release_findings(path, progress))
        return CheckReport(place, found, (), perf_counter() - start)
    files = within(progress, 0.0, FILES)
    findings = list(check_files(path, files))
    repaired: list[str] = []
    if repair and any(found.damage for found in findings):
        repaired = mend(path, files)
        findings = list(check_files(path, files))
    if any(found.damage for found in findings):
        findings.append(_UNREAD)
    else:
        with closing(open_store(place)) as store:
            findings += _graph(store, progress)
    return CheckReport(place, tuple(findings), tuple(repaired), perf_counter() - start)


def _graph(store: Store, progress: Progress) -> Iterator[Finding]:
    try:
        yield from check_graph(store, store.recorded_counts(), within(progress, FILES, GRAPH))
    except StoreUnreachableError:
        raise
    except CircuitKBError as error:
        remedy = "load and observe its models again into a new path"
        yield Finding("graph", "", f"cannot be read: {error}", remedy, damage=True)
