"""What stands on every page: a knowledge base read for it, bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from circuitkb import __version__
from circuitkb.atlas import side_by_side
from circuitkb.atlas.asking import ask
from circuitkb.atlas.claims import claim
from circuitkb.atlas.given import MOST_ROWS, PICTURES, ROWS, SECONDS, known, limit_of
from circuitkb.atlas.links import address
from circuitkb.atlas.nearby import around
from circuitkb.atlas.page import Field, Gallery, Page, Table
from circuitkb.atlas.photographs import best_photographs
from circuitkb.atlas.projection import Layout
from circuitkb.atlas.proofs import proofs
from circuitkb.atlas.stimuli import best
from circuitkb.atlas.views import viewed
from circuitkb.atlas.visualizations import searched
from circuitkb.atlas.weights import NAME, on_weights
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.queries.lists.predicates import missing, one_of
from circuitkb.report.unexplained import Told
from circuitkb.results.card import Card, Section
from circuitkb.results.pictures.thumbnails import Thumbnails
from circuitkb.results.result import Result
from circuitkb.schema.errors import NotFoundError, QueryError
from circuitkb.schema.responses import Responses

_OUTCOMES = ("held", "failed", "undecided")

_COUNTS = """\
MATCH (m:Model)
OPTIONAL MATCH (c:Circuit {model: m.id})
WITH m, count(c) AS circuits, sum(CASE WHEN c.trial IS NOT NULL THEN 1 ELSE 0 END) AS tried,
  sum(CASE WHEN c.trial = 'held' THEN 1 ELSE 0 END) AS held
RETURN m.id AS model, m.features AS features, m.edges_kept AS edges_kept, m.edges AS edges,
  circuits, tried, held
ORDER BY model"""

_SOURCES = """\
MATCH (m:Model)
RETURN m.id AS model, m.source AS source, m.license AS license, m.attribution AS attribution,
  m.fingerprint AS fingerprint
ORDER BY model"""

_AUTHORS = """\
MATCH (a:Annotation)-[:BY]->(w:Annotator)
RETURN coalesce(w.name, w.id) AS name, w.type AS type, a.license AS license, count(a) AS annotations
ORDER BY name, license"""


@dataclass(frozen=True)
class ListPage:
    """A list with a page of its own.

    Attributes
    ----------
    title
        What is listed.
    form
        Names of what narrows it, and what each may be; empty where anything may.
    columns
        What the page shows, in order.
    """

    title: str
    form: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...]


LISTS: Mapping[str, ListPage] = {
    "features": ListPage(
        "Features",
        {"model": (), "layer": (), "label": ()},
        ("feature", "labels", "orientation", "inputs", "input_l1"),
    ),
    "circuits": ListPage(
        "Circuits",
        {"model": (), "motif": (), "feature": (), "trial": (*_OUTCOMES, "untried")},
        ("circuit", "motif", "model", "shape", "members", "trial", "trial_q", "q", "stability"),
    ),
    "trials": ListPage(
        "Trials",
        {"model": (), "kind": (), "outcome": _OUTCOMES, "feature": ()},
        ("trial", "outcome", "target", "edit", "predicted", "low", "high", "measured", "q"),
    ),
}


class Pages:
    """Reads the pages of a knowledge base; each method gives one.

    Parameters
    ----------
    kb
        Stays open; only read.
    """

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self.layouts: dict[bytes, Layout] = {}
        self.told: dict[str, list[Told]] = {}

    def home(self) -> Page:
        """Return the first page: the models, and how much of each was found, tried and held."""
        found = self.kb.query(_COUNTS, limit=MOST_ROWS, timeout=SECONDS)
        columns = ("model", "features", "edges_kept", "edges", "circuits", "tried", "held")
        lead = (
            "Of each network the graph keeps the strongest inputs of each unit; a circuit held if "
            "its own trial did: the network was edited, and did what the circuit predicts.",
        )
        return Page("circuitkb", "index", lead, tables=(Table("Models", found, columns=columns),))

    def about(self) -> Page:
        """Return whose data these are, under which licences, and how to cite them."""
        models = self.kb.query(_SOURCES, limit=MOST_ROWS)
        authors = self.kb.query(_AUTHORS, limit=MOST_ROWS)
        return Page(
            "About",
            "about",
            (
                "Cite the networks and the labels by the names below, and circuitkb with its "
                f"version, {__version__}.",
            ),
            tables=(Table("Networks", models), Table("Annotations", authors)),
        )

    def compare(self, query: Mapping[str, str]) -> Page:
        """Return two models, or two circuits, beside each other."""
        return side_by_side.compare(self.kb, known(query, {"one", "other"}))

    def thing(self, id: str, query: Mapping[str, str] = MappingProxyType({})) -> Page:
        """Return the page of a feature, a circuit, or any other node.

        Raises
        ------
        NotFoundError
            There is no such thing here.
        QueryError
            The query asks for more of what such a page has not.
        """
        card, draw = self.kb.show(id), Thumbnails(self.kb.store)
        proved, broken = proofs(self.kb, card.kind, card.id)
        page = Page(
            title=card.id,
            address=address(card.id),
            kind=card.kind,
            labelled=card.id if card.kind == "feature" else "",
            facts=card.facts,
            figures=card.figures,
            galleries=(*self._galleries(card, self._responses(card)), *broken),
            tables=(*(_table(card, section, draw) for section in card.sections), *proved),
        )
        if card.kind == "claim":
            page = claim(self.kb, card.id, page.address)
        given = {name: value for name, value in query.items() if name != NAME}
        model = card.id if card.kind == "model" else str(card.facts.get("model") or "")
        return on_weights(self.kb, around(self.kb, page, card, given), model, query)

    def _galleries(self, card: Card, responses: Responses | None) -> tuple[Gallery, ...]:
        """Return the pictures that a feature answers to."""
        if card.kind != "feature":
            return ()
        shown = () if responses is None else best(responses, card.id)
        photographs = best_photographs(self.kb.store, card.id)
        return (*shown, *photographs, *searched(self.kb, card.id))

    def _responses(self, card: Card) -> Responses | None:
        """Return the responses among which those of a feature are, if it was observed."""
        if card.kind != "feature" or not card.facts.get("answers"):
            return None
        return self.kb.responses(str(card.facts["model"]))

    def listing(self, name: str, query: Mapping[str, str]) -> Page:
        """Return a page of :data:`LISTS`, narrowed by what its form gives.

        Raises
        ------
        QueryError
            The query has what the form has not.
        NotFoundError
            A name in it is not here.
        """
        page = LISTS[name]
        given: dict[str, Any] = known(query, {*page.form, "limit", "view"})
        limit, view = limit_of(given.pop("limit", "")), given.pop("view", "")
        made: Mapping[str, Callable[[], Any]] = {
            "features": lambda: self.kb.features(limit=limit, **given),
            "circuits": lambda: self._circuits(given, limit),
            "trials": lambda: self.kb.trials(limit=limit, **given),
        }
        result = made[name]().run()
        listed = Page(
            page.title,
            name,
            tables=(Table(page.title, result, columns=_there(result, page.columns)),),
            form=tuple(
                Field(part, part, given.get(part, ""), choices)
                for part, choices in page.form.items()
            ),
            query=given,
        )
        return viewed(self.kb, listed, view)

    def circuits_of(self, models: Sequence[str] | None) -> Page:
        """Return all circuits of some models, or of all."""
        found = self.kb.circuits(limit=None)
        return _whole("circuits", found if models is None else found.where(model=one_of(*models)))

    def trials_of(self, models: Sequence[str] | None) -> Page:
        """Return all trials of some models, or of all."""
        found = self.kb.trials(limit=None)
        return _whole("trials", found if models is None else found.where(network=one_of(*models)))

    def features_of(self, ids: Sequence[str]) -> Page:
        """Return these features."""
        return _whole("features", self.kb.features(id=list(ids), limit=None))

    def _circuits(self, given: Mapping[str, Any], limit: int) -> Any:
        rest = dict(given)
        trial = rest.pop("trial", "")
        found = self.kb.circuits(limit=limit, **rest)
        return found.where(trial=missing() if trial == "untried" else trial) if trial else found

    def search(self, query: Mapping[str, str]) -> Page:
        """Return what fits a text: a thing by its id, features by a label, an answer in words.

        Raises
        ------
        QueryError
            Nothing was given.
        """
        text = known(query, {"q"}).get("q", "").strip()
        if not text:
            raise QueryError("Nothing to look for: give an id, a label or a question.")
        try:
            return self.thing(text)
        except NotFoundError as error:
            nowhere = str(error)
        try:
            labelled = self.kb.features(label=text, limit=ROWS).run()
        except NotFoundError:
            if len(text.split()) < 2:
                raise NotFoundError(f"{nowhere} No label has it in it, either.") from None
            return ask(self.kb, {"question": text})
        return Page(
            f"Search: {text}",
            "search",
            lead=("Read as a part of a label.",),
            tables=(
                Table("Features", labelled, columns=_there(labelled, LISTS["features"].columns)),
            ),
            query={"q": text},
        )


def _table(card: Card, section: Section, draw: Thumbnails) -> Table:
    rows = section.result.to_dicts()
    if section.title == "Strongest inputs":
        rows = [{**row, "target": card.id} for row in rows]
    elif section.title == "Strongest outputs":
        rows = [{**row, "source": card.id} for row in rows]
    pictures = tuple(map(draw, rows[:PICTURES]))
    return Table(
        section.title,
        section.result,
        section.note,
        section.shown.columns,
        pictures if any(pictures) else (),
    )


def _whole(name: str, rows: Any) -> Page:
    page, result = LISTS[name], rows.run()
    return Page(
        page.title,
        name,
        tables=(Table(page.title, result, columns=_there(result, page.columns)),),
    )


def _there(result: Result, wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in wanted if name in result.columns)
