"""The one definition of the graph: its nodes, its relations and their properties.

Stores make their constraints from it, loaders their tables, `circuitkb schema` its printout and
queries their list of allowed names, so these cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from .errors import SchemaError

FORMAT_VERSION = 2
"""Version of the graph's format; a store written under another one is refused."""

PropertyType = Literal["string", "integer", "float", "boolean", "strings"]


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a node or a relation."""

    name: str
    type: PropertyType
    description: str
    required: bool = False
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class NodeType:
    """A kind of node; ``properties`` starts with ``id``, which is unique."""

    label: str
    description: str
    properties: tuple[Property, ...]

    def property(self, name: str) -> Property:
        """Return the property called ``name``; raises :class:`SchemaError` with near matches."""
        return _pick(self.properties, name, f"a property of {self.label}")


@dataclass(frozen=True, slots=True)
class RelationType:
    """A kind of relation; ``endpoints`` lists the (source, target) labels it may join.

    Two relations are the same one when their name, their ends and the properties in ``key``
    agree: between two features there may be several weights, one for each connection.
    """

    name: str
    description: str
    endpoints: tuple[tuple[str, str], ...]
    properties: tuple[Property, ...] = ()
    key: tuple[str, ...] = ()

    def property(self, name: str) -> Property:
        """Return the property called ``name``; raises :class:`SchemaError` with near matches."""
        return _pick(self.properties, name, f"a property of {self.name}")


def _pick(properties: Iterable[Property], name: str, what: str) -> Property:
    by_name = {item.name: item for item in properties}
    if name in by_name:
        return by_name[name]
    raise SchemaError(f"{name!r} is not {what}.{did_you_mean(name, by_name)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean ...?`` with the nearest known names, or the known names.

    Examples
    --------
    >>> did_you_mean("Featur", ["Feature", "Layer"])
    " Did you mean 'Feature'?"
    >>> did_you_mean("xyz", ["Feature", "Layer"])
    ' Known: Feature, Layer.'
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f" Did you mean {', '.join(map(repr, near))}?"
    return f" Known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."


def _id(text: str) -> Property:
    return Property("id", "string", text, required=True, indexed=True)


def _p(
    name: str, type_: PropertyType, text: str, *, required: bool = False, indexed: bool = False
) -> Property:
    return Property(name, type_, text, required, indexed)


NODES: tuple[NodeType, ...] = (
    NodeType(
        "Model",
        "A network with one set of weights, or the published part of one.",
        (
            _id("name of the model, as in feature ids"),
            _p(
                "fingerprint",
                "string",
                "sha256 over its tensors, or over the published files",
                required=True,
            ),
            _p("source", "string", "the SOURCE it was loaded from", required=True),
            _p("architecture", "string", "class or published name of the network"),
            _p("input_shape", "string", "axes of the input, as in 1x3x224x224"),
            _p("weights", "string", "'trained', 'random' or 'published' (only some edges known)"),
            _p("features", "integer", "number of features"),
            _p("edges", "integer", "nonzero edges in the network, or edges published"),
            _p("edges_kept", "integer", "edges that the graph keeps"),
            _p("keep", "integer", "strongest inputs of each feature that the graph keeps"),
            _p("not_composed", "strings", "paths that have no linear edge, and why"),
            _p("linearisation", "string", "how gated paths were made linear, if there are any"),
            _p("tool", "string", "name and version of the program that loaded it"),
            _p("license", "string", "licence of the weights or data (SPDX or NOASSERTION)"),
            _p("attribution", "string", "whom to name when using it"),
        ),
    ),
    NodeType(
        "Layer",
        "Where features live: what one nonlinearity puts out, the input, or the output.",
        (
            _id("model/layer"),
            _p("model", "string", "name of the model", required=True, indexed=True),
            _p("name", "string", "module path in the network", required=True, indexed=True),
            _p("position", "integer", "order of computation, from 0", required=True),
            _p("kind", "string", "what makes its features: input, relu, relu6, silu, output, ..."),
            _p("channels", "integer", "number of units", required=True),
            _p("height", "integer", "rows of the activation map; null where there is none"),
            _p("width", "integer", "columns of the activation map; null where there is none"),
            _p("receptive_field", "integer", "side in pixels that one unit sees; null: all of it"),
            _p(
                "off_centre",
                "float",
                "pixels from the stimuli's centre to that of the receptive field read; 0 is exact",
            ),
        ),
    ),
    NodeType(
        "Feature",
        "A neuron, or any direction in the activation space of a layer.",
        (
            _id("model/layer:unit or model/layer@basis:index"),
            _p("model", "string", "name of the model", required=True, indexed=True),
            _p("layer", "string", "name of the layer", required=True, indexed=True),
            _p("unit", "integer", "index in the layer, or in the basis; from 0", required=True),
            _p("basis", "string", "name of the set of directions; null for neurons"),
            _p("bias", "float", "constant part of the pre-activation"),
            _p("inputs", "integer", "nonzero edges into it in the whole network"),
            _p("input_l1", "float", "sum of |kernel| over all its inputs"),
            _p("input_l2_squared", "float", "sum of squared kernel values over all its inputs"),
            _p("left_out_l1", "float", "part of input_l1 that the graph does not keep"),
            _p("left_out_l2_squared", "float", "part of input_l2_squared that it does not keep"),
            _p("answers", "boolean", "whether any stimulus moved it; null: not observed"),
            _p("spread", "float", "standard deviation of its answers to the battery"),
            _p(
                "orientation",
                "float",
                "degrees of the lines it prefers, 0 horizontal, 45 rising to the right; "
                "only where it passed its nulls",
            ),
            _p(
                "orientation_selectivity",
                "float",
                "0 (none) to 1 (one orientation alone), likewise",
            ),
        ),
    ),
    NodeType(
        "Circuit",
        "Features joined by weights that do something together: found here, or published.",
        (
            _id("stable id of the members in their roles, or the published name"),
            _p("motif", "string", "kind of circuit, as in union", required=True, indexed=True),
            _p("model", "string", "name of the model", required=True, indexed=True),
            _p(
                "origin",
                "string",
                "'found' by search, 'published' by people, or 'annotated': told by a record",
                required=True,
            ),
            _p("score", "float", "how well it fits the motif; the method says what it measures"),
            _p(
                "group",
                "string",
                "ties together the circuits of one target or of one pair",
                indexed=True,
            ),
            _p("claim", "string", "what a published circuit is said to do"),
            _p("method", "string", "name and version of the search"),
            _p("source", "string", "where it was published"),
            _p("license", "string", "licence of what was published"),
            _p(
                "definitions",
                "strings",
                "hashes of the member lists that records give for it; two contradict each other",
            ),
        ),
    ),
    NodeType(
        "Annotation",
        "What somebody says of a feature, an edge, a circuit or another annotation.",
        (
            _id("the record's own id, or the hash of its canonical core"),
            _p(
                "kind",
                "string",
                "label, role, claim, comment, review or retraction",
                required=True,
                indexed=True,
            ),
            _p("text", "string", "what is said", required=True),
            _p(
                "state",
                "string",
                "live, superseded, retracted, contested (its id stands for two statements) or "
                "pending (what it speaks of is not here)",
                required=True,
            ),
            _p("concept", "string", "concept of its label, where its author named one"),
            _p("aspect", "string", "what a claim is about: causality, generality, purity, family"),
            _p("method", "string", "how it was arrived at: manual, published, netdissect, ..."),
            _p("sign", "string", "excitatory, inhibitory or mixed, for edges"),
            _p("verdict", "string", "agree, disagree or unsure, for reviews"),
            _p("confidence", "float", "from 0 to 1; null is unknown, not 1"),
            _p("created", "string", "date it was made, ISO 8601"),
            _p("source", "string", "where it stands"),
            _p("license", "string", "SPDX expression or NOASSERTION"),
            _p("fingerprint", "string", "weights it was made on; others make it stale"),
            _p(
                "awaiting",
                "string",
                "kind of what it refers to and is not here: model, circuit, annotation; empty if "
                "nothing is missing any more",
                indexed=True,
            ),
            _p("awaits", "strings", "ids of what it refers to and is not here"),
            _p("records", "strings", "the records with this id, as JSON; two that differ conflict"),
        ),
    ),
    NodeType(
        "Annotator",
        "A person, a group, a model or a tool that annotates.",
        (
            _id("the annotator's id"),
            _p(
                "type",
                "string",
                "human, group, model or tool; where records differ, the one furthest from human",
                required=True,
            ),
            _p("name", "string", "name to show; where records differ, the longest"),
            _p("orcid", "string", "ORCID iD, where it has one"),
        ),
    ),
    NodeType(
        "Label",
        "A word for a feature, in a vocabulary.",
        (
            _id("vocabulary:text"),
            _p("text", "string", "the word", required=True, indexed=True),
            _p("vocabulary", "string", "list that the word comes from"),
            _p(
                "concept",
                "string",
                "concept that synonyms share, where a vocabulary declares one",
                indexed=True,
            ),
            _p("measure", "string", "what a measurement should find where the label is right"),
            _p("expected", "string", "value that the measure should have: yes, no or degrees"),
            _p("tolerance", "float", "degrees that it may be off"),
        ),
    ),
    NodeType(
        "Evidence",
        "One measurement with its null: a number is never shown without it.",
        (
            _id("hash of what was measured, on what, and how"),
            _p("kind", "string", "what was measured", required=True, indexed=True),
            _p("stance", "string", "supports, refutes or neutral"),
            _p("value", "float", "the measured value"),
            _p("null_mean", "float", "mean of the same measure under the null"),
            _p("null_count", "integer", "number of draws from the null"),
            _p("null_method", "string", "how the null was made"),
            _p("p", "float", "share of the null at or above the value, counting the value"),
            _p("q", "float", "p corrected for false discovery over all that was tested"),
            _p("tested", "integer", "number of tests that q corrects for"),
            _p("method", "string", "name of the measure", required=True),
            _p("version", "string", "version of the measure"),
            _p("seed", "integer", "seed of the random draws"),
            _p("detail", "string", "further figures, as JSON"),
        ),
    ),
    NodeType(
        "Claim",
        "A statement that can fail.",
        (
            _id("stable id"),
            _p("text", "string", "the statement", required=True),
            _p("status", "string", "open, supported or refuted"),
            _p("created", "string", "date, ISO 8601"),
        ),
    ),
    NodeType(
        "Trial",
        "One attempt to refute a claim.",
        (
            _id("stable id"),
            _p("method", "string", "what was done", required=True),
            _p("predicted", "float", "what the claim says will be measured"),
            _p("measured", "float", "what was measured"),
            _p("outcome", "string", "held, failed or undecided"),
            _p("created", "string", "date, ISO 8601"),
        ),
    ),
    NodeType(
        "Import",
        "Where a batch of nodes came from: written by one load, search or import.",
        (
            _id("stable id of the batch"),
            _p("kind", "string", "load, find, annotate, ...", required=True),
            _p("source", "string", "what was read"),
            _p("by", "string", "who imported it"),
            _p("sha256", "string", "checksum of what was read, where it is a file"),
            _p("model", "string", "model it is about, where it is one", indexed=True),
            _p("created", "string", "when, ISO 8601 in UTC"),
            _p("tool", "string", "name and version of the program"),
            _p("seconds", "float", "how long it took"),
            _p("summary", "string", "counts and settings, as JSON"),
        ),
    ),
)

_WEIGHT = (
    _p("sum", "float", "sum of the kernel: the net sign, which is not its meaning"),
    _p("positive", "float", "sum of the positive values of the kernel"),
    _p("negative", "float", "sum of the negative values of the kernel (at most 0)"),
    _p("l1", "float", "sum of absolute values"),
    _p("l2", "float", "root of the sum of squares"),
    _p("max_abs", "float", "largest absolute value"),
    _p("positive_dy", "float", "rows below the kernel's centre of its positive mass"),
    _p("positive_dx", "float", "columns right of the kernel's centre of its positive mass"),
    _p("negative_dy", "float", "rows below the kernel's centre of its negative mass"),
    _p("negative_dx", "float", "columns right of the kernel's centre of its negative mass"),
    _p("rank", "integer", "place among the target's inputs by l1, from 1"),
    _p("strength", "float", "effect in units of the source's spread, once observed"),
    _p("path", "string", "direct, residual, pooled or gated"),
    _p("connection", "string", "key of the layer-to-layer array that holds the kernel"),
    _p("origin", "string", "figure a published kernel was read from"),
    _p("flag", "string", "a known defect of a published kernel"),
)

RELATIONS: tuple[RelationType, ...] = (
    RelationType("IN_LAYER", "A feature lives in a layer.", (("Feature", "Layer"),)),
    RelationType("IN_MODEL", "A layer belongs to a model.", (("Layer", "Model"),)),
    RelationType(
        "WEIGHT",
        "The exact linear map from a feature to the pre-activation of another, summarised.",
        (("Feature", "Feature"),),
        _WEIGHT,
        key=("connection",),
    ),
    RelationType(
        "TRANSFORMS_TO",
        "The target answers to transformed stimuli as the source does to plain ones.",
        (("Feature", "Feature"),),
        (
            _p("group", "string", "mirror or rotate"),
            _p("parameter", "float", "axis or angle in degrees"),
            _p("score", "float", "correlation of the answers"),
            _p("same", "float", "correlation of the answers to the same stimuli"),
            _p("null_mean", "float", "mean score under the null"),
            _p("p", "float", "share of the null at or above the score"),
            _p("q", "float", "share of such scores that the null explains"),
            _p("method", "string", "name and version of the measure"),
        ),
        key=("group", "parameter"),
    ),
    RelationType(
        "ANALOGOUS_TO",
        "Plays the same part in another model.",
        (("Feature", "Feature"), ("Circuit", "Circuit")),
        (
            _p("score", "float", "similarity"),
            _p("rank", "integer", "place among the candidates, from 1"),
            _p("null_mean", "float", "mean score under the null"),
            _p("p", "float", "share of the null at or above the score"),
            _p("q", "float", "share of such scores that the null explains"),
            _p("method", "string", "how it was measured"),
        ),
        key=("method",),
    ),
    RelationType(
        "MEMBER_OF",
        "A feature takes part in a circuit.",
        (("Feature", "Circuit"),),
        (
            _p("role", "string", "part it plays", required=True),
            _p("side", "integer", "1 or 2 for the cases of a union"),
            _p("weight", "float", "positive mass of its edge to the circuit's target"),
        ),
        key=("role",),
    ),
    RelationType(
        "ANNOTATES",
        "What an annotation speaks of.",
        (("Annotation", "Feature"), ("Annotation", "Circuit"), ("Annotation", "Annotation")),
        (_p("role", "string", "end of an annotated edge: source or target"),),
        key=("role",),
    ),
    RelationType("BY", "Who says it.", (("Annotation", "Annotator"),)),
    RelationType("USES", "The label that an annotation gives.", (("Annotation", "Label"),)),
    RelationType(
        "SUPERSEDES", "Takes the place of an earlier one.", (("Annotation", "Annotation"),)
    ),
    RelationType(
        "ABOUT",
        "What was measured or tried.",
        tuple(
            (source, target)
            for source in ("Evidence", "Trial")
            for target in ("Feature", "Circuit", "Claim", "Model")
        ),
        (_p("role", "string", "part in the measurement: source, target, ..."),),
        key=("role",),
    ),
    RelationType(
        "SUPPORTS",
        "Speaks for it.",
        tuple(
            (source, target)
            for source in ("Evidence", "Trial")
            for target in ("Annotation", "Claim", "Circuit")
        ),
    ),
    RelationType(
        "REFUTES",
        "Speaks against it.",
        tuple(
            (source, target)
            for source in ("Evidence", "Trial")
            for target in ("Annotation", "Claim", "Circuit")
        ),
    ),
    RelationType("PART_OF", "A claim is a part of a larger one.", (("Claim", "Claim"),)),
)

_NODES = {item.label: item for item in NODES}
_RELATIONS = {item.name: item for item in RELATIONS}


def node_type(label: str) -> NodeType:
    """Return the node type called ``label``; raises :class:`SchemaError` with near matches.

    Examples
    --------
    >>> node_type("Feature").properties[0].name
    'id'
    >>> node_type("Featur")
    Traceback (most recent call last):
    circuitkb.schema.errors.SchemaError: 'Featur' is not a node label. Did you mean 'Feature'?
    """
    if label in _NODES:
        return _NODES[label]
    raise SchemaError(f"{label!r} is not a node label.{did_you_mean(label, _NODES)}")


def relation_type(name: str) -> RelationType:
    """Return the relation type called ``name``; raises :class:`SchemaError` with near matches.

    Examples
    --------
    >>> relation_type("MEMBER_OF").endpoints
    (('Feature', 'Circuit'),)
    """
    if name in _RELATIONS:
        return _RELATIONS[name]
    raise SchemaError(f"{name!r} is not a relation.{did_you_mean(name, _RELATIONS)}")
