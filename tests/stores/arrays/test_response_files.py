"""Responses beside the graph: named by content, mapped, never copied more than once."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from circuitkb.schema.errors import StoreError
from circuitkb.schema.responses import ARRAYS
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.formats import FORMATS
from circuitkb.stores.arrays.response_files import file_name, load
from circuitkb.stores.base import Store
from circuitkb.stores.changes import Changes
from tests.stores.contents import model, nonlinear, response_content, responses, together
from tests.stores.processes import tree

save = FORMATS["responses"].save
is_whole = FORMATS["responses"].is_whole


def test_a_name_says_what_is_inside() -> None:
    one = responses(1)
    assert file_name(one) == file_name(responses(1))
    others = [
        responses(2),
        responses(1, dtype=np.float16),
        replace(one, battery="lines 2"),
        replace(one, stimuli=one.stimuli[::-1]),
        replace(one, layers=(("a", 3), ("b", 6))),
        replace(one, settings={}),
        replace(one, before=one.after, after=one.before),
        *(replace(one, **{name: getattr(one, name) + 1}) for name in ARRAYS),
    ]
    assert len({file_name(item) for item in [one, *others]}) == len(others) + 1


def test_arrays_of_any_layout_are_saved_as_they_look(tmp_path: Path) -> None:
    one = responses()
    turned = replace(one, before=np.asfortranarray(one.before), after=one.after[::-1][::-1])
    assert not turned.before.flags.c_contiguous
    assert file_name(turned) == file_name(one)
    save(tmp_path, "x.safetensors", turned)
    assert response_content(load(tmp_path / "x.safetensors")) == response_content(one)


def test_a_file_can_be_read_without_us(tmp_path: Path) -> None:
    one = responses(1, dtype=np.float16)
    save(tmp_path, "x.safetensors", one)
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert '"battery": "lines 1"' in file.metadata()["responses"]
        assert sorted(file.keys()) == sorted(ARRAYS)
        for name in ARRAYS:
            assert np.array_equal(file.get_tensor(name), getattr(one, name))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_follows_from_the_responses_before_takes_no_room(tmp_path: Path, dtype: Any) -> None:
    one = nonlinear(dtype)
    save(tmp_path, "x.safetensors", one)
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        # Not relu: it has an infinity, which JSON has not.
        own = {"relu", "leaky", "tanh"}
        for name in ("after", "shuffled_after"):
            left = np.concatenate([getattr(one, name)[one.rows[layer]] for layer in sorted(own)])
            kept = file.get_tensor(name)
            assert sorted(kept.tobytes()) == sorted(left.tobytes())
        bounds = json.loads(file.metadata()["responses"])["bounds"]["after"]
    assert bounds == {"relu6": [0.0, 6.0], "none": [None, None]}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_follows_is_read_as_any_array_is(tmp_path: Path, dtype: Any) -> None:
    one = nonlinear(dtype)
    save(tmp_path, file_name(one), one)
    found = load(tmp_path / file_name(one))
    assert file_name(found) == file_name(one)
    flags = np.arange(20) % 3 == 0
    for rows in (7, -1, slice(4, 8), slice(2, 19, 3), slice(9, 9), [9, 0, 17, 9], flags):
        assert np.array_equal(found.after[rows], one.after[rows])
        assert np.array_equal(found.after[rows, 5], one.after[rows, 5])
        assert np.array_equal(found.after[rows, 3:9], one.after[rows, 3:9])
    assert np.array_equal(found.after[7, [1, 5]], one.after[7, [1, 5]])
    assert np.array_equal(pickle.loads(pickle.dumps(found)).after[:], one.after)
    for row in (20, -21):
        with pytest.raises(IndexError):
            found.after[row]
    with pytest.raises(IndexError, match="rows first"):
        found.after[[1, 2], [1, 2]]


def test_a_file_of_before_that_holds_all_opens_as_it_is(tmp_path: Path) -> None:
    one = nonlinear(np.float16)
    header = json.dumps(one.header() | {"type": "float16"}, sort_keys=True)
    arrays = {name: getattr(one, name) for name in ARRAYS}
    save_file(arrays, tmp_path / file_name(one), metadata={"responses": header})
    assert is_whole(tmp_path / file_name(one))
    found = load(tmp_path / file_name(one))
    assert response_content(found) == response_content(one)
    (tmp_path / "new").mkdir()
    save(tmp_path / "new", file_name(found), found)
    assert is_whole(tmp_path / "new" / file_name(one))
    old, new = (path.stat().st_size for path in sorted(tmp_path.rglob("*.safetensors")))
    assert new < old


def test_reading_costs_no_memory_until_touched(tmp_path: Path) -> None:
    large = responses(layers=(("a", 5_000),), stimuli=700)  # 56 MB
    name = file_name(large)
    save(tmp_path, name, large)
    del large
    process = psutil.Process()
    before = process.memory_info().rss
    held = load(tmp_path / name)
    assert held.after.shape == (5_000, 700)
    assert process.memory_info().rss - before < 10_000_000


@pytest.mark.parametrize(("order", "copies"), [("C", 0), ("F", 1)])
def test_naming_and_saving_copies_the_arrays_once_at_most(
    tmp_path: Path, order: str, copies: int
) -> None:
    code = """
import resource, sys
from pathlib import Path
from typing import Any
import numpy as np, safetensors.numpy
from circuitkb.schema.responses import ARRAYS, Responses
from circuitkb.stores.arrays.response_files import file_name, write
shape = 25_000, 1_000
arrays = {name: np.full(shape, i, np.float32, sys.argv[2]) for i, name in enumerate(ARRAYS)}
answers = Responses("b", tuple(map(str, range(1_000))), (("a", 25_000),), settings={}, **arrays)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write(Path(sys.argv[1]) / file_name(answers), answers)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, order], capture_output=True, text=True, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < copies * 400e6 + 20e6


@pytest.mark.parametrize("harm", ["cut", "empty", "gone", "no header", "other names"])
def test_a_broken_file_is_named_with_its_remedy(tmp_path: Path, harm: str) -> None:
    save(tmp_path, "x.safetensors", responses())
    path = tmp_path / "x.safetensors"
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {
                "cut": content[:-9],
                "empty": b"",
                "no header": b"\xff" * 64,
                "other names": content.replace(b'"shuffled_after"', b'"shuffled_befor"'),
            }[harm]
        )
    with pytest.raises(
        StoreError, match=r"x\.safetensors cannot be read .*observe the model again"
    ):
        load(path)


def test_the_same_responses_again_cost_no_copy(place: Path, network_store: Store) -> None:
    network_store.write(GraphRows(responses={"net": responses(1)}))
    before = tree(place)
    network_store.write(GraphRows(responses={"net": responses(1)}))
    assert tree(place) == before


def test_responses_are_kept_once_for_all_states_and_go_with_the_last(
    place: Path, network_store: Store
) -> None:
    def kept() -> list[str]:
        return sorted(tree(place / "responses"))

    same = {"net": responses(1), "other": responses(1)}
    network_store.write(together(model("other"), GraphRows(responses=same)))
    assert kept() == [file_name(responses(1))]
    network_store.write(GraphRows(responses={"net": responses(2)}))
    assert kept() == sorted(map(file_name, (responses(1), responses(2))))
    network_store.write(GraphRows(responses={"other": responses(2)}))
    assert kept() == [file_name(responses(2))]


def test_room_is_asked_for_responses_too() -> None:
    answers = responses(layers=(("a", 1_000),), stimuli=500)
    more = Changes(arrays={"responses": {"net": ("x", answers)}}).room - Changes().room
    assert more == 4 * answers.before.nbytes == 8_000_000
