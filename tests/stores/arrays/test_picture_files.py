"""Files of pictures: named by all that is in them, mapped, and refused where they are broken."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import save_file

from circuitkb.schema.errors import IdError, StoreError
from circuitkb.schema.pictures import Pictures
from circuitkb.stores.arrays.formats import FORMATS
from circuitkb.stores.arrays.picture_files import file_name, load
from tests.stores.contents import picture_content, pictures

FORM = FORMATS["pictures"]


def test_the_name_follows_from_the_content_alone() -> None:
    one = pictures()
    turned = dict(reversed(list(one.arrays.items())))
    assert file_name(one) == file_name(pictures()) == file_name(replace(one, arrays=turned))
    others = [
        pictures("net/cats"),
        pictures(seed=1),
        replace(one, about={}),
        replace(one, arrays={**one.arrays, "uint8": np.zeros((3, 2), np.uint8)}),
        replace(one, arrays={name: one.arrays[name] for name in list(one.arrays)[1:]}),
    ]
    assert len({file_name(item) for item in [one, *others]}) == len(others) + 1


def test_another_process_maps_the_file_itself(tmp_path: Path) -> None:
    FORM.save(tmp_path, file_name(pictures()), pictures())
    found = load(tmp_path / file_name(pictures()))
    sent = pickle.dumps(found)
    assert len(sent) < 1_000
    assert picture_content(pickle.loads(sent)) == picture_content(pictures())


def test_reading_costs_no_memory_until_touched(tmp_path: Path) -> None:
    FORM.save(tmp_path, "x", pictures(large=np.ones(50_000_000, np.uint8)))
    before = psutil.Process().memory_info().rss
    found = load(tmp_path / "x")
    assert found.arrays["large"].shape == (50_000_000,)
    assert psutil.Process().memory_info().rss - before < 5_000_000


@pytest.mark.parametrize(
    "header", ["{}", "[]", "3", '{"key": "net", "about": {}, "arrays": {}}', '{"key": 3}', "x"]
)
def test_a_file_that_says_something_else_is_named_as_broken(tmp_path: Path, header: str) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"x": np.zeros(2, np.uint8)}, path, metadata={"pictures": header})
    with pytest.raises(StoreError, match=r"x\.safetensors cannot be read .* again"):
        load(path)
    assert not FORM.is_whole(path)


@pytest.mark.parametrize("key", ["", "net", "net/", "/x", "../x/y", "Net/x", "net/a b", "net/\n"])
def test_a_key_says_which_model_it_is_about(key: str) -> None:
    with pytest.raises(IdError):
        Pictures(key, {}, {})
