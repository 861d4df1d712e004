"""The kinds of relations of the graph."""

from __future__ import annotations

from circuitkb.schema.properties import RelationType, given

_WEIGHT = (
    given("sum", "float", "sum of the kernel: the net sign, which is not its meaning"),
    given("positive", "float", "sum of the positive values of the kernel"),
    given("negative", "float", "sum of the negative values of the kernel (at most 0)"),
    given("l1", "float", "sum of absolute values"),
    given("l2", "float", "root of the sum of squares"),
    given("max_abs", "float", "largest absolute value"),
    given("positive_dy", "float", "rows below the kernel's centre of its positive mass"),
    given("positive_dx", "float", "columns right of the kernel's centre of its positive mass"),
    given("negative_dy", "float", "rows below the kernel's centre of its negative mass"),
    given("negative_dx", "float", "columns right of the kernel's centre of its negative mass"),
    given("rank", "integer", "place among the target's inputs by l1, from 1"),
    given("strength", "float", "effect in units of the source's spread, once observed"),
    given("path", "string", "direct, residual, pooled or gated"),
    given("connection", "string", "key of the layer-to-layer array that holds the kernel"),
    given("origin", "string", "figure a published kernel was read from"),
    given("flag", "string", "a known defect of a published kernel"),
)

BUILT_IN_RELATIONS: tuple[RelationType, ...] = (
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
            given("group", "string", "mirror or rotate"),
            given("parameter", "float", "axis or angle in degrees"),
            given("score", "float", "correlation of the answers"),
            given("same", "float", "correlation of the answers to the same stimuli"),
            given("null_mean", "float", "mean score under the null"),
            given("p", "float", "share of the null at or above the score"),
            given("q", "float", "share of such scores that the null explains"),
            given("method", "string", "name and version of the measure"),
        ),
        key=("group", "parameter"),
    ),
    RelationType(
        "ANALOGOUS_TO",
        "Plays the same part in another model.",
        (("Feature", "Feature"), ("Circuit", "Circuit")),
        (
            given("score", "float", "similarity"),
            given("rank", "integer", "place among the candidates, from 1"),
            given("null_mean", "float", "mean score under the null"),
            given("p", "float", "share of the null at or above the score"),
            given("q", "float", "share of such scores that the null explains"),
            given("method", "string", "how it was measured"),
            given(
                "networks",
                "integer",
                "models in the largest set, analogous two by two, that both are in; from 3 on",
            ),
        ),
        key=("method",),
    ),
    RelationType(
        "MEMBER_OF",
        "A feature takes part in a circuit.",
        (("Feature", "Circuit"),),
        (
            given("role", "string", "part it plays", required=True),
            given("side", "integer", "1 or 2, where the motif has two sides"),
            given("weight", "float", "positive mass of its edge to the circuit's target"),
            given(
                "facing",
                "string",
                "what a case answers to more than to its mirror image, as in leans left \\",
            ),
        ),
        key=("role",),
    ),
    RelationType(
        "ANNOTATES",
        "What an annotation speaks of.",
        (("Annotation", "Feature"), ("Annotation", "Circuit"), ("Annotation", "Annotation")),
        (given("role", "string", "end of an annotated edge: source or target"),),
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
            for source in ("Evidence", "Trial", "Proof")
            for target in ("Feature", "Circuit", "Claim", "Model")
        ),
        (given("role", "string", "part in the measurement: source, target, ..."),),
        key=("role",),
    ),
    RelationType(
        "SUPPORTS",
        "Speaks for it.",
        (
            *(
                (source, target)
                for source in ("Evidence", "Trial")
                for target in ("Annotation", "Claim", "Circuit")
            ),
            ("Proof", "Claim"),
        ),
    ),
    RelationType(
        "REFUTES",
        "Speaks against it.",
        (
            *(
                (source, target)
                for source in ("Evidence", "Trial")
                for target in ("Annotation", "Claim", "Circuit")
            ),
            ("Proof", "Claim"),
        ),
    ),
    RelationType(
        "FROM",
        "The search that made it.",
        (("Evidence", "Import"),),
        (
            given(
                "search",
                "string",
                "hash of its settings and figures: the Import's summary has that of the last one",
            ),
        ),
    ),
    RelationType("PART_OF", "A claim is a part of a larger one.", (("Claim", "Claim"),)),
)
