"""Serving a knowledge base to browsers: on this machine, or with a password to others."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from circuitkb.schema.errors import MissingExtraError, ServingError

CONNECTIONS = 100
"""How many may be open at once."""

_OF_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f]*:[0-9A-Fa-f:]*")

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
    host: str = "127.0.0.1",
    allowed: Sequence[str] = (),
    write: bool = False,
    ready: Callable[[str], None],
) -> None:
    """Serve a knowledge base that is there, until interrupted.

    Parameters
    ----------
    port, host
        Where to listen; port 0 takes one that is free. Anywhere but on this machine alone, a
        password is asked for, which is in the variable ``CIRCUITKB_PASSWORD`` or typed.
    allowed
        Names by which browsers ask, besides those of this machine and the host itself.
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
        The port is taken, there is no such host, or no password.
    """
    with needed():
        import uvicorn

        from circuitkb.atlas.password import password_given
        from circuitkb.atlas.server import LOOPBACK, build
    from circuitkb.kb.opening import open

    names = _names(host, allowed)
    password = password_given() if is_open(host, allowed) else ""
    with open(address, create=False) as kb, _listening(host, port) as at:
        settings = uvicorn.Config(
            build(kb, write=write, hosts=(*LOOPBACK, *names), password=password),
            log_level="warning",
            access_log=False,
            workers=1,
            limit_concurrency=CONNECTIONS,
        )
        ready(f"http://{names[0] if host in _EVERYWHERE else _in_link(host)}:{_port(at)}/")
        uvicorn.Server(settings).run(sockets=[at])


def is_open(host: str, allowed: Sequence[str] = ()) -> bool:
    """Tell whether others than this machine may ask.

    Examples
    --------
    >>> is_open("127.0.0.1"), is_open("0.0.0.0"), is_open("localhost", ["lab.example.org"])
    (False, True, True)
    """
    return bool(allowed) or host not in _OF_THIS_MACHINE


def _names(host: str, allowed: Sequence[str]) -> list[str]:
    """Return the names by which browsers ask, as their requests have them."""
    for name in (host, *allowed):
        if not _NAME.fullmatch(name):
            raise ServingError(f"{name!r} is no name or address of a machine.")
    if host in _EVERYWHERE and not allowed:
        raise ServingError(
            f"Say by which name browsers ask for a machine that listens on {host}: with "
            "--allow-host NAME. Another site could lead them here by a name of its own."
        )
    names = [*allowed, *([host] if is_open(host) and host not in _EVERYWHERE else [])]
    return [_in_link(name) for name in names]


def _in_link(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _port(at: socket.socket) -> int:
    return int(at.getsockname()[1])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ServingError(
            f"Nothing can listen on {host}, port {port}: {error}. Try --port 0."
        ) from None
