"""The pages as files: a folder that opens from any web host, and from a disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitkb.atlas.asking import questions
from circuitkb.atlas.claims import claims
from circuitkb.atlas.contents import contents, unlicensed
from circuitkb.atlas.coverage import coverage
from circuitkb.atlas.data import LISTS, cited, data_of
from circuitkb.atlas.feature_map import feature_map, mapped
from circuitkb.atlas.images import png
from circuitkb.atlas.links import address, is_address, map_address
from circuitkb.atlas.page import Page
from circuitkb.atlas.pages import Pages
from circuitkb.atlas.photographs import unpublishable
from circuitkb.atlas.rendering import STATIC, Place, render
from circuitkb.atlas.signed import published, signed
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.moving.releases.citation import CITATION
from circuitkb.results.text import to_json
from circuitkb.schema.errors import ServingError
from circuitkb.schema.progress import Progress, silent

MOST_CLAIMS = 100_000
"""Claims that the page of all of them lists."""

MARK = "atlas.json"
"""Names the folder as one of ours, and says whether it is whole."""


@dataclass(frozen=True)
class Written:
    """A folder of pages.

    Attributes
    ----------
    pages, new
        How many it has, and how many of them were written now.
    bytes
        Of the whole folder.
    """

    folder: Path
    pages: int
    new: int
    bytes: int


def write_atlas(
    kb: KnowledgeBase,
    folder: Path,
    *,
    models: Sequence[str] | None = None,
    inputs: bool = False,
    with_unlicensed: bool = False,
    progress: Progress = silent,
) -> Written:
    """Write the pages of a knowledge base into a folder; the same content gives the same bytes.

    An interrupted run goes on where it was when it is repeated. A folder that holds anything else
    is refused, and left as it is.

    Parameters
    ----------
    models, inputs
        As for :func:`~circuitkb.atlas.contents.contents`.
    with_unlicensed
        Whether labels and pictures go along whose authors gave no licence.
    progress
        Called with how far it is.

    Raises
    ------
    ServingError
        The folder holds something else, or labels have no licence.
    NotFoundError
        There is no such model.
    """
    _ours(folder)
    found = "" if with_unlicensed else unlicensed(kb)
    if found:
        raise ServingError(
            f"{found} have no licence, and an atlas is made to be published. Ask their authors, or "
            "say --with-unlicensed."
        )
    progress("Choosing pages", 0.0)
    chosen = contents(kb, models, inputs=inputs)
    for said in () if with_unlicensed else unpublishable(kb.store, chosen.models):
        raise ServingError(said)
    pages = Pages(kb)
    maps = [model for model in mapped(kb) if model in chosen.nodes]
    named: list[tuple[str, Callable[[], Page]]] = [
        ("index", pages.home),
        ("about", pages.about),
        ("coverage", lambda: coverage(kb)),
        ("claims", lambda: claims(kb, {}, most=MOST_CLAIMS)),
        ("questions", lambda: questions(kb)),
        ("circuits", lambda: pages.circuits_of(models)),
        ("features", lambda: pages.features_of(chosen.features)),
        ("trials", lambda: pages.trials_of(models)),
        *((map_address(m), lambda m=m: feature_map(kb, m, {}, pages.layouts)) for m in maps),
        *((address(id), lambda id=id: pages.thing(id)) for id in chosen.nodes),
    ]
    names = [name for name, _ in named]
    if _mark(folder).get("state") != chosen.state:
        _begin(folder, chosen.state, names)
    there = frozenset(names)
    new = 0
    for done, (name, read) in enumerate(named):
        progress("Writing pages", done / len(named))
        file = folder / f"{name}.html"
        if file.exists():
            continue
        page = published(signed(read(), kb.store), chosen.models)
        if name in LISTS:
            for ending, data in data_of(page).items():
                _write(folder / f"{name}{ending}", data)
        place = Place("../" * name.count("/") or "./", ".html", live=False, there=there)
        # Before the page that shows them: a page that is there is whole.
        for image in (image for gallery in page.galleries for image in gallery.images):
            _draw(folder / f"{image.address}.png", kb, image.address)
        _write(file, render(page, place))
        new += 1
    _write(folder / CITATION, cited(kb, models))
    _write(folder / "search-index.js", _index(kb, chosen.nodes))
    for item in sorted(STATIC.iterdir()):
        if item.is_file():
            _write(folder / "static" / item.name, item.read_text("utf-8"))
    _say(folder, chosen.state, names, whole=True)
    return Written(folder, len(named), new, sum(size for _, size in _files(folder)))


def _index(kb: KnowledgeBase, nodes: Sequence[str]) -> str:
    """Return what the search of a folder looks in: ids, labels and addresses, as a script.

    A script, since a browser lets no page of a disk read a file.
    """
    rows = kb.query(
        "MATCH (f:Feature)<-[:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})"
        "-[:USES]->(l:Label) RETURN f.id AS id, collect(DISTINCT l.text) AS labels ORDER BY id",
        limit=None,
    )
    labels = {row["id"]: sorted(row["labels"]) for row in rows}
    entries = [[id, ", ".join(labels.get(id, ())), f"{address(id)}.html"] for id in nodes]
    # "<" is written as a code, so that no text ends the script where it stands in a page.
    return f"window.pages = {to_json(entries)};\n".replace("<", "\\u003c")


def _ours(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not _mark(folder)):
        raise ServingError(f"{folder} holds something else: name a new or an empty folder.")


def _mark(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("made_by") == "circuitkb" else {}


def _begin(folder: Path, state: str, names: Sequence[str]) -> None:
    """Remove the pages of an earlier state, and say which state those are that come."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _mark(folder).get("pages")
    for name in before if isinstance(before, list) else ():
        if is_address(name):
            (folder / f"{name}.html").unlink(missing_ok=True)
    _say(folder, state, names, whole=False)


def _say(folder: Path, state: str, names: Sequence[str], *, whole: bool) -> None:
    said = {"made_by": "circuitkb", "whole": whole, "state": state, "pages": list(names)}
    _write(folder / MARK, to_json(said))


def _draw(file: Path, kb: KnowledgeBase, address: str) -> None:
    if not file.exists():
        _write(file, png(kb.store, address))


def _write(file: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(data)
    part.replace(file)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.stat().st_size
