"""The kinds of nodes of the graph that circuitkb itself has; other packages may add more."""

from __future__ import annotations

from functools import cache

from circuitkb.schema.measures import MEASURES, MeasuredProperties, without_clashes
from circuitkb.schema.properties import NodeType, Property, given, identity


@cache
def measures() -> tuple[MeasuredProperties, ...]:
    """Return the measures that can be used, ours first; each is imported now, not before.

    Examples
    --------
    >>> measures()[0].name
    'orientation'
    """
    (feature,) = (node for node in BUILT_IN if node.label == "Feature")
    return without_clashes(MEASURES, (item.name for item in feature.own))


def measured_properties() -> tuple[Property, ...]:
    """Return the properties of features that measures give, in order."""
    return tuple(item for measure in measures() for item in measure.properties)


BUILT_IN: tuple[NodeType, ...] = (
    NodeType(
        "Model",
        "A network with one set of weights, or the published part of one.",
        (
            identity("name of the model, as in feature ids"),
            given(
                "fingerprint",
                "string",
                "sha256 over its tensors, or over the published files",
                required=True,
            ),
            given(
                "computation",
                "string",
                "what it computes with its tensors: a scheme and a sha256 over its operations; "
                "null where it was loaded before this was kept, or published",
            ),
            given("source", "string", "the SOURCE it was loaded from", required=True),
            given("architecture", "string", "class or published name of the network"),
            given("input_shape", "string", "axes of the input, as in 1x3x224x224"),
            given(
                "weights", "string", "'trained', 'random' or 'published' (only some edges known)"
            ),
            given("features", "integer", "number of features"),
            given("edges", "integer", "nonzero edges in the network, or edges published"),
            given("edges_kept", "integer", "edges that the graph keeps"),
            given("keep", "integer", "strongest inputs of each feature that the graph keeps"),
            given(
                "without_inputs",
                "integer",
                "features, but for those of the input, that no edge leads to; null: not counted",
            ),
            given("not_composed", "strings", "paths that have no linear edge, and why"),
            given("linearisation", "string", "how gated paths were made linear, if there are any"),
            given("tool", "string", "name and version of the program that loaded it"),
            given("license", "string", "licence of the weights or data (SPDX or NOASSERTION)"),
            given("attribution", "string", "whom to name when using it"),
        ),
    ),
    NodeType(
        "Layer",
        "Where features live: what one nonlinearity puts out, the input, or the output.",
        (
            identity("model/layer"),
            given("model", "string", "name of the model", required=True, indexed=True),
            given("name", "string", "module path in the network", required=True, indexed=True),
            given("position", "integer", "order of computation, from 0", required=True),
            given(
                "kind", "string", "what makes its features: input, relu, relu6, silu, output, ..."
            ),
            given("channels", "integer", "number of units", required=True),
            given("height", "integer", "rows of the activation map; null where there is none"),
            given("width", "integer", "columns of the activation map; null where there is none"),
            given(
                "receptive_field", "integer", "side in pixels that one unit sees; null: all of it"
            ),
            given(
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
            identity("model/layer:unit or model/layer@basis:index"),
            given("model", "string", "name of the model", required=True, indexed=True),
            given("layer", "string", "name of the layer", required=True, indexed=True),
            given("unit", "integer", "index in the layer, or in the basis; from 0", required=True),
            given("basis", "string", "name of the set of directions; null for neurons"),
            given("bias", "float", "constant part of the pre-activation"),
            given("inputs", "integer", "nonzero edges into it in the whole network"),
            given("input_l1", "float", "sum of |kernel| over all its inputs"),
            given("input_l2_squared", "float", "sum of squared kernel values over all its inputs"),
            given("left_out_l1", "float", "part of input_l1 that the graph does not keep"),
            given("left_out_l2_squared", "float", "part of input_l2_squared that it does not keep"),
            given("answers", "boolean", "whether any stimulus moved it; null: not observed"),
            given("spread", "float", "standard deviation of its answers to the battery"),
        ),
        further=measured_properties,
    ),
    NodeType(
        "Circuit",
        "Features joined by weights that do something together: found here, or published.",
        (
            identity("stable id of the members in their roles, or the published name"),
            given(
                "motif",
                "string",
                "kind of circuit: union where the target's tuning has two peaks, mirrored-inputs "
                "where it has not or cannot be tested; of a published one as published",
                required=True,
                indexed=True,
            ),
            given(
                "shape",
                "string",
                "tuning of the target between the cases: two peaks, flat, between or other; null "
                "where it was not tested",
            ),
            given(
                "asymmetry",
                "string",
                "what makes the cases differ: tilt, curve side, edge side or shift",
            ),
            given(
                "pair", "string", "ids of both cases in order: ties together one pair's circuits"
            ),
            given(
                "pair_targets",
                "integer",
                "targets at which its pair of cases fulfils every criterion",
            ),
            given(
                "pair_p",
                "float",
                "how often permuted inputs, the same for all targets, give its pair as many",
            ),
            given("pair_null", "float", "as many targets as such permuted inputs give on average"),
            given("pair_q", "float", "pair_p corrected for all related pairs of the model"),
            given("model", "string", "name of the model", required=True, indexed=True),
            given(
                "origin",
                "string",
                "'found' by search, 'published' by people, or 'annotated': told by a record",
                required=True,
            ),
            given(
                "of",
                "strings",
                "what relates its parts, as in mirror left-right; one for each that was searched",
            ),
            given("score", "float", "how well it fits the motif; the method says what it measures"),
            given(
                "stability",
                "float",
                "share of deletions of a tenth of the stimuli that it survives; null: not asked",
            ),
            given(
                "group",
                "string",
                "ties together the circuits of one target or of one pair",
                indexed=True,
            ),
            given("claim", "string", "what a published circuit is said to do"),
            given("method", "string", "name and version of the search"),
            given(
                "trial",
                "string",
                "held, failed or undecided: how its motif's own trial ended; null is untried",
            ),
            given("trial_q", "float", "q of that trial, over all trials of the search"),
            given("source", "string", "where it was published"),
            given("license", "string", "licence of what was published"),
            given(
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
            identity("the record's own id, or the hash of its canonical core"),
            given(
                "kind",
                "string",
                "label, role, claim, comment, review or retraction",
                required=True,
                indexed=True,
            ),
            given("text", "string", "what is said", required=True),
            given(
                "state",
                "string",
                "live, superseded, retracted, contested (its id stands for two statements) or "
                "pending (what it speaks of is not here)",
                required=True,
            ),
            given("concept", "string", "concept of its label, where its author named one"),
            given(
                "aspect", "string", "what a claim is about: causality, generality, purity, family"
            ),
            given("method", "string", "how it was arrived at: manual, published, netdissect, ..."),
            given("sign", "string", "excitatory, inhibitory or mixed, for edges"),
            given("verdict", "string", "agree, disagree or unsure, for reviews"),
            given("confidence", "float", "from 0 to 1; null is unknown, not 1"),
            given("created", "string", "date it was made, ISO 8601"),
            given("source", "string", "where it stands"),
            given("license", "string", "SPDX expression or NOASSERTION"),
            given("fingerprint", "string", "weights it was made on; others make it stale"),
            given(
                "awaiting",
                "string",
                "kind of what it refers to and is not here: model, circuit, annotation; empty if "
                "nothing is missing any more",
                indexed=True,
            ),
            given("awaits", "strings", "ids of what it refers to and is not here"),
            given(
                "records", "strings", "the records with this id, as JSON; two that differ conflict"
            ),
        ),
    ),
    NodeType(
        "Annotator",
        "A person, a group, a model or a tool that annotates.",
        (
            identity("the annotator's id"),
            given(
                "type",
                "string",
                "human, group, model or tool; where records differ, the one furthest from human",
                required=True,
            ),
            given("name", "string", "name to show; where records differ, the longest"),
            given("orcid", "string", "ORCID iD, where it has one"),
        ),
    ),
    NodeType(
        "Label",
        "A word for a feature, in a vocabulary.",
        (
            identity("vocabulary:text"),
            given("text", "string", "the word", required=True, indexed=True),
            given("vocabulary", "string", "list that the word comes from"),
            given(
                "concept",
                "string",
                "concept that synonyms share, where a vocabulary declares one",
                indexed=True,
            ),
            given("measure", "string", "what a measurement should find where the label is right"),
            given("expected", "string", "value that the measure should have: yes, no or degrees"),
            given("tolerance", "float", "degrees that it may be off"),
        ),
    ),
    NodeType(
        "Evidence",
        "One measurement with its null: a number is never shown without it.",
        (
            identity("hash of what was measured, on what, and how"),
            given("kind", "string", "what was measured", required=True, indexed=True),
            given("stance", "string", "supports, refutes or neutral"),
            given("of", "string", "what the search took for the relation, as in mirror left-right"),
            given("value", "float", "the measured value"),
            given("null_mean", "float", "mean of the same measure under the null"),
            given("null_count", "integer", "number of draws from the null"),
            given("null_method", "string", "how the null was made"),
            given("p", "float", "share of the null at or above the value, counting the value"),
            given("q", "float", "p corrected for false discovery over all that was tested"),
            given("tested", "integer", "number of tests that q corrects for"),
            given("method", "string", "name of the measure", required=True),
            given("version", "string", "version of the measure"),
            given("seed", "integer", "seed of the random draws"),
            given("detail", "string", "further figures, as JSON"),
        ),
    ),
    NodeType(
        "Claim",
        "A statement that can fail.",
        (
            identity("the id it brings, or the hash of what it states"),
            given("text", "string", "the statement", required=True),
            given(
                "aspect",
                "string",
                "causality, sufficiency, minimality, generality, purity or invariance",
                indexed=True,
            ),
            given("subject", "string", "the model, feature or circuit that it is about"),
            given("said_of", "string", "network that its source speaks of, if it is another one"),
            given("test", "string", "the test that its prediction names", indexed=True),
            given(
                "standing",
                "string",
                "supported, refuted, undecided or untested, as of its last test; of one with parts "
                "the weakest of theirs",
                indexed=True,
            ),
            given("refuted_by", "string", "what would refute it"),
            given("source", "string", "article, section and year"),
            given("created", "string", "date, ISO 8601"),
            given("license", "string", "SPDX expression or NOASSERTION"),
            given(
                "state", "string", "live, or contested: its id stands for two different statements"
            ),
            given("parts", "strings", "ids of the claims that it breaks down into, here or not"),
            given("records", "strings", "the records with this id, as JSON"),
        ),
    ),
    NodeType(
        "Trial",
        "One attempt to refute: predicted, the network edited and run, compared.",
        (
            identity("hash of the edit, what is measured, the inputs and the settings"),
            given("kind", "string", "edit, or the motif whose circuit was tried", indexed=True),
            given("network", "string", "name of the model whose network was run", indexed=True),
            given("edit", "string", "what was changed, in the words that circuitkb trial takes"),
            given("method", "string", "what was done", required=True),
            given("version", "string", "version of the method"),
            given("measure", "string", "what is predicted and measured, with its unit"),
            given("inputs", "string", "what was shown to the network"),
            given("predicted", "float", "what the claim says will be measured"),
            given("low", "float", "lower end of the interval that was predicted"),
            given("high", "float", "upper end of it"),
            given("prediction_hash", "string", "hash of the prediction, made before the run"),
            given("measured", "float", "what was measured"),
            given("null_mean", "float", "mean of the same under the controls"),
            given("null_count", "integer", "number of controls"),
            given("null_method", "string", "what the controls were"),
            given("p", "float", "share of the controls that do as much, counting the trial"),
            given("q", "float", "p corrected for false discovery over all trials of the search"),
            given("tested", "integer", "number of trials that q corrects for"),
            given("outcome", "string", "held, failed or undecided", indexed=True),
            given("searched", "boolean", "whether the stimuli were searched to break it"),
            given("seed", "integer", "seed of the random draws"),
            given("seconds", "float", "how long the run took"),
            given("tool", "string", "name and version of the program"),
            given("created", "string", "date, ISO 8601"),
            given("detail", "string", "further figures, as JSON"),
        ),
    ),
    NodeType(
        "Proof",
        "A statement about features that was proved or refuted over a box of inputs.",
        (
            identity("hash of the weights, what it is about, the statement and the box"),
            given("network", "string", "name of the model whose kernels were read", indexed=True),
            given("when", "string", "what must hold, as in layer:3 >= 0.5", required=True),
            given("then", "string", "what follows of the target before its nonlinearity"),
            given("box", "string", "over what: mean, range, layers N, pixels, ...", required=True),
            given("outcome", "string", "proved, refuted, undecided or vacuous", indexed=True),
            given("by", "string", "what decided: bounds, search, solver, stimuli or enumeration"),
            given("level", "float", "what the target is compared with"),
            given("bound", "float", "what it is at least (at most), as bounds alone prove it"),
            given("value", "float", "the target at the counterexample, by kernels"),
            given("measured", "float", "the target there, of the network that was run"),
            given("variables", "integer", "numbers that the target follows from"),
            given("free", "integer", "numbers that the box leaves free"),
            given("kinks", "integer", "places that may be on either side of a nonlinearity's kink"),
            given("nodes", "integer", "nodes that the solver branched over"),
            given("seconds", "float", "how long it took"),
            given("allowed", "float", "how long it might have taken"),
            given("seed", "integer", "seed of the random draws"),
            given("solver", "string", "name and version of the solver"),
            given("method", "string", "how it was decided", required=True),
            given("version", "string", "version of the method"),
            given("note", "string", "why it is undecided, or why the network was not run"),
            given("tool", "string", "name and version of the program"),
            given("created", "string", "date, ISO 8601"),
            given("detail", "string", "the counterexample and further figures, as JSON"),
        ),
    ),
    NodeType(
        "Import",
        "Where a batch of nodes came from: written by one load, search or import.",
        (
            identity("stable id of the batch"),
            given("kind", "string", "load, find, annotate, ...", required=True),
            given("source", "string", "what was read"),
            given("by", "string", "who imported it"),
            given("sha256", "string", "checksum of what was read, where it is a file"),
            given("model", "string", "model it is about, where it is one", indexed=True),
            given("created", "string", "when, ISO 8601 in UTC"),
            given("tool", "string", "name and version of the program"),
            given("seconds", "float", "how long it took"),
            given("summary", "string", "counts and settings, as JSON"),
            given("of", "string", "of a search: what relates the members, as in mirror left-right"),
            given("tested", "integer", "of a search: candidates that could be tested"),
            given("hits", "integer", "of a search: what fulfils every criterion, whatever its q"),
            given("found", "integer", "of a search: circuits that passed"),
            given("q", "float", "of a search: largest q of these circuits"),
            given("null_mean", "float", "of a search: hits by chance, in the control with most"),
            given("null_count", "integer", "of a search: draws of that control"),
            given("null_method", "string", "of a search: name of that control in its summary"),
            given("p", "float", "of a search: share of those draws with as many, counting what is"),
        ),
    ),
)
