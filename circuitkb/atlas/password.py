"""One password before everything that a server answers, and few attempts to guess it."""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from circuitkb.schema.errors import ServingError

VARIABLE = "CIRCUITKB_PASSWORD"
SHORTEST = 8
"""Characters of a password."""

WINDOW = 60.0
"""Seconds in which wrong passwords are counted."""

OF_ONE, OF_ALL = 10, 100
"""Wrong passwords in that time after which no more are looked at: of one address, and of all."""


def password_given() -> str:
    """Return the password from the environment, or asked for where somebody sits at a terminal.

    Raises
    ------
    ServingError
        There is none, or it is too short.
    """
    found = os.environ.get(VARIABLE, "")
    if not found and sys.stdin.isatty():
        found = getpass.getpass("Password that browsers are to give: ")
    if not found:
        raise ServingError(
            "Other machines are answered only with a password: set the variable "
            f"{VARIABLE}, or type it when asked at a terminal."
        )
    if len(found) < SHORTEST:
        raise ServingError(f"A password has {SHORTEST} characters at least.")
    return found


class PasswordMiddleware:
    """Answers only those who give a password, as HTTP Basic has it; any user name will do.

    Parameters
    ----------
    app
        Answers them.
    password
        What they must give.
    clock
        Tells the time in seconds.
    """

    def __init__(
        self, app: ASGIApp, password: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._wanted = _digest(password)
        self._clock = clock
        self._wrong: deque[tuple[float, str]] = deque()  # as long as OF_ALL at most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        refused = self._refusal(Headers(scope=scope).get("authorization", ""), client)
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, given: str, client: str) -> Response | None:
        if not given:
            return _asking()
        now = self._clock()
        while self._wrong and self._wrong[0][0] <= now - WINDOW:
            self._wrong.popleft()
        wrong = sum(who == client for _, who in self._wrong)
        if wrong >= OF_ONE or len(self._wrong) >= OF_ALL:
            headers = {"Retry-After": str(int(WINDOW))}
            return PlainTextResponse("Too many wrong passwords: wait a minute.", 429, headers)
        if secrets.compare_digest(_digest(_password_in(given)), self._wanted):
            return None
        self._wrong.append((now, client))
        return _asking()


def _asking() -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="circuitkb", charset="UTF-8"'}
    return PlainTextResponse("A password is needed.", 401, headers)


def _password_in(header: str) -> str:
    kind, _, value = header.partition(" ")
    try:
        pair = base64.b64decode(value, validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        pair = ""
    return pair.partition(":")[2]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
