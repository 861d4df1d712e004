"""A user's own network, built by a function in a Python file: what it gives, and what it says."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from circuitkb.loaders import open_source
from circuitkb.loaders.sources.kinds.own import own_source
from circuitkb.loaders.sources.opening import open_module, open_network, parse_source
from circuitkb.loaders.sources.own_networks import check_shape
from circuitkb.loaders.sources.source import Source
from circuitkb.schema.errors import CheckpointError, SourceError, TraceError, UnknownSourceError

NET = """
import torch
from torch import nn
from parts import activation

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 3, stride=2)
        self.act = activation()
        self.last = nn.Conv2d(4, 2, 3)

    def forward(self, x):
        return self.last(self.act(self.first(x)))

def build():
    print("built")
    return Net()

def pair():
    return Net(), (1, 20, 18)

whole = Net()
whole.input_shape = (1, 1, 16, 16)

def tensor():
    return torch.ones(2)

def deep():
    from parts import fail
    return fail()

def leave():
    raise SystemExit(3)

def needs(size):
    return Net()
"""

PARTS = """
from torch import nn

def activation():
    return nn.ReLU()

def fail():
    return {}["layers"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "net.py").write_text(NET)
    return tmp_path / "net.py"


@pytest.fixture
def in_memory(file: Path) -> nn.Module:
    return open_network(f"{file}:build", shape=(1, 20, 18)).module


def message(error: pytest.ExceptionInfo[Any]) -> str:
    assert len(str(error.value).splitlines()) <= 2
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "file", "function"),
    [
        ("net.py:build", "net.py", "build"),
        (r"C:\nets\net.py:build", r"C:\nets\net.py", "build"),
        ("a b/ü:c.py:_make2", "a b/ü:c.py", "_make2"),
        ("x.py:y.py:z", "x.py:y.py", "z"),
    ],
)
def test_a_text_names_a_file_and_a_function(text: str, file: str, function: str) -> None:
    assert own_source(text) == Source(text, "own", file, function)


@pytest.mark.parametrize(
    "text",
    [
        "net.py",
        "net.py:",
        ":build",
        ".py:b",
        "net.py:build()",
        "net.py:a.b",
        "net.py:1",
        "net.pt",
        "net.py:a b",
        "published:net.py:build",
        "timm:net.py:build",
        "torchvision:net.py:build",
        "hf-hub:me/net",
        "http://x/net.py",
        "net.pyc:build",
    ],
)
def test_no_other_text_does(text: str) -> None:
    assert own_source(text) is None


def test_the_network_of_a_file_is_the_one_that_its_function_builds(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = open_network(f"{file}:pair")
    assert tuple(found.example.shape) == (1, 1, 20, 18)
    assert (found.suggested_name, found.architecture) == ("net", "net.py:pair")
    assert [type(part).__name__ for part in found.module.children()] == ["Conv2d", "ReLU", "Conv2d"]
    again = open_network(f"{file}:build", shape=(1, 20, 18))
    assert (again.fingerprint, again.computation) == (found.fingerprint, found.computation)
    assert tuple(open_network(f"{file}:whole").example.shape) == (1, 1, 16, 16)
    # What the file prints is no result, and nothing is left beside it.
    assert capsys.readouterr() == ("", "built\n")
    assert sorted(path.name for path in file.parent.iterdir() if path.suffix) == [
        "net.py",
        "parts.py",
    ]


def test_modules_beside_a_file_are_its_own(file: Path) -> None:
    kinds = []
    for activation in ("ReLU", "Tanh", "SiLU"):
        folder = file.parent / activation
        folder.mkdir()
        (folder / "net.py").write_text(NET)
        (folder / "parts.py").write_text(PARTS.replace("ReLU", activation))
        kinds.append(type(open_network(f"{folder / 'net.py'}:pair").module.act).__name__)
    assert kinds == ["ReLU", "Tanh", "SiLU"]


def test_a_changed_file_is_another_network(file: Path) -> None:
    before = open_network(f"{file}:pair")
    file.write_text(NET.replace("stride=2", "stride=1"))
    after = open_network(f"{file}:pair")
    assert after.fingerprint == before.fingerprint
    assert after.computation != before.computation


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("tensor", r"net\.py:tensor returned Tensor: let it return a torch\.nn\.Module"),
        ("deep", r"net\.py:deep: parts\.py, line 8: KeyError: 'layers'"),
        ("leave", r"net\.py:leave: net\.py, line \d+: SystemExit: 3"),
        ("needs", r"net\.py:needs: .*TypeError: needs\(\) missing 1 required"),
        ("buidl", r"net\.py has no function 'buidl'\. It has Net, build"),
        ("torch", r"net\.py:torch is no function, but module"),
    ],
)
def test_errors_in_the_users_code_name_file_line_and_error(
    file: Path, function: str, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as error:
        open_network(f"{file}:{function}")
    message(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def build(:\n", r"net\.py, line 1: SyntaxError"),
        ("import no_such_package\n", r"net\.py, line 1: ModuleNotFoundError: .*no_such_package"),
        ("\n1/0\n", r"net\.py, line 2: ZeroDivisionError"),
        ("x = '\x00'\n", r"net\.py, line"),
        ("raise Exception('a\\nb' * 1000)", "Exception: a$"),
    ],
)
def test_a_file_that_does_not_run_says_where(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(SourceError, match=said.removesuffix("$")) as error:
        open_network(f"{file}:build")
    assert len(message(error)) < 400


def test_a_network_that_reads_images_of_another_size_says_how_to_tell(file: Path) -> None:
    with pytest.raises(
        TraceError, match=r"\(Net\) does not run on one image of 3x224x224"
    ) as error:
        open_network(f"{file}:build")
    assert "--shape 3x64x64" in message(error)


def test_a_file_without_a_function_asks_for_one(file: Path) -> None:
    with pytest.raises(UnknownSourceError, match=r"net\.py:build\."):
        parse_source(str(file))
    with pytest.raises(UnknownSourceError, match="There is no file"):
        open_network(f"{file.parent / 'nets.py'}:build")


def test_the_shape_goes_with_a_network_of_ones_own_only(file: Path) -> None:
    with pytest.raises(SourceError, match="--shape goes only with"):
        open_network("torchvision:squeezenet1_1@none", shape=(3, 64, 64))


@pytest.mark.parametrize(
    "shape",
    [
        "",
        "3",
        "3x4",
        "0x4x4",
        "3x-4x4",
        "3x4x4x4x4",
        "３x4x4",
        "1e3x4x4",
        "3x99999x1",
        None,
        7,
        (3, 4),
        (3, 4.0, 4),
        (True, 4, 4),
        [2, 3, 4, 4],
        "x" * 10_000,
    ],
)
def test_a_shape_that_is_none_is_refused(shape: Any) -> None:
    with pytest.raises(SourceError, match="as in 3x224x224"):
        check_shape(shape, "it")


def test_a_checkpoint_beside_fills_the_network_that_a_file_builds(
    file: Path, in_memory: nn.Module
) -> None:
    weights = {name: torch.randn_like(value) for name, value in in_memory.state_dict().items()}
    torch.save({"model": {f"module.{k}": v for k, v in weights.items()}}, file.parent / "w.pt")
    found = open_network(str(file.parent / "w.pt"), architecture=f"{file}:build", shape=(1, 20, 18))
    assert all(torch.equal(found.module.state_dict()[name], weights[name]) for name in weights)
    assert (found.suggested_name, found.architecture) == ("w", f"{file}:build")
    torch.save({"other": torch.ones(1)}, file.parent / "w.pt")
    with pytest.raises(CheckpointError, match="does not fit"):
        open_network(str(file.parent / "w.pt"), architecture=f"{file}:build", shape=(1, 20, 18))


# Modules from Python


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Dropout(), nn.ReLU(), nn.Conv2d(3, 2, 1))


def test_a_module_is_taken_as_it_computes_and_is_left_as_it_was() -> None:
    given = small().half()
    found = open_module(given, shape=(1, 12, 12))
    assert given.training
    assert given[0].weight.dtype == torch.float16
    expected = small().half().float().eval()
    with torch.no_grad():
        assert torch.equal(found.module(found.example), expected(found.example))
    assert found.source == "python:Sequential"


@pytest.mark.parametrize("thing", [3, torch.ones(1), nn.Module, {"a": 1}])
def test_what_is_no_module_is_no_source(thing: Any) -> None:
    with pytest.raises(SourceError, match=r"is no source: give a text, a path or a torch\.nn"):
        open_source(thing)


def test_modules_whose_weights_are_no_floating_point_numbers_are_refused() -> None:
    integers = small()
    integers[0].weight = nn.Parameter(torch.ones(3, 1, 3, 3, dtype=torch.int8), requires_grad=False)
    with pytest.raises(SourceError, match=r"weights 0\.weight hold int8 numbers"):
        open_module(integers, shape=(1, 12, 12))
    complex_ = small()
    complex_[3].weight = nn.Parameter(complex_[3].weight.to(torch.complex64))
    with pytest.raises(SourceError, match=r"weights 3\.weight hold complex64 numbers"):
        open_module(complex_, shape=(1, 12, 12))
    lazy = nn.Sequential(nn.LazyConv2d(3, 3))
    with pytest.raises(SourceError, match="run it once on an image"):
        open_module(lazy, shape=(1, 12, 12))


@pytest.mark.parametrize(
    "name", ['x",open("PWNED","w"))or(self,"y', "a\\", "a'b", "a\nb", "return"]
)
def test_names_that_would_be_read_as_code_are_refused_before_tracing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = nn.Sequential(OrderedDict([(name, nn.Conv2d(1, 3, 3)), ("act", nn.ReLU())]))
    loadable = open_source(module, input_shape=(1, 12, 12))
    with pytest.raises(TraceError, match="would be read as Python code"):
        loadable.rows()
    assert list(tmp_path.iterdir()) == []


def test_names_that_no_layer_can_have_are_brought_near() -> None:
    names = ["conv 1", "act@left", "conv²", "l" * 200, "end"]
    parts: list[nn.Module] = [nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU()]
    module = nn.Sequential(OrderedDict(zip(names, [*parts, nn.Conv2d(2, 2, 1)], strict=True)))
    rows = open_source(module, input_shape=(1, 12, 12)).rows(2)
    assert rows.nodes["Layer"]["name"].to_pylist() == ["input", "act_left", "l" * 128, "end"]
