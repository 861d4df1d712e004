"""What every kind of store does alike: responses beside the graph, and unfinished work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuitkb.schema.errors import CircuitKBError, IdError, SchemaError
from circuitkb.schema.responses import ARRAYS, Responses
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store
from tests.stores.contents import (
    connection,
    content,
    content_of,
    model,
    network,
    nonlinear,
    response_content,
    responses,
    together,
)

OPEN = Callable[..., Store]


def answers(**given: Responses) -> GraphRows:
    return GraphRows(responses=given)


def found(store: Store, name: str = "net") -> tuple[Any, ...] | None:
    held = store.responses(name)
    return None if held is None else response_content(held)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_responses_come_back_as_they_were(store: Store, dtype: Any) -> None:
    given = responses(1, dtype=dtype)
    given.before[0, :4] = np.inf, -np.inf, np.nan, -0.0
    store.write(together(model("net"), answers(net=given)))
    held = store.responses("net")
    assert held is not None
    assert response_content(held) == response_content(given)
    for name in ("battery", "stimuli", "layers", "settings"):
        assert getattr(held, name) == getattr(given, name)
    assert held.rows == given.rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_responses_that_follow_from_others_come_back_as_they_were(store: Store, dtype: Any) -> None:
    given = nonlinear(dtype)
    store.write(together(model("net"), answers(net=given)))
    held = store.responses("net")
    assert held is not None
    assert response_content(held) == response_content(given)
    store.write(answers(net=held))
    assert found(store) == response_content(given)


def test_responses_of_no_units_or_no_stimuli_come_back(store: Store) -> None:
    none = responses(layers=(), stimuli=3)
    silent = responses(layers=(("a", 2),), stimuli=0)
    store.write(together(model("none", "silent"), answers(none=none, silent=silent)))
    assert found(store, "none") == response_content(none)
    assert found(store, "silent") == response_content(silent)


def test_what_is_read_cannot_be_changed(store: Store) -> None:
    store.write(together(model("net"), answers(net=responses())))
    held = store.responses("net")
    assert held is not None
    for name in ARRAYS:
        with pytest.raises((ValueError, TypeError), match=r"read-only|item assignment"):
            getattr(held, name)[0] = 1


def test_a_model_that_was_not_observed_has_no_responses(store: Store) -> None:
    assert store.responses("net") is None
    store.write(together(model("net", "seen"), answers(seen=responses())))
    assert store.responses("net") is None
    assert store.responses("third") is None
    assert store.responses("../seen") is None


def test_responses_may_come_after_their_model(store: Store, open_again: OPEN) -> None:
    other = open_again()
    store.write(network())
    assert other.responses("net") is None
    store.write(answers(net=responses(2)))
    assert found(other) == response_content(responses(2))
    assert content_of(store) == content([network(), answers(net=responses(2))])


def test_responses_of_a_model_that_is_nowhere_are_refused_whole(store: Store) -> None:
    store.write(network())
    before = content_of(store)
    with pytest.raises(SchemaError, match="no Model has the id 'else'"):
        store.write(together(model("third"), answers(net=responses(), **{"else": responses()})))
    assert content_of(store) == before


@pytest.mark.parametrize("settings", [{"x": object()}, {"x": float("nan")}, {"x": np.zeros(2)}])
def test_settings_that_json_cannot_hold_are_refused_whole(
    store: Store, settings: dict[str, Any]
) -> None:
    with pytest.raises(SchemaError, match="settings"):
        store.write(together(network(), answers(net=responses(settings=settings))))
    assert content_of(store) == content([])


def test_rows_that_fail_leave_the_responses_as_they_were(store: Store) -> None:
    store.write(together(network(), answers(net=responses(1))))
    before = content_of(store)
    twice = {"net": [connection("c", 0), connection("c", 1)]}
    with pytest.raises(SchemaError, match="'c'"):
        store.write(together(GraphRows(kernels=twice), answers(net=responses(2))))
    assert content_of(store) == before


def test_other_responses_of_a_model_take_the_place_of_the_old(store: Store) -> None:
    store.write(together(model("net", "other"), answers(net=responses(1), other=responses(1))))
    held = store.responses("net")
    assert held is not None
    new = responses(2, dtype=np.float16, stimuli=11, battery="lines 2")
    store.write(answers(net=new))
    assert found(store) == response_content(new)
    assert found(store, "other") == response_content(responses(1))
    assert response_content(held) == response_content(responses(1)), "still readable"


def test_kernels_and_responses_do_not_touch_one_another(store: Store) -> None:
    kernels = GraphRows(kernels={"net": [connection("c")]})
    store.write(together(model("net"), kernels))
    store.write(answers(net=responses(1)))
    store.write(GraphRows(kernels={"net": [connection("d")]}))
    assert [c.key for c in store.kernels("net")] == ["d"]
    assert found(store) == response_content(responses(1))


def test_an_export_brings_the_responses_along(store: Store, open_again: OPEN) -> None:
    store.write(together(network(), answers(net=responses(3, dtype=np.float16))))
    copy = open_again("two")
    for piece in store.export():
        copy.write(piece)
    assert content_of(copy) == content_of(store)
    assert found(copy) == response_content(responses(3, dtype=np.float16))


def test_the_same_responses_again_change_nothing(store: Store) -> None:
    rows = together(network(), answers(net=responses(1)))
    store.write(rows)
    before = content_of(store)
    store.write(rows)
    assert content_of(store) == before


def test_unfinished_work_outlives_writes_and_handles(store: Store, open_again: OPEN) -> None:
    store.write(network())
    folder = store.workspace("net")
    (folder / "part").write_text(json.dumps([1, 2]))
    store.write(answers(net=responses()))
    store.write(answers(net=responses(2)))
    store.close()
    again = open_again().workspace("net")
    assert again == folder
    assert json.loads((again / "part").read_text()) == [1, 2]
    assert list(store.workspace("other").iterdir()) == [], "each name has its own"


def test_unfinished_work_may_come_before_everything_else(open_again: OPEN) -> None:
    folder = open_again().workspace("net")
    (folder / "part").write_text("1")
    store = open_again()
    assert content_of(store) == content([])
    store.write(network())
    assert content_of(store) == content([network()])
    assert (store.workspace("net") / "part").read_text() == "1"


def test_a_first_write_that_fails_leaves_unfinished_work_alone(open_again: OPEN) -> None:
    store = open_again()
    (store.workspace("net") / "part").write_text("1")
    with pytest.raises(SchemaError):
        store.write(answers(net=responses()))
    assert (open_again().workspace("net") / "part").read_text() == "1"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "a\x00", "Net", "a\n", "x" * 129]
)
def test_a_workspace_cannot_lie_elsewhere(store: Store, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IdError, match="name of unfinished work"):
        store.workspace(name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_the_place_of_a_workspace_is_not_followed(store: Store, tmp_path: Path) -> None:
    folder = store.workspace("net")
    folder.rmdir()
    folder.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(CircuitKBError, match="link"):
        store.workspace("net")
