"""The tables on a card: chosen ones for what has them, for any other kind what it is joined to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from circuitkb.queries.lists.criteria import STEADY, labels_of
from circuitkb.queries.lists.statement import Statement
from circuitkb.queries.questions.catalogue import find
from circuitkb.results.card import Section
from circuitkb.results.photograph_sections import photograph_sections
from circuitkb.results.result import Result
from circuitkb.schema.definition import RELATIONS, RelationType, node_type
from circuitkb.stores.base import Store
from circuitkb.visualization.visualization import KIND, SAYS_NOT, figures_in, row_of

STRONGEST = 10
"""Inputs and outputs that a card shows."""

MOST_JOINED = 20
"""Rows of each relation that the card of any other kind of node shows."""


_ENDS = {"Strongest inputs": "target", "Strongest outputs": "source"}
"""The end of each weight that a table leaves out: it is the feature of the card."""


def _section(
    store: Store,
    title: str,
    cypher: str,
    note: str = "",
    unshown: tuple[str, ...] = (),
    **parameters: Any,
) -> Section:
    answer = store.read(cypher, parameters)
    ends = {end: str(parameters["feature"]) for end in [_ENDS.get(title)] if end}

    def draw(row: Mapping[str, Any]) -> str:
        from circuitkb.results.pictures.thumbnails import Thumbnails  # which needs NumPy

        return Thumbnails(store)({**row, **ends})

    return Section(
        title,
        Result.of_answer(answer, Statement(cypher, parameters), illustrate=draw),
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

_TRIAL_COLUMNS = """\
t.kind AS kind, t.outcome AS outcome, t.edit AS edit, t.predicted AS predicted, t.low AS low,
  t.high AS high, t.measured AS measured, t.null_mean AS null_mean, t.null_count AS null_count,
  t.p AS p, t.q AS q, t.measure AS measure, t.null_method AS null_method, t.detail AS detail,
  t.id AS trial"""

FEATURE_TRIALS = f"""\
MATCH (t:Trial)-[:ABOUT]->(:Feature {{id: $id}})
RETURN DISTINCT {_TRIAL_COLUMNS}
ORDER BY kind, outcome DESC, q, trial"""

CIRCUIT_TRIALS = f"""\
MATCH (t:Trial)-[:ABOUT|SUPPORTS|REFUTES]->(:Circuit {{id: $id}})
RETURN DISTINCT {_TRIAL_COLUMNS}
ORDER BY kind, outcome DESC, q, trial"""

VISUALIZATIONS = """\
MATCH (e:Evidence {kind: $kind})-[:ABOUT]->(:Feature {id: $id})
RETURN e.id AS id, e.detail AS detail ORDER BY e.seed, id"""

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
MATCH (:Circuit {{id: $id}})<-[b:MEMBER_OF]-(f:Feature)
MATCH (f)-[:IN_LAYER]->(y:Layer)
RETURN b.side AS side, b.role AS role, f.id AS feature, b.facing AS facing, b.weight AS weight,
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

# From what is known: where another clause follows, the embedded engine goes from the left.
LAYER_LABELS = """\
MATCH (:Layer {id: $id})<-[:IN_LAYER]-(f:Feature)
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
    methods = dict.fromkeys(
        f"{row['kind']}: {row['method']}."
        + (f" Null: {row['null_method']}." if row["null_method"] else "")
        for row in section.result.to_dicts()
    )
    return replace(section, note="\n".join(methods))


def _visualizations(store: Store, id: str) -> Section:
    """The images that were searched for a feature, in figures: the images are on its page."""
    answer = store.read(VISUALIZATIONS, {"id": id, "kind": KIND})
    kept = [(evidence, figures_in(detail)) for evidence, detail in answer.rows]
    rows = [row_of(found) | {"evidence": evidence} for evidence, found in kept if found is not None]
    title, note = "Images searched so that it answers most", SAYS_NOT if rows else ""
    return Section(title, Result.of_records(rows), note, unshown=("evidence",))


def _trials(store: Store, cypher: str, id: str) -> Section:
    """The trials, and below them once each what was measured and against which controls."""
    unshown = ("measure", "null_method", "detail")
    section = _section(store, "Trials", cypher, unshown=unshown, id=id)
    said = dict.fromkeys(
        f"{row['kind']}: {row['measure']}."
        + (f" Controls: {row['null_method']}." if row["null_method"] else "")
        + _parts(row["detail"])
        for row in section.result.to_dicts()
    )
    return replace(section, note="\n".join(said))


def _parts(detail: str | None) -> str:
    """Say which parts of a trial held, where it has parts."""
    parts = json.loads(detail or "{}").get("parts", {})
    said = (f"{name} {'held' if part['held'] else 'failed'}" for name, part in parts.items())
    return f" Parts: {', '.join(said)}." if parts else ""


def _labels(store: Store, id: str) -> Section:
    """The labels, each with what measurements say of it where a vocabulary ties it to one."""
    from circuitkb.annotations.comparing.measured_labels import of_feature

    section = _section(store, "Labels", LABELS, unshown=("name",), id=id)
    if not section.rows:
        return section
    measured = {row["label"]: row for row in of_feature(store, id).to_dicts()}
    rows = [measured.get(label) for label in section.result["label"]]
    result = replace(
        section.result,
        columns=(*section.columns, "measured"),
        rows=tuple(
            (*row, found and found["verdict"])
            for row, found in zip(section.rows, rows, strict=True)
        ),
    )
    note = "\n".join(
        f"{row['label']}: expected {row['expected']}, measured {row['measured']}"
        + (f" (q = {row['q']:.2g})" if row["q"] is not None else "")
        for row in measured.values()
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
        _visualizations(store, id),
        _evidence(store, FEATURE_EVIDENCE, id),
        _trials(store, FEATURE_TRIALS, id),
        *photograph_sections(store, id),
    ]


def _circuit(store: Store, id: str, facts: Mapping[str, Any]) -> list[Section]:
    found = facts.get("origin") == "found"
    stability = facts.get("stability")
    note = ""
    if stability is not None and stability < STEADY:
        note = (
            f"It comes and goes: without a tenth of the stimuli it is still there {stability:.0%} "
            "of the time."
        )
    return [
        _section(store, "Members", MEMBERS, note, unshown=("position",), id=id),
        _section(store, "Weights between them", MEMBER_WEIGHTS, id=id),
        _evidence(store, CIRCUIT_EVIDENCE, id),
        _trials(store, CIRCUIT_TRIALS, id),
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


Maker = Callable[[Store, str, Mapping[str, Any]], list[Section]]

CHOSEN: Mapping[str, Maker] = {
    "Feature": _feature,
    "Layer": _layer,
    "Model": _model,
    "Circuit": _circuit,
}
"""Kinds of nodes whose cards show chosen tables."""


def sections(store: Store, label: str, id: str, facts: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the tables of a card that have rows."""
    made = CHOSEN[label](store, id, facts) if label in CHOSEN else _joined(store, label, id)
    return tuple(section for section in made if section.rows)


def _joined(store: Store, label: str, id: str) -> Iterator[Section]:
    """Yield one table for each relation that the schema lets such a node have."""
    for relation in RELATIONS:
        for source, target in relation.endpoints:
            if source == label:
                yield _across(store, relation, id, label, target, "({0})-[{1}]->({2})")
            if target == label:
                yield _across(store, relation, id, label, source, "({0})<-[{1}]-({2})")


def _across(
    store: Store, relation: RelationType, id: str, label: str, other: str, pattern: str
) -> Section:
    """Return the nodes at the other ends: their ids, what they must have, and the relation."""
    joined = pattern.format(f"n:{label} {{id: $id}}", f"r:{relation.name}", f"o:{other}")
    columns = ["o.id AS node"]
    columns += [
        f"o.`{p.name}` AS `{p.name}`"
        for p in node_type(other).properties
        if p.required and p.name != "id"
    ]
    columns += [f"r.`{p.name}` AS `{relation.name}.{p.name}`" for p in relation.properties]
    section = _section(
        store,
        pattern.format(label, f":{relation.name}", other),
        f"MATCH {joined}\nRETURN {', '.join(columns)}\nORDER BY node LIMIT {MOST_JOINED + 1}",
        relation.description,
        id=id,
    )
    if len(section.rows) <= MOST_JOINED:
        return section
    shown = replace(section.result, rows=section.rows[:MOST_JOINED], truncated=True)
    return replace(
        section, result=shown, note=f"{section.note} The first {MOST_JOINED}; there are more."
    )
