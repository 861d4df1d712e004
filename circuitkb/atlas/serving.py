"""Serving a knowledge base to browsers on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from circuitkb.schema.errors import MissingExtraError, ServingError

_PACKAGES = (
    "altair",
    "fastapi",
    "jinja2",
    "markupsafe",
    "sklearn",
    "starlette",
    "uvicorn",
    "vl_convert",
)


@contextmanager
def needed() -> Iterator[None]:
    """Import what pages are made with; raises :class:`MissingExtraError` where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise MissingExtraError(
            "Pages for a browser need the extra web.\n"
            "Install it: pip install 'circuitkb[web]' (in a clone: uv sync --extra web)."
        ) from None


def serve(
    address: str | os.PathLike[str] | None,
    *,
    port: int,
    write: bool = False,
    ready: Callable[[str], None],
) -> None:
    """Serve a knowledge base that is there, on 127.0.0.1, until interrupted.

    Parameters
    ----------
    port
        Where to listen; 0 takes one that is free.
    write
        Whether its pages take labels; they only read else.
    ready
        Called with the address of the first page, once it can be asked for.

    Raises
    ------
    MissingExtraError
        The packages of the extra ``web`` are not installed.
    StoreNotFoundError
        There is no knowledge base.
    ServingError
        The port is taken.
    """
    with needed():
        import uvicorn

        from circuitkb.atlas.server import build
    from circuitkb.kb.opening import open

    with open(address, create=False) as kb, _listening(port) as at:
        settings = uvicorn.Config(
            build(kb, write=write), log_level="warning", access_log=False, workers=1
        )
        ready(f"http://127.0.0.1:{at.getsockname()[1]}/")
        uvicorn.Server(settings).run(sockets=[at])


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise ServingError(f"Nothing can listen on port {port}: {error}. Try --port 0.") from None
