"""Everything known of one feature, layer, model or circuit, on one card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

from circuitkb.queries.lists.conditions import Mention
from circuitkb.queries.lists.criteria import labels_of
from circuitkb.queries.questions.catalogue import find
from circuitkb.results.result import Result, show, to_json
from circuitkb.schema.definition import did_you_mean, node_type
from circuitkb.schema.errors import CircuitKBError, IdError, NotFoundError
from circuitkb.schema.ids import FeatureId, LayerId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from rich.console import Group

STRONGEST = 10
"""Inputs and outputs that a card shows."""


@dataclass(frozen=True)
class Section:
    """A table on a card.

    Attributes
    ----------
    title, result
        What it is, and its rows.
    note
        What a reader must know about it.
    unshown
        Columns that a terminal does not show; JSON has them all.
    """

    title: str
    result: Result
    note: str = ""
    unshown: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.result.columns

    @property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """The rows."""
        return self.result.rows

    @property
    def shown(self) -> Result:
        """What a terminal shows: no unshown columns, and none without a value."""
        columns = [
            name
            for name in self.columns
            if name not in self.unshown and any(value is not None for value in self.result[name])
        ]
        return self.result.select(columns)


@dataclass(frozen=True)
class Card:
    """What is known of one thing.

    Attributes
    ----------
    kind
        ``feature``, ``layer``, ``model`` or ``circuit``.
    id
        Its id.
    facts
        Its own properties; what is not known is left out.
    sections
        What it is joined to; empty ones are left out.
    """

    kind: str
    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists."""
        return {
            "kind": self.kind,
            "id": self.id,
            "facts": dict(self.facts),
            "sections": [
                {"title": s.title, "note": s.note, "rows": s.result.to_dicts()}
                for s in self.sections
            ],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON."""
        return to_json(self.to_dict(), indent)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a picture of a circuit or of a feature's inputs, tables."""
        from circuitkb.results.pictures.circuit_diagram import diagram

        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(show(value))}</td></tr>"
            for name, value in self.facts.items()
        )
        tables = "".join(
            f"<h4>{escape(section.title)}</h4>{section.shown._repr_html_()}"
            f"<p>{escape(section.note)}</p>"
            for section in self.sections
        )
        picture = diagram(*self._drawn())
        return (
            f"<h3>{escape(self.kind)} {escape(self.id)}</h3>{picture}<table>{facts}</table>{tables}"
        )

    def _drawn(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """Return the features and weights of the picture, and what stands below it."""
        rows = {section.title: section.result.to_dicts() for section in self.sections}
        if self.kind == "circuit":
            nulls = "; ".join(
                f"{e['kind']}: {show(e['value'])} against {show(e['null_mean'])} under the null, "
                f"q = {show(e['q'])}"
                for e in rows.get("Evidence", [])
                if e["null_mean"] is not None
            )
            return rows.get("Members", []), rows.get("Weights between them", []), nulls
        inputs = rows.get("Strongest inputs", [])[:6] if self.kind == "feature" else []
        weights = [{**row, "target": self.id} for row in inputs]
        sources = {row["source"]: row["labels"] for row in inputs}
        members = [{"feature": id, "labels": labels} for id, labels in sources.items()]
        if members:
            said = [row["label"] for row in rows.get("Labels", [])]
            members.append({"feature": self.id, "labels": dict.fromkeys(said)})
        return members, weights, "Its strongest inputs by l1." if members else ""

    def __rich__(self) -> Group:
        """Return what a terminal shows."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        facts = Table.grid(padding=(0, 2))
        for name, value in self.facts.items():
            facts.add_row(Text(name, style="dim"), Text(show(value)))
        parts: list[Any] = [Text.assemble((self.kind, "dim"), " ", (self.id, "bold")), facts]
        for section in self.sections:
            parts += [Text(""), Text(section.title, style="bold"), section.shown.__rich__()]
            if section.note:
                parts.append(Text(section.note, style="dim"))
        return Group(*parts)


def card(store: Store, id: str) -> Card:
    """Return the card of a feature, a layer, a model or a circuit.

    Raises
    ------
    NotFoundError
        There is no such thing; the message has near matches.
    """
    for label, make in _MAKERS.items():
        properties = ", ".join(f"n.{p.name} AS {p.name}" for p in node_type(label).properties)
        answer = store.read(f"MATCH (n:{label} {{id: $id}}) RETURN {properties}", {"id": id})
        if answer.rows:
            values = zip(answer.columns, answer.rows[0], strict=True)
            facts = {
                name: value for name, value in values if name != "id" and value not in (None, [])
            }
            sections = tuple(section for section in make(store, id, facts) if section.rows)
            return Card(label.lower(), id, facts, sections)
    raise _not_found(store, id)


def _not_found(store: Store, id: str) -> CircuitKBError:
    try:
        feature = FeatureId.parse(id)
        known_names.check(store, [Mention("feature", str(feature))])
    except NotFoundError as error:
        return error
    except IdError:
        pass
    try:
        place = LayerId.parse(id)
        known_names.check(store, [Mention("layer", place.layer, place.model)])
    except NotFoundError as error:
        return error
    except IdError:
        pass
    circuits = store.read("MATCH (c:Circuit) RETURN c.id AS id", limit=None).rows
    known = [*known_names.models(store), *(row[0] for row in circuits)]
    near = did_you_mean(id, known) if known else ""
    return NotFoundError(f"No feature, layer, model or circuit {id!r} here.{near}")


def _section(
    store: Store,
    title: str,
    cypher: str,
    note: str = "",
    unshown: tuple[str, ...] = (),
    **parameters: Any,
) -> Section:
    answer = store.read(cypher, parameters)
    return Section(
        title,
        Result(
            answer.columns,
            tuple(answer.rows),
            answer.truncated,
            cypher,
            parameters,
            answer.seconds,
        ),
        note,
        unshown,
    )


def _question(store: Store, title: str, name: str, note: str = "", **values: Any) -> Section:
    statement = find(name).bind(values)
    return _section(store, title, statement.text, note, **statement.parameters)


LABELS = """\
MATCH (:Feature {id: $id})<-[about:ANNOTATES WHERE about.role IS NULL]-
  (a:Annotation {kind: 'label', state: 'live'})
  -[:USES]->(l:Label)
OPTIONAL MATCH (a)-[:BY]->(who:Annotator)
RETURN l.text AS label, who.id AS said_by, who.name AS name, a.method AS method,
  a.confidence AS confidence, a.created AS created, a.source AS source
ORDER BY label, said_by, source, a.id"""

_EVIDENCE_COLUMNS = """\
e.kind AS kind, e.stance AS stance, e.value AS value, e.null_mean AS null_mean,
  e.null_count AS null_count, e.p AS p, e.q AS q, e.tested AS tested, e.method AS method,
  e.null_method AS null_method, e.detail AS detail, e.id AS id"""

_LONG = ("detail", "id", "method", "null_method")

FEATURE_EVIDENCE = f"""\
MATCH (e:Evidence)-[:ABOUT]->(:Feature {{id: $id}})
RETURN DISTINCT {_EVIDENCE_COLUMNS}
ORDER BY kind, q, id"""

CIRCUIT_EVIDENCE = f"""\
MATCH (e:Evidence)-[:ABOUT|SUPPORTS|REFUTES]->(:Circuit {{id: $id}})
RETURN DISTINCT {_EVIDENCE_COLUMNS}
ORDER BY kind, q, id"""

TRANSFORMED = """\
MATCH (:Feature {id: $id})-[r:TRANSFORMS_TO]->(f:Feature)
RETURN f.id AS feature, r.group AS transform, r.parameter AS degrees, r.score AS score,
  r.same AS same, r.null_mean AS null_mean, r.p AS p, r.q AS q, r.method AS method
ORDER BY score DESC, feature, transform, degrees"""

ANALOGOUS_FEATURES = f"""\
MATCH (:Feature {{id: $id}})-[r:ANALOGOUS_TO]-(f:Feature) WHERE r.q <= 0.05
RETURN f.id AS feature, {labels_of("f")} AS labels, r.score AS score, r.null_mean AS null_mean,
  r.p AS p, r.q AS q, r.method AS method
ORDER BY score DESC, feature, method"""

ANALOGOUS_CIRCUITS = """\
MATCH (:Circuit {id: $id})-[r:ANALOGOUS_TO]-(c:Circuit) WHERE r.q <= 0.05
RETURN c.id AS circuit, c.model AS model, c.group AS group, r.score AS score,
  r.null_mean AS null_mean, r.p AS p, r.q AS q, r.method AS method
ORDER BY score DESC, circuit, method"""

MEMBERS = f"""\
MATCH (f:Feature)-[b:MEMBER_OF]->(:Circuit {{id: $id}})
MATCH (f)-[:IN_LAYER]->(y:Layer)
RETURN b.side AS side, b.role AS role, f.id AS feature, b.weight AS weight,
  {labels_of("f")} AS labels, y.position AS position
ORDER BY coalesce(side, 9), role, feature"""

MEMBER_WEIGHTS = """\
MATCH (c:Circuit {id: $id})<-[:MEMBER_OF]-(s:Feature)-[w:WEIGHT]->(t:Feature)-[:MEMBER_OF]->(c)
RETURN DISTINCT s.id AS source, t.id AS target, w.positive AS positive, w.negative AS negative,
  w.positive_dy AS positive_dy, w.positive_dx AS positive_dx, w.rank AS rank,
  w.connection AS connection, w.origin AS origin, w.flag AS flag
ORDER BY target, source, connection"""

TWINS = """\
MATCH (c:Circuit {id: $id})<-[:MEMBER_OF]-(:Feature)-[:MEMBER_OF]->(o:Circuit)
WHERE o.id <> c.id
WITH DISTINCT c, o, CASE WHEN c.origin = 'found' THEN c ELSE o END AS inner,
  CASE WHEN c.origin = 'found' THEN o ELSE c END AS outer
WHERE inner.origin = 'found' AND outer.origin = 'published'
  AND NOT EXISTS { MATCH (f:Feature)-[:MEMBER_OF]->(inner)
    WHERE NOT EXISTS { MATCH (f)-[:MEMBER_OF]->(outer) } }
RETURN o.id AS circuit, o.motif AS motif, o.origin AS origin, o.score AS score, o.claim AS claim
ORDER BY circuit"""

LAYERS = """\
MATCH (y:Layer)-[:IN_MODEL]->(:Model {id: $id})
RETURN y.position AS position, y.name AS layer, y.kind AS kind, y.channels AS channels,
  y.height AS height, y.width AS width
ORDER BY position, layer"""

MODEL_CIRCUITS = """\
MATCH (c:Circuit) WHERE c.model = $id
RETURN c.motif AS motif, c.origin AS origin, count(c) AS circuits,
  count(DISTINCT c.group) AS groups
ORDER BY origin, motif"""

IMPORTS = """\
MATCH (i:Import) WHERE i.model = $id
RETURN i.kind AS kind, i.source AS source, i.created AS created, i.seconds AS seconds,
  i.tool AS tool, i.summary AS summary, i.id AS id
ORDER BY created, id"""

LAYER_LABELS = """\
MATCH (f:Feature)-[:IN_LAYER]->(:Layer {id: $id})
MATCH (f)<-[about:ANNOTATES WHERE about.role IS NULL]-
  (:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
RETURN l.text AS label, count(DISTINCT f) AS features
ORDER BY features DESC, label"""

# The last digits of a sum depend on the order of its parts; to order them would take longest.
LAYER_INPUTS = """\
MATCH (:Layer {id: $id})<-[:IN_LAYER]-(:Feature)<-[w:WEIGHT]-(s:Feature)-[:IN_LAYER]->(y:Layer)
RETURN y.name AS from_layer, w.path AS path, w.connection AS connection, count(w) AS edges_kept,
  round(sum(w.l1), 6) AS l1
ORDER BY from_layer, connection, path"""


def _evidence(store: Store, cypher: str, id: str) -> Section:
    """The measurements, and below them once each what was measured and how its null was made."""
    section = _section(store, "Evidence", cypher, unshown=_LONG, id=id)
    told = dict.fromkeys(
        f"{row['kind']}: {row['method']}."
        + (f" Null: {row['null_method']}." if row["null_method"] else "")
        for row in section.result.to_dicts()
    )
    return replace(section, note="\n".join(told))


def _labels(store: Store, id: str) -> Section:
    """The labels, each with what measurements say of it where a vocabulary ties it to one."""
    from circuitkb.annotations.comparing.measured_labels import of_feature

    section = _section(store, "Labels", LABELS, unshown=("name",), id=id)
    if not section.rows:
        return section
    said = {row["label"]: row for row in of_feature(store, id).to_dicts()}
    told = [said.get(label) for label in section.result["label"]]
    result = replace(
        section.result,
        columns=(*section.columns, "measured"),
        rows=tuple(
            (*row, row_said and row_said["verdict"])
            for row, row_said in zip(section.rows, told, strict=True)
        ),
    )
    note = "\n".join(
        f"{row['label']}: expected {row['expected']}, measured {row['measured']}"
        + (f" (q = {row['q']:.2g})" if row["q"] is not None else "")
        for row in said.values()
        if row["verdict"] != "not measured"
    )
    return replace(section, result=result, note=note)


def _feature(store: Store, id: str, facts: Mapping[str, Any]) -> list[Section]:
    total, left_out = facts.get("input_l1"), facts.get("left_out_l1")
    note = "By l1; the net sum is not the meaning of a spatial kernel."
    if total and left_out is not None:
        note += f" The graph leaves out {left_out / total:.0%} of the l1 of all its inputs."
    return [
        _labels(store, id),
        _question(store, "Strongest inputs", "inputs", note, feature=id, top=STRONGEST),
        _question(store, "Strongest outputs", "outputs", feature=id, top=STRONGEST),
        _question(store, "Circuits", "circuits-of", feature=id),
        _section(store, "Transforms to", TRANSFORMED, unshown=_LONG, id=id),
        _section(store, "Analogous features", ANALOGOUS_FEATURES, unshown=_LONG, id=id),
        _evidence(store, FEATURE_EVIDENCE, id),
    ]


def _circuit(store: Store, id: str, facts: Mapping[str, Any]) -> list[Section]:
    found = facts.get("origin") == "found"
    return [
        _section(store, "Members", MEMBERS, unshown=("position",), id=id),
        _section(store, "Weights between them", MEMBER_WEIGHTS, id=id),
        _evidence(store, CIRCUIT_EVIDENCE, id),
        _section(store, "Analogous circuits", ANALOGOUS_CIRCUITS, unshown=_LONG, id=id),
        _section(
            store,
            "Whole in these published circuits" if found else "Parts of it found here",
            TWINS,
            id=id,
        ),
    ]


def _model(store: Store, id: str, facts: Mapping[str, Any]) -> list[Section]:
    return [
        _section(store, "Layers", LAYERS, id=id),
        _section(store, "Circuits", MODEL_CIRCUITS, id=id),
        _section(store, "Written by", IMPORTS, id=id),
    ]


def _layer(store: Store, id: str, facts: Mapping[str, Any]) -> list[Section]:
    return [
        _section(store, "Labels", LAYER_LABELS, id=id),
        _section(store, "Inputs, by connection", LAYER_INPUTS, id=id),
    ]


_MAKERS: Mapping[str, Callable[[Store, str, Mapping[str, Any]], list[Section]]] = {
    "Feature": _feature,
    "Layer": _layer,
    "Model": _model,
    "Circuit": _circuit,
}
