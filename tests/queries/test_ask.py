"""Sentences: what is answered, what is refused, and that nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from circuitkb.queries.ask import Choice, pick
from circuitkb.queries.mentions import Names, take_features, take_label, take_models
from circuitkb.schema.errors import UnknownQuestionError

NAMES = Names(
    ["efficientnet_lite0", "inceptionv1"],
    {
        "inceptionv1": ["conv2d2", "mixed3a", "mixed3b", "mixed4a", "mixed4b"],
        "efficientnet_lite0": ["blocks.0.0.act1", "blocks.3.1.act1"],
    },
    [
        "Boundary", "Curves", "Curve Shapes", "Early Brightness Gradient", "High-Low Frequency",
        "Lines", "Oriented Dog Heads", "Other Units", "Texture", "mixed4a_car", "mixed4a_curves",
    ],
)  # fmt: skip

HEAD = "inceptionv1/mixed4b:418"
LITE = "efficientnet_lite0"


def ask(sentence: str) -> Choice:
    return pick(sentence, lambda: NAMES)


PARAPHRASES: list[tuple[str, str, dict[str, Any]]] = [
    ("find all circuits unioning left/right orientation detectors across models", "union", {}),
    ("Find all circuits that unite left- and right-facing detectors", "union", {}),
    ("which units merge mirrored features?", "union", {}),
    ("show me unions of left and right dog heads", "union", {"label": "dog heads"}),
    ("list unions in inceptionv1", "union", {"models": ["inceptionv1"]}),
    ("Are there pose-invariant units built from mirrored cases in EfficientNet-Lite0?", "union",
     {"models": [LITE]}),
    ("where do left and right orientations get combined?", "union", {}),
    ("circuits joining mirror images, in every network", "union", {}),
    ("find cirucits unioning left/right orientaton detectors", "union", {}),
    ("Which circuits join left-oriented and right-oriented features?", "union", {}),
    ("left right invariance circuits", "union", {}),
    (f"What are the strongest inputs of {HEAD}?", "inputs", {"feature": HEAD}),
    ("what feeds mixed4b:418", "inputs", {"feature": HEAD}),
    ("top 5 inputs to unit 418 of mixed4b", "inputs", {"feature": HEAD, "top": 5}),
    ("show the incoming weights of mixed4b 418", "inputs", {"feature": HEAD}),
    ("list the 3 strongest upstream units of 4b:418", "inputs", {"feature": HEAD, "top": 3}),
    ("from which features does mixed4b:418 take its input", "inputs", {"feature": HEAD}),
    (f"what drives {HEAD}?", "inputs", {"feature": HEAD}),
    (f"what does {HEAD} feed into?", "outputs", {"feature": HEAD}),
    ("Which units use mixed4b:418 as an input?", "outputs", {"feature": HEAD}),
    (f"top 7 downstream features of {HEAD}", "outputs", {"feature": HEAD, "top": 7}),
    ("what does unit 418 of mixed4b drive?", "outputs", {"feature": HEAD}),
    (f"strongest outgoing edges of {HEAD}", "outputs", {"feature": HEAD}),
    ("features labelled curves", "labels", {"label": "curves"}),
    ("Which units are called 'Dog Heads'?", "labels", {"label": "Dog Heads"}),
    ("find all curve detectors", "labels", {"label": "curve"}),
    ("show the high-low frequency units in Inception V1", "labels",
     {"label": "high-low frequency", "models": ["inceptionv1"]}),
    ("all neurons named boundary", "labels", {"label": "boundary"}),
    (f"which circuits is {HEAD} in", "circuits-of", {"feature": HEAD}),
    ("In which circuits does unit 418 of mixed4b play a role?", "circuits-of", {"feature": HEAD}),
    ("is mixed4b:418 a member of any circuit?", "circuits-of", {"feature": HEAD}),
    ("How much is still unexplained?", "unexplained", {}),
    ("how much of the weight is left out, by layer?", "unexplained", {}),
    (f"what share of {LITE} is unexplained", "unexplained", {"models": [LITE]}),
    ("which layers are covered least?", "unexplained", {}),
    ("which features belong to more than one family", "several-families", {}),
    ("features that carry multiple labels in inceptionv1", "several-families",
     {"models": ["inceptionv1"]}),
    ("which units appear in two families", "several-families", {}),
    ("which published figures contradict each other?", "conflicts", {}),
    ("where do the articles disagree?", "conflicts", {}),
    ("is there any evidence that contradicts a published figure?", "conflicts", {}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "name", "parameters"), PARAPHRASES)
def test_a_paraphrase_picks_its_question_with_what_it_states(
    sentence: str, name: str, parameters: dict[str, Any]
) -> None:
    chosen = ask(sentence)
    assert (chosen.question.name, dict(chosen.parameters)) == (name, parameters)


ABOUT_SOMETHING_ELSE = [
    "",
    "?",
    "hello",
    "what is the weather like in Berlin?",
    "how do I cook rice?",
    "write me a poem about dogs",
    "who won the world cup",
    "which image of a dog is best?",
    "European Union member states",
    "union of the sets A and B",
    "merge left and right branches in git",
    "left join two tables on model",
    "is the left wing uniting with the right wing?",
    "the labels of my email",
    "which layers are left?",
    "train a network on cifar10",
    "plot the loss curve",
    "delete all circuits",
    "rename inceptionv1 to googlenet",
]

NOT_IN_THE_CATALOGUE = [
    "what is the accuracy of inceptionv1 on ImageNet?",
    "how many circuits are there?",
    "how many parameters does efficientnet_lite0 have?",
    "compare inceptionv1 and efficientnet_lite0",
    "combine the weights of two models",
    "find equivariant curve circuits under rotation",
    "find circuits that unite top and bottom",
    "ablate mixed4b:418",
    "which features have no label?",
    "which labels were made by Ada?",
    "left right",
]

TURNED_ROUND = [
    "find all circuits that do not union left and right",
    "inputs of mixed4b:418 except mixed4a",
    "which inputs of mixed4b:418 are inhibitory?",
    "features labelled curves without those of mixed3b",
]

NAMES_NOT_HERE = [
    "find unions in resnet50",
    "unions in inceptionv1 and resnet50",
    "inputs of resnet18/layer1:3 and mixed4b:418",
    "top inputs of mixed4b:418 and mixed4b:419",
    "which units detect something in resnet50?",
]


@pytest.mark.parametrize(
    "sentence", [*ABOUT_SOMETHING_ELSE, *NOT_IN_THE_CATALOGUE, *TURNED_ROUND, *NAMES_NOT_HERE]
)
def test_a_sentence_that_asks_for_something_else_gets_no_answer(sentence: str) -> None:
    with pytest.raises(UnknownQuestionError):
        ask(sentence)


def test_a_refusal_names_the_nearest_three_questions_and_the_words_it_does_not_know() -> None:
    with pytest.raises(UnknownQuestionError) as refused:
        ask("which circuits unite left and right in resnet50?")
    first, second = str(refused.value).splitlines()
    assert "'resnet50' is not understood" in first
    assert second.startswith("Nearest: union (Circuits that unite mirrored cases")
    assert second.count("(") == 3


def test_a_question_that_lacks_a_parameter_says_which() -> None:
    with pytest.raises(UnknownQuestionError, match="'inputs' also needs feature"):
        ask("what are the strongest inputs?")


def test_a_parameter_that_is_given_need_not_be_in_the_sentence() -> None:
    chosen = pick("what are the strongest inputs?", lambda: NAMES, given=("feature",))
    assert chosen.question.name == "inputs"


def test_a_name_is_taken_as_it_stands_and_asks_nothing_of_the_knowledge_base() -> None:
    def never() -> Names:
        raise AssertionError("the knowledge base was asked")

    assert pick(" several-families ", never).question.name == "several-families"


def test_a_layer_that_two_models_have_must_be_written_in_full() -> None:
    both = Names(["a", "b"], {"a": ["mixed4b"], "b": ["mixed4b"]})
    with pytest.raises(UnknownQuestionError, match="may be a/mixed4b:418, b/mixed4b:418"):
        pick("inputs of mixed4b:418", lambda: both)
    chosen = pick("inputs of mixed4b:418 in b", lambda: both)
    assert chosen.parameters == {"feature": "b/mixed4b:418"}


@pytest.mark.parametrize(
    "written",
    [
        "inceptionv1/mixed4b:418", "mixed4b:418", "4b:418", "unit 418 of mixed4b",
        "neuron 418 in layer mixed4b", "mixed4b unit 418", "mixed4b 418", "Mixed4b:418",
    ],
)  # fmt: skip
def test_a_feature_may_be_written_as_people_write_it(written: str) -> None:
    assert take_features(f"inputs of {written}?", NAMES) == ("inputs of {feature}?", [HEAD])


@pytest.mark.parametrize(
    "written", ["efficientnet_lite0", "EfficientNet-Lite0", "efficientnet lite 0"]
)
def test_a_model_may_be_written_with_other_separators(written: str) -> None:
    assert take_models(f"unions in {written}.", NAMES) == ("unions in {models}.", [LITE])


def test_the_longest_words_that_a_label_has_are_the_label() -> None:
    assert take_label("find brightness gradient units", NAMES)[1] == "brightness gradient"
    assert take_label("find the lines", NAMES)[1] == "lines"
    assert take_label("find every unit", NAMES)[1] is None
