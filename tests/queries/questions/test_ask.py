"""Sentences: what is answered, what is refused, and that nothing is guessed."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from circuitkb.queries.questions.ask import Choice, pick
from circuitkb.queries.questions.catalogue import questions
from circuitkb.queries.questions.feature_mentions import take_features
from circuitkb.queries.questions.mentions import Names, take_models
from circuitkb.queries.questions.stated_values import take_label
from circuitkb.schema.errors import UnknownQuestionError
from tests.queries.questions import strangers

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


def wrongly_read(name: str) -> Iterator[str]:
    """Give the sentences for a question that are read as something else, with what as."""
    for entry in SENTENCES[name]:
        sentence, parameters = (
            entry["sentence"],
            {k: v for k, v in entry.items() if k != "sentence"},
        )
        try:
            chosen = ask(sentence)
        except UnknownQuestionError as error:
            yield f"{sentence}: {error}"
            continue
        if (chosen.question.name, dict(chosen.parameters)) != (name, parameters):
            yield f"{sentence}: {chosen.question.name} {dict(chosen.parameters)}"


def answered(sentences: list[str]) -> Iterator[str]:
    """Give the sentences that some question is run for, with that question."""
    for sentence in sentences:
        try:
            chosen = ask(sentence)
        except UnknownQuestionError:
            continue
        yield f"{sentence}: {chosen.question.name} {dict(chosen.parameters)}"


@pytest.mark.parametrize("name", SENTENCES)
def test_every_paraphrase_picks_its_question_with_what_it_states(name: str) -> None:
    assert list(wrongly_read(name)) == []


def test_a_sentence_whose_sense_is_missed_is_refused_and_not_guessed() -> None:
    assert list(answered(REFUSED_SO_FAR)) == []


def test_a_sentence_that_asks_for_something_else_gets_no_answer() -> None:
    assert list(answered(SOMETHING_ELSE)) == []


@pytest.mark.parametrize("half", ["first", "held_out"])
def test_most_sentences_of_strangers_are_read_rightly_and_hardly_any_wrongly(half: str) -> None:
    found = strangers.score(half)
    asked = found.right + len(found.wrong) + len(found.refused)
    assert found.right >= 0.8 * asked, found.refused
    assert len(found.wrong) <= 0.02 * asked, found.wrong
    assert len(found.foreign) <= 1, found.foreign


NARROWER = [
    "in resnet50",
    "in resnet",
    "by Ada",
    "without mixed4a",
    "except those of mixed3b",
    "below 0.5",
    "before 2020",
    "that are not curves",
    "of my house",
    "under rotation",
    "and mixed4e:5",
]


@pytest.mark.parametrize("more", NARROWER)
def test_what_narrows_a_question_is_never_left_out(more: str) -> None:
    said = {
        "feature": HEAD,
        "label": "curves",
        "models": "inceptionv1",
        "top": "5",
        "orientation": "45 degrees",
        "other": "inceptionv1/mixed4a:308",
        "at_least": "2",
        "layers": "mixed4a",
    }
    asked = [
        f"{sentence.format(**said).rstrip('?')} {more}"
        for question in questions()
        for sentence in question.sentences[:1]
    ]
    assert list(answered(asked)) == []


def test_the_whole_of_a_label_is_asked_for_where_it_is_named() -> None:
    chosen = ask("features labelled Other Dog Heads")
    assert (chosen.question.name, chosen.parameters) == ("labels", {"label": "Other Dog Heads"})


@pytest.mark.parametrize(
    "sentence", ["inputs union efficientnet_lite0", "inputs union", "union inputs in lite0"]
)
def test_two_questions_at_once_are_none(sentence: str) -> None:
    with pytest.raises(UnknownQuestionError):
        ask(sentence)


def test_a_word_that_nobody_knows_is_named_with_the_choice() -> None:
    assert ask("which later units does mixed4b:418 feed").unknown == ("later",)
    assert ask("which units does mixed4b:418 feed").unknown == ()


def test_a_refusal_says_why_and_gives_the_nearest_three_questions_as_commands() -> None:
    with pytest.raises(UnknownQuestionError) as refused:
        ask("which circuits unite left and right in resnet50?")
    first, second, *commands = str(refused.value).splitlines()
    assert "'resnet50' is not understood" in first
    assert second == "Nearest:"
    assert len(commands) == 3
    assert commands[0].startswith("  circuitkb ask union  (Circuits that unite mirrored cases")


def test_a_nearest_command_has_what_was_read_off_and_says_what_is_missing() -> None:
    with pytest.raises(UnknownQuestionError) as refused:
        ask("the 5 strongest inputs of dog heads in lite0 below 3")
    assert "circuitkb ask inputs -p feature=MODEL/LAYER:UNIT -p top=5" in str(refused.value)


def test_a_nearest_command_is_quoted_for_a_shell() -> None:
    with pytest.raises(UnknownQuestionError) as refused:
        ask("features called 'a; rm -rf $HOME' below 3")
    assert "-p 'label=a; rm -rf $HOME'" in str(refused.value)


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


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ("lite1", "efficientnet_lite1"),
        ("Lite 1", "efficientnet_lite1"),
        ("the lite-0 net", "efficientnet_lite0"),
        ("inception", "inceptionv1"),
        ("efficientnet lite 0", "efficientnet_lite0"),
    ],
)
def test_a_model_may_be_named_by_a_part_that_only_it_has(written: str, model: str) -> None:
    assert take_models(f"unions in {written}.", strangers.NAMES)[1] == [model]


@pytest.mark.parametrize("written", ["lite", "lite 4", "inception v3", "efficientnet", "resnet18"])
def test_a_part_that_several_models_have_or_none_names_no_model_in_a_question(written: str) -> None:
    with pytest.raises(UnknownQuestionError):
        pick(f"unions in {written}", lambda: strangers.NAMES)


def test_a_part_that_several_models_have_is_told_with_them() -> None:
    with pytest.raises(UnknownQuestionError, match=r"'lite' may be .*lite0, .*lite1"):
        pick("unions in lite", lambda: strangers.NAMES)
    chosen = pick("unions in the lite nets", lambda: strangers.NAMES)
    assert chosen.parameters == {"models": ["efficientnet_lite0", "efficientnet_lite1"]}


@pytest.mark.parametrize(
    ("written", "features"),
    [
        ("block 0 unit 12 of lite1", ["efficientnet_lite1/_blocks.0._swish:12"]),
        ("unit 12 of block 0 in lite1", ["efficientnet_lite1/_blocks.0._swish:12"]),
        ("lite1/_blocks.0._swish:12", ["efficientnet_lite1/_blocks.0._swish:12"]),
        ("4a 308 and 222", ["inceptionv1/mixed4a:308", "inceptionv1/mixed4a:222"]),
        ("units 308 and 222 of mixed 4a", ["inceptionv1/mixed4a:308", "inceptionv1/mixed4a:222"]),
        ("mixed4a[308]", ["inceptionv1/mixed4a:308"]),
        ("layer 4a, unit #308", ["inceptionv1/mixed4a:308"]),
        ("4b:1 and inceptionv1/mixed4a:2", ["inceptionv1/mixed4b:1", "inceptionv1/mixed4a:2"]),
        ("mixed4a at 45 degrees", []),
    ],
)
def test_a_unit_may_be_named_by_the_tail_of_its_layer(written: str, features: list[str]) -> None:
    assert take_features(f"inputs of {written}?", strangers.NAMES)[1] == features


def test_a_block_of_several_layers_is_not_guessed() -> None:
    with pytest.raises(UnknownQuestionError, match=r"may be .*_swish:12, .*_swish_1:12"):
        pick("inputs of block 3 unit 12 in lite0", lambda: strangers.NAMES)


def test_upright_and_level_lines_are_angles() -> None:
    for word, angle in (("vertical", 90.0), ("horizontal", 0.0)):
        assert ask(f"which units prefer {word} lines?").parameters == {"orientation": angle}
