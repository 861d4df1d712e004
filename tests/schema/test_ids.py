"""Ids print themselves and read themselves back."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import (
    FeatureId,
    LayerId,
    annotation_id,
    canonical_json,
    check_slug,
    circuit_id,
    nearest_layer_name,
    slugify,
)

slugs = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,127}", fullmatch=True)


def foreign_digit(text: str) -> bool:
    return any(character.isdigit() and not character.isascii() for character in text)


layers = st.text(
    st.characters(exclude_categories=("Z", "C"), exclude_characters="@"), min_size=1, max_size=128
).filter(lambda text: not foreign_digit(text))
bases = st.text(
    st.characters(exclude_categories=("Z", "C"), exclude_characters="@:"), min_size=1, max_size=64
).filter(lambda text: not foreign_digit(text))
units = st.integers(0, 10**18 - 1)


@given(slugs, layers, units, st.none() | bases)
def test_a_feature_id_survives_printing_and_parsing(
    model: str, layer: str, unit: int, basis: str | None
) -> None:
    feature = FeatureId(model, layer, unit, basis)
    assert FeatureId.parse(str(feature)) == feature


@given(slugs, layers)
def test_a_layer_id_survives_printing_and_parsing(model: str, layer: str) -> None:
    assert LayerId.parse(str(LayerId(model, layer))) == LayerId(model, layer)


pieces = st.sampled_from(
    [
        "m",
        "m/l",
        "/",
        ":",
        "@",
        "0",
        "7",
        "94",
        "01",
        "²",
        "٣",
        "３",
        "-1",
        "+1",
        "1e3",
        "1_0",
        " ",
        "\n",
        "\x00",
        "]",
        "b:",
        "[4",
        "layer.0",
        "9" * 18,
        "9" * 19,
    ]
)


@given(st.lists(pieces, max_size=8).map("".join))
def test_texts_made_of_the_pieces_of_ids_print_themselves_or_are_refused(text: str) -> None:
    for kind in (FeatureId, LayerId):
        try:
            found = kind.parse(text)
        except IdError:
            continue
        assert str(found) == text
        assert not foreign_digit(text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_has_a_layer_name_near_it(one: str, other: str) -> None:
    for text in (one, other, one + other):
        near = nearest_layer_name(text)
        assert LayerId("m", near).layer == near
        assert FeatureId.parse(f"m/{near}:3") == FeatureId("m", near, 3)
        assert nearest_layer_name(near) == near


@given(layers)
def test_a_name_that_a_layer_can_have_stays(layer: str) -> None:
    assert nearest_layer_name(layer) == layer


@given(st.text(max_size=60))
def test_what_parses_prints_itself_and_the_rest_is_an_id_error(text: str) -> None:
    try:
        feature = FeatureId.parse(text)
    except IdError:
        return
    assert str(feature) == text


@given(st.text(max_size=300))
def test_any_text_has_a_name_near_it(text: str) -> None:
    assert check_slug(slugify(text)) == slugify(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "m/l",
        "m/l:",
        "m/:3",
        "/l:3",
        "M/l:3",
        "m/l:-1",
        "m/l:01",
        "m/l:1.0",
        "m/l:٣",
        "m/l@:1",
        "m/l@a@b:1",
        "m/a b:1",
        "m/l:1 ",
        "m/l:1\n",
        f"m/{'l' * 129}:0",
        f"m/l:{10**18}",
        "a/b:²8]4/:94",
        "m/l²:1",
        "m/l３:1",
        "m/l@b²:1",
        "m/l:1٣",
    ],
)
def test_a_malformed_feature_id_is_refused(text: str) -> None:
    with pytest.raises(IdError):
        FeatureId.parse(text)


def _record(**changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "schema": "circuitkb.annotation/1",
        "kind": "label",
        "target": {"type": "feature", "model": "m", "layer": "l", "unit": 1},
        "label": {"text": "dog head"},
        "author": {"id": "ada", "type": "human"},
        "method": "manual",
        "source": {"uri": "https://example.org"},
        "created": "2020-03-10",
        "license": "CC-BY-4.0",
    }
    return record | changes


def test_an_annotation_keeps_the_id_it_brings() -> None:
    assert annotation_id(_record(id="urn:uuid:1")) == "urn:uuid:1"


@pytest.mark.parametrize(
    "changes",
    [
        {"created": "2024-01-01"},
        {"confidence": 0.5},
        {"license": "CC0-1.0"},
        {"label": {"text": " dog  head"}},
        {"author": {"id": "ada", "type": "human", "name": "Ada"}},
    ],
)
def test_what_is_outside_of_the_core_does_not_change_an_annotations_id(
    changes: dict[str, Any],
) -> None:
    assert annotation_id(_record(**changes)) == annotation_id(_record())


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "comment", "text": "dog head"},
        {"label": {"text": "cat head"}},
        {"author": {"id": "bob", "type": "human"}},
        {"method": "crowd"},
        {"source": {"uri": "https://example.com"}},
        {"target": {"type": "feature", "model": "m", "layer": "l", "unit": 2}},
    ],
)
def test_what_is_in_the_core_changes_an_annotations_id(changes: dict[str, Any]) -> None:
    assert annotation_id(_record(**changes)) != annotation_id(_record())


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3)
    ),
    max_leaves=8,
)


@given(values, st.randoms())
def test_canonical_json_ignores_the_order_of_keys(value: Any, order: random.Random) -> None:
    def shuffled(item: Any) -> Any:
        if isinstance(item, dict):
            keys = list(item)
            order.shuffle(keys)
            return {key: shuffled(item[key]) for key in keys}
        return [shuffled(part) for part in item] if isinstance(item, list) else item

    assert canonical_json(shuffled(value)) == canonical_json(value)


def test_not_a_number_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_circuit_in_other_roles_has_another_id() -> None:
    members = [("m/l:1", "case", 1), ("m/l:2", "case", 2), ("m/k:0", "union", None)]
    swapped = [("m/l:1", "case", 2), ("m/l:2", "case", 1), ("m/k:0", "union", None)]
    assert circuit_id("union", "m", members) != circuit_id("union", "m", swapped)
    assert check_slug(circuit_id("union", "m", members)).startswith("union-")
