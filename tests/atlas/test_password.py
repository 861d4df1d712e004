"""Serving others than this machine: only with a password, few guesses, and under known names.

Costs about eight seconds of a processor.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.atlas.labelling import MOST_BYTES
from circuitkb.atlas.password import OF_ALL, OF_ONE, WINDOW, PasswordMiddleware
from circuitkb.atlas.server import build
from circuitkb.cli.app import app

PASSWORD = "correct h\u00f6rse: battery"


def said(password: str, user: str = "anybody") -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.fixture
def client(kb: ckb.KnowledgeBase) -> Iterator[TestClient]:
    app = build(kb, write=True, hosts=("lab.example.org",), password=PASSWORD)
    with TestClient(app, base_url="http://lab.example.org") as found:
        yield found


@pytest.mark.parametrize("path", ["/", "/about.json", "/static/atlas.css", "/nowhere", "/label"])
def test_nothing_is_answered_without_the_password(client: TestClient, path: str) -> None:
    for headers in ({}, said("wrong horse"), said(""), {"Authorization": "Bearer x"}):
        for method in ("GET", "POST"):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
            assert "circuitkb</a>" not in answer.text


def test_with_it_pages_forms_and_files_are_there(client: TestClient) -> None:
    for path in ("/", "/about.json", "/static/atlas.css"):
        assert client.get(path, headers=said(PASSWORD)).status_code == 200
    assert client.get("/", headers=said(PASSWORD, user="")).status_code == 200
    sent = client.post("/label", headers=said(PASSWORD), content=b"token=none")
    assert sent.status_code == 403, "the token of a page is wanted besides"


def test_a_form_that_is_too_long_is_refused(client: TestClient) -> None:
    sent = client.post("/label", headers=said(PASSWORD), content=b"x" * (MOST_BYTES + 1))
    assert sent.status_code == 400
    assert "bytes at most" in sent.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "lab.example.org.evil"])
def test_a_name_of_another_site_that_points_here_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"host": host, **said(PASSWORD)})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic \xff", "basic Og==", "Basic " + "A" * 4000, "x" * 5000]
)
def test_what_is_no_password_is_none(client: TestClient, header: str) -> None:
    given = header.encode("latin-1")
    assert client.get("/", headers={"Authorization": given}).status_code == 401


class Clock:
    """A time that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def guarded(clock: Clock) -> PasswordMiddleware:
    inside = Starlette(routes=[Route("/", lambda request: PlainTextResponse("in"))])
    return PasswordMiddleware(inside, PASSWORD, clock)


def test_after_some_wrong_passwords_none_is_looked_at_for_a_while() -> None:
    clock = Clock()
    app = guarded(clock)
    one, other = (TestClient(app, client=(host, 1)) for host in ("10.0.0.1", "10.0.0.2"))
    for _ in range(OF_ONE):
        assert one.get("/", headers=said("guess")).status_code == 401
    refused = one.get("/", headers=said(PASSWORD))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert other.get("/", headers=said(PASSWORD)).status_code == 200
    clock.now += WINDOW
    assert one.get("/", headers=said(PASSWORD)).status_code == 200


def test_guesses_from_many_addresses_are_counted_together() -> None:
    app = guarded(Clock())
    answers = [
        TestClient(app, client=(f"10.0.0.{host}", 1)).get("/", headers=said("guess")).status_code
        for host in range(OF_ALL + 5)
    ]
    assert answers == [401] * OF_ALL + [429] * 5


@pytest.mark.parametrize(
    ("arguments", "password", "why"),
    [
        (("--host", "127.0.0.2"), None, "set the variable CIRCUITKB_PASSWORD"),
        (("--allow-host", "lab.example.org"), None, "set the variable CIRCUITKB_PASSWORD"),
        (("--host", "127.0.0.2"), "short", "8 characters at least"),
        (("--host", "0.0.0.0"), PASSWORD, "--allow-host NAME"),
        (("--host", "0.0.0.0", "--allow-host", "*"), PASSWORD, "is no name or address"),
        (("--host", "no such host"), PASSWORD, "is no name or address"),
    ],
)
def test_what_would_be_open_to_everybody_is_refused(
    kb: ckb.KnowledgeBase,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    password: str | None,
    why: str,
) -> None:
    def serving(*_: object, **__: object) -> None:
        raise AssertionError("it would serve")

    monkeypatch.setattr(uvicorn.Server, "run", serving)
    done = CliRunner().invoke(
        app,
        ["serve", "--port", "0", "--kb", kb.address, *arguments],
        env={"CIRCUITKB_PASSWORD": password},
    )
    assert done.exit_code == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_it_serves_at_another_address_with_the_password(kb: ckb.KnowledgeBase) -> None:
    command = [sys.executable, "-m", "circuitkb", "serve", "--port", "0", "--host", "127.0.0.2"]
    settings = {**os.environ, "CIRCUITKB_PASSWORD": PASSWORD}
    begun = [*command, "--kb", kb.address]
    with subprocess.Popen(begun, stderr=subprocess.PIPE, text=True, env=settings) as process:
        assert process.stderr is not None
        try:
            assert "TLS" in process.stderr.readline()
            (where,) = re.findall(r"http://127\.0\.0\.2:\d+/", process.stderr.readline())
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(where)
            asked = urllib.request.Request(where, headers=said(PASSWORD))
            with urllib.request.urlopen(asked) as answer:
                assert b"circuitkb" in answer.read()
        finally:
            os.kill(process.pid, signal.SIGINT)
            rest = process.stderr.read()
    assert PASSWORD not in rest
