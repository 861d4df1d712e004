"""Workers of a Ray cluster, which may be many machines; they share a file system with this one."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from circuitkb.loaders.sources.extras import require
from circuitkb.schema.errors import WorkerError

_PATIENCE = 5.0  # seconds to reach a cluster


class Ray:
    """A cluster that runs; see :class:`~circuitkb.workers.pooled.Pool`.

    Parameters
    ----------
    address
        As in ``head:6379``; the one that ``RAY_ADDRESS`` names, or that runs here, if not given.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    WorkerError
        There is no such cluster.
    """

    def __init__(self, address: str | None) -> None:
        ray = require("ray", extra="ray", what="Work on a Ray cluster")
        # Ray tells its makers of every use unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ours = not ray.is_initialized()
        if self._ours:
            where = address or os.environ.get("RAY_ADDRESS")
            try:
                if where is not None:
                    _knock(where)
                ray.init(where or "auto", log_to_driver=False, logging_level="ERROR")
            except (OSError, ValueError, RuntimeError) as error:
                raise WorkerError(
                    f"There is no Ray cluster {f'at {where}' if where else 'on this machine'}: "
                    "begin one with ray start --head, or name one, as in --workers ray:HOST:6379."
                ) from error
        self._ray = ray
        self.died: tuple[type[BaseException], ...] = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
        )
        self.count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._given: list[Any] = []

    def submit(self, run: Callable[..., Any], *given: Any) -> Future[Any]:
        """Let a worker of the cluster call a function."""
        remote = self._ray.remote(run).options(num_cpus=1, max_retries=0)
        reference = remote.remote(*given)
        self._given.append(reference)
        found: Future[Any] = reference.future()
        return found

    def renew(self) -> None:
        """Do nothing: who lives goes on."""

    def close(self) -> None:
        """Leave the cluster, if we joined it."""
        if self._ours:
            self._ray.shutdown()

    def kill(self) -> None:
        """Let no task go on, and leave."""
        for reference in self._given:
            self._ray.cancel(reference, force=True)
        self.close()


def _knock(address: str) -> None:
    """Raise an :class:`OSError` where nobody listens: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE):
        pass
