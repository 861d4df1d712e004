"""Pages over HTTP: each is a link, and the same with ``.json``, ``.csv``, ``.svg`` or ``.png``."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

from circuitkb.atlas import asking, labelling
from circuitkb.atlas.claims import claims
from circuitkb.atlas.coverage import coverage
from circuitkb.atlas.feature_map import feature_map, javascript
from circuitkb.atlas.images import is_image, png
from circuitkb.atlas.links import of_address
from circuitkb.atlas.page import Page
from circuitkb.atlas.pages import LISTS, Pages
from circuitkb.atlas.password import PasswordMiddleware
from circuitkb.atlas.patterns import pattern
from circuitkb.atlas.rendering import STATIC, Place, render
from circuitkb.atlas.signed import signed
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.results.pictures.png import png_of
from circuitkb.results.text import to_json
from circuitkb.schema.errors import AccessError, CircuitKBError, IdError, NotFoundError, QueryError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names by which a browser may ask: another site's name that points here is refused."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all browsers hide where a form comes from
    "Cross-Origin-Resource-Policy": "same-origin",
}

_LONGEST_QUERY = 50_000
"""Characters of what stands after ``?``."""

_NUMBER = re.compile("[1-9][0-9]{0,3}")
"""Which picture of a page."""

Act = Callable[[KnowledgeBase, labelling.Given], str]
"""Writes what a form gives, and returns the address of the page to look at then."""

_ACTS: Mapping[str, Act] = {
    "label": labelling.label,
    "review": labelling.review,
}

_AUTHOR, _YEAR = "author", 365 * 24 * 3600
"""The cookie that keeps who writes, and for how many seconds."""


def build(
    kb: KnowledgeBase,
    *,
    write: bool = False,
    hosts: Sequence[str] = LOOPBACK,
    password: str = "",
) -> FastAPI:
    """Return the application that serves a knowledge base; it only reads, unless told otherwise.

    Parameters
    ----------
    kb
        Stays open as long as the application runs.
    write
        Whether its pages take labels.
    hosts
        Names by which it may be asked.
    password
        What must be given for anything; nothing if empty.
    """
    app = FastAPI(title="circuitkb", docs_url=None, redoc_url=None, openapi_url=None)
    if password:
        app.add_middleware(PasswordMiddleware, password=password)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.get("/static/vega.js")
    def vega() -> Response:
        return _answer(javascript(), "text/javascript")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    pages, turn = Pages(kb), threading.Lock()
    place = Place(token=secrets.token_urlsafe(32) if write else "")

    @app.get("/{path:path}")
    def page(path: str, request: Request) -> Response:
        address, ending = _split(path)
        try:
            if ending == "png" and is_image(address):
                with turn:
                    return _image(png(kb.store, address))
            if len(request.url.query) > _LONGEST_QUERY:
                raise QueryError(f"A link has {_LONGEST_QUERY:,} characters at most.")
            with turn:  # one question at a time: the store's time and memory are for one
                found, number = _pictured(pages, address, ending, dict(request.query_params))
                found = signed(found, kb.store)
                if write and found.labelled:
                    author = unquote(request.cookies.get(_AUTHOR, ""))
                    back = "" if found.kind == "feature" else found.address
                    found = replace(found, acts=labelling.acts(kb, found.labelled, author, back))
            return _response(found, ending, place, number)
        except CircuitKBError as error:
            return _refused(error, address, ending, place)

    if not write:
        return app

    def in_turn(act: Act, given: labelling.Given) -> str:
        with turn:
            return act(kb, given)

    @app.post("/{act}")
    async def written(act: str, request: Request) -> Response:
        try:
            body = b""
            async for piece in request.stream():
                body += piece
                if len(body) > labelling.MOST_BYTES:
                    break
            given = labelling.Given.read(body)
            labelling.check_sender(given, request.headers, place.token)
            if act not in _ACTS:
                raise NotFoundError(f"Nothing can be written at {act!r}.")
            where = await run_in_threadpool(in_turn, _ACTS[act], given)
        except CircuitKBError as error:
            return _refused(error, act, "html", place)
        answer = RedirectResponse(place.link(where), 303, _HEADERS)
        answer.set_cookie(_AUTHOR, quote(given["author"]), _YEAR, httponly=True, samesite="strict")
        return answer

    return app


def _split(path: str) -> tuple[str, str]:
    for ending in ("json", "csv", "svg", "png"):
        if path.endswith(f".{ending}"):
            return path.removesuffix(f".{ending}"), ending
    return path, "html"


def _pictured(
    pages: Pages, address: str, ending: str, query: Mapping[str, str]
) -> tuple[Page, int]:
    """Return a page and which of its pictures is asked for: ``ADDRESS.2.svg`` is the second.

    Where there is a thing at ``ADDRESS.2`` itself, its first one is.
    """
    whole, _, number = address.rpartition(".")
    if ending not in ("svg", "png") or not _NUMBER.fullmatch(number):
        return _page(pages, address, query), 1
    try:
        if address.startswith("node/"):
            return _page(pages, address, query), 1
    except NotFoundError:
        pass
    return _page(pages, whole, query), int(number)


def _page(pages: Pages, address: str, query: Mapping[str, str]) -> Page:
    named: Mapping[str, Callable[[], Page]] = {
        "": pages.home,
        "index": pages.home,
        "about": pages.about,
        "questions": lambda: asking.questions(pages.kb),
        "ask": lambda: asking.ask(pages.kb, query),
        "query": lambda: asking.cypher(pages.kb, query),
        "search": lambda: pages.search(query),
        labelling.QUEUE: lambda: labelling.queue(pages.kb, query),
        "coverage": lambda: coverage(pages.kb, pages.told),
        "claims": lambda: claims(pages.kb, query),
        "compare": lambda: pages.compare(query),
        "pattern": lambda: pattern(pages.kb, query),
    }
    if address in named:
        return named[address]()
    if address in LISTS:
        return pages.listing(address, query)
    if address.startswith("map/"):
        model = of_address(address.replace("map/", "node/", 1))
        return feature_map(pages.kb, model, query, pages.layouts)
    return pages.thing(of_address(address), query)


def _response(page: Page, ending: str, place: Place, number: int = 1) -> Response:
    if ending == "json":
        return _answer(to_json(page.to_dict(), indent=2), "application/json")
    if ending == "csv":
        if not page.tables:
            raise NotFoundError("This page has no table.")
        return _answer(page.tables[0].result.to_csv(), "text/csv")
    if ending in ("svg", "png"):
        pictures = page.pictures
        if number > len(pictures):
            raise NotFoundError(f"This page has {len(pictures) or 'no'} pictures.")
        svg = pictures[number - 1]
        return _answer(svg, "image/svg+xml") if ending == "svg" else _image(png_of(svg))
    return _answer(render(page, place), "text/html")


def _refused(error: CircuitKBError, address: str, ending: str, place: Place) -> Response:
    status = 404 if isinstance(error, NotFoundError | IdError) else 400
    if isinstance(error, AccessError):
        status = 403
    if ending == "html":
        page = Page(
            "Not here" if status == 404 else "Not so", address, tuple(str(error).splitlines())
        )
        return _answer(render(page, place), "text/html", status)
    return _answer(to_json({"error": str(error)}), "application/json", status)


def _image(data: bytes) -> Response:
    return Response(data, headers={**_HEADERS, "Content-Type": "image/png"})


def _answer(text: str, kind: str, status: int = 200) -> Response:
    return Response(
        text.encode("utf-8", "replace"),
        status,
        {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8"},
    )
