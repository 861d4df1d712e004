"""Sentences: what is answered, what is refused, and that nothing is guessed."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import Any

import pytest

from circuitkb.queries.questions.ask import Choice, pick
from circuitkb.queries.questions.mentions import Names, take_features, take_label, take_models
from circuitkb.schema.errors import UnknownQuestionError

LABELS = Path(__file__).parents[3] / "loaders/published/resources/inceptionv1/labels.csv"
with LABELS.open(encoding="utf-8", newline="") as file:
    NAMES = Names(
        ["efficientnet_lite0", "inceptionv1"],
        {
            "inceptionv1": ["conv2d2", "mixed3a", "mixed3b", "mixed4a", "mixed4b"],
            "efficientnet_lite0": ["input", "_blocks.0._swish", "_blocks.9._swish_1"],
        },
        sorted({row["label"] for row in csv.DictReader(file)}),
    )

HEAD = "inceptionv1/mixed4b:418"
LITE = "efficientnet_lite0"


def ask(sentence: str) -> Choice:
    return pick(sentence, lambda: NAMES)


SENTENCES = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))
REFUSED_SO_FAR: list[str] = SENTENCES.pop("refused_so_far")
SOMETHING_ELSE: list[str] = SENTENCES.pop("something_else")
ASKED = [
    (entry.pop("sentence"), name, entry) for name, entries in SENTENCES.items() for entry in entries
]


@pytest.mark.parametrize(("sentence", "name", "parameters"), ASKED)
def test_a_paraphrase_picks_its_question_with_what_it_states(
    sentence: str, name: str, parameters: dict[str, Any]
) -> None:
    chosen = ask(sentence)
    assert (chosen.question.name, dict(chosen.parameters)) == (name, parameters)


@pytest.mark.parametrize("sentence", REFUSED_SO_FAR)
def test_a_sentence_that_is_not_wholly_understood_is_refused_and_not_guessed(
    sentence: str,
) -> None:
    with pytest.raises(UnknownQuestionError):
        ask(sentence)


@pytest.mark.parametrize("sentence", SOMETHING_ELSE)
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
        "inceptionv1/mixed4b:418",
        "mixed4b:418",
        "4b:418",
        "unit 418 of mixed4b",
        "neuron 418 in layer mixed4b",
        "mixed4b unit 418",
        "mixed4b 418",
        "Mixed4b:418",
    ],
)
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
