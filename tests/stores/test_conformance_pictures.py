"""What every kind of store does alike: batches of pictures beside the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.pictures import encoded
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store
from tests.stores.contents import (
    connection,
    content,
    content_of,
    model,
    network,
    picture_content,
    pictures,
    responses,
    shown,
    together,
)

OPEN = Callable[..., Store]


def found(store: Store, key: str = "net/dogs") -> tuple[Any, ...] | None:
    held = store.pictures(key)
    return None if held is None else picture_content(held)


def test_pictures_come_back_as_they_were_and_cannot_be_changed(store: Store) -> None:
    given = pictures(one_png=encoded(b"\x89PNG\x00"))
    store.write(together(model("net"), shown(given)))
    held = store.pictures("net/dogs")
    assert held is not None
    assert picture_content(held) == picture_content(given)
    assert held.image("one_png") == b"\x89PNG\x00"
    for array in held.arrays.values():
        assert not array.flags.writeable


def test_a_model_has_any_number_of_batches_and_they_are_listed(store: Store) -> None:
    keys = ["net/dogs", "net/cats@9:1", "net/a/b:Ü"]
    batches = [pictures(key, seed) for seed, key in enumerate(keys)]
    store.write(together(model("net", "net2"), shown(batches[0], pictures("net2/dogs", 7))))
    assert store.picture_keys("net") == ["net/dogs"]
    store.write(shown(*batches[1:]))
    assert store.picture_keys("net") == sorted(keys)
    assert store.picture_keys("net2") == ["net2/dogs"]
    assert store.picture_keys("ne") == store.picture_keys("other") == []
    assert [found(store, key) for key in keys] == [picture_content(batch) for batch in batches]
    assert found(store, "net/none") is None
    assert found(store, "../net/dogs") is None


def test_another_batch_under_a_key_takes_its_place_and_the_same_changes_nothing(
    store: Store,
) -> None:
    store.write(together(network(), shown(pictures(seed=1), pictures("net/cats"))))
    held = store.pictures("net/dogs")
    before = content_of(store)
    store.write(shown(pictures(seed=1)))
    assert content_of(store) == before
    store.write(shown(pictures(seed=2)))
    assert found(store) == picture_content(pictures(seed=2))
    assert found(store, "net/cats") == picture_content(pictures("net/cats"))
    assert held is not None
    assert picture_content(held) == picture_content(pictures(seed=1)), "still readable"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (pictures("else/dogs"), "no Model has the id 'else'"),
        (replace(pictures(), about={"x": float("nan")}), "JSON"),
        (replace(pictures(), about={"x": object()}), "JSON"),
        (pictures(wrong=np.zeros(3, np.complex64)), "complex|<c8"),
        (pictures(wrong=np.zeros(3, ">f4")), ">f4"),
        (pictures(wrong=np.array(3, np.float32)), "0 axes"),
        (pictures(wrong=np.array(["path"])), "<U4"),
    ],
)
def test_pictures_that_do_not_fit_are_refused_whole(store: Store, wrong: Any, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        store.write(together(network(), shown(wrong, pictures("net/cats"))))
    assert content_of(store) == content([])


def test_kernels_responses_and_pictures_do_not_touch_one_another(store: Store) -> None:
    store.write(together(network(), shown(pictures())))
    store.write(GraphRows(kernels={"net": [connection("c")]}, responses={"net": responses()}))
    assert found(store) == picture_content(pictures())
    store.write(shown(pictures(seed=3)))
    assert [c.key for c in store.kernels("net")] == ["c"]
    assert store.responses("net") is not None


@pytest.mark.long_on_a_server
def test_an_export_brings_the_pictures_of_the_chosen_models(store: Store, open_again: OPEN) -> None:
    others = shown(pictures("net2/dogs", 5))
    store.write(together(model("net", "net2"), shown(pictures(), pictures("net/cats")), others))
    copy, part = open_again("two"), open_again("three")
    for piece in store.export():
        copy.write(piece)
    for piece in store.export(["net2"]):
        part.write(piece)
    assert content_of(copy) == content_of(store)
    assert content_of(part) == content([together(model("net2"), others)])
