"""The same weights have the same fingerprint, others another one."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from circuitkb.loaders.sources.checkpoints import read_tensors
from circuitkb.loaders.sources.fingerprint import fingerprint

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
NAMES = st.text("ab.", min_size=1, max_size=4)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = 1
    for size in shape:
        count *= size
    values = draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count))
    return torch.tensor(values).reshape(shape).to(draw(st.sampled_from(DTYPES)))


STATES = st.dictionaries(NAMES, tensors(), max_size=4)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and torch.equal(one[name], other[name])
        for name in one
    )


@given(one=STATES, other=STATES)
def test_fingerprints_are_equal_where_the_tensors_are_and_nowhere_else(
    one: dict[str, Tensor], other: dict[str, Tensor]
) -> None:
    assert (fingerprint(one) == fingerprint(other)) == same(one, other)


@given(state=STATES, seed=st.randoms(use_true_random=False))
def test_the_order_of_the_tensors_does_not_count(
    state: dict[str, Tensor], seed: st.DataObject
) -> None:
    names = list(state)
    seed.shuffle(names)  # type: ignore[attr-defined]
    assert fingerprint({name: state[name] for name in names}) == fingerprint(state)


@settings(deadline=None)
@given(state=STATES.filter(bool))
def test_the_format_of_the_file_does_not_count(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Tensor]
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    plain, wrapped, safe = (folder / name for name in ("a.pt", "b.pth", "c.safetensors"))
    torch.save(state, plain)
    torch.save({"epoch": 3, "state_dict": state}, wrapped)
    save_file(state, safe)
    assert {fingerprint(read_tensors(file)) for file in (plain, wrapped, safe)} == {
        fingerprint(state)
    }


def test_the_layout_in_memory_does_not_count() -> None:
    tensor = torch.arange(24.0).reshape(1, 2, 3, 4)
    strided = tensor.to(memory_format=torch.channels_last)
    assert not strided.is_contiguous()
    assert fingerprint({"w": strided}) == fingerprint({"w": tensor})
    assert fingerprint({"w": tensor.requires_grad_()}) == fingerprint({"w": strided})


def test_counters_of_training_steps_do_not_count() -> None:
    norm = torch.nn.BatchNorm2d(3)
    before = fingerprint(norm.state_dict())
    norm.get_buffer("num_batches_tracked").add_(1)
    assert fingerprint(norm.state_dict()) == before


def test_one_changed_bit_counts() -> None:
    tensor = torch.ones(1000)
    before = fingerprint({"w": tensor})
    tensor[517] = torch.nextafter(tensor[517], torch.tensor(2.0))
    assert fingerprint({"w": tensor}) != before


def test_a_minus_zero_is_not_a_zero() -> None:
    assert fingerprint({"w": torch.tensor([0.0])}) != fingerprint({"w": torch.tensor([-0.0])})


def test_the_bytes_are_those_that_the_documentation_names() -> None:
    state = {"b": torch.tensor([[1.5, -2.0]]), "a": torch.tensor(7)}
    stream = b"a\0int64\0\0" + struct.pack("<q", 7) + b"b\0float32\x001x2\0"
    stream += struct.pack("<2f", 1.5, -2.0)
    assert fingerprint(state) == hashlib.sha256(stream).hexdigest()


def test_a_file_on_disk_gives_the_fingerprint_of_the_network_it_came_from(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(network.state_dict(), tmp_path / "w.pt")
    assert fingerprint(read_tensors(tmp_path / "w.pt")) == fingerprint(network.state_dict())
