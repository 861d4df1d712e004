"""A kind of source of another package, in one file: opened, listed and refused as ours are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from circuitkb.kb.accepted import sources
from circuitkb.kb.reopening import reopen
from circuitkb.loaders.sources.loadable import LoadableNetwork
from circuitkb.loaders.sources.opening import (
    SOURCES,
    known_source,
    open_network,
    open_source,
    parse_source,
)
from circuitkb.schema.errors import ObservationError, PluginError, SourceError, UnknownSourceError
from circuitkb.schema.registry import PluginWarning
from tests.other_packages import installed

GABOR = '''
"""Networks of one layer of Gabor-like filters: ``gabor:FILTERS``."""

from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.source import Source, SourceKind


def takes(text):
    prefix, colon, filters = text.partition(":")
    return Source(text, "gabor", filters) if prefix == "gabor" and filters.isdigit() else None


def build(source, options):
    import torch  # what takes long is imported where a source is opened

    module = torch.nn.Sequential(torch.nn.Conv2d(1, int(source.name), 3, bias=False))
    torch.nn.init.constant_(module[0].weight, 0.25)
    return BuiltNetwork(
        module=module.eval(),
        input_shape=(1, 8, 8),
        name=f"gabor-{source.name}",
        architecture="one layer of filters",
        tag="constant",
        attribution="our lab",
    )


GABOR = SourceKind("gabor", "gabor:FILTERS", takes, build, names=lambda: ["gabor:4", "gabor:8"])
'''


@pytest.fixture
def gabor(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path, SOURCES, "gabor_nets", GABOR, gabor="gabor_nets:GABOR"):
        yield


@pytest.mark.usefixtures("gabor")
def test_its_texts_are_opened_as_networks() -> None:
    opened = open_source("gabor:4")
    assert isinstance(opened, LoadableNetwork)
    assert opened.name == "gabor-4"
    assert opened.rows().nodes["Feature"].num_rows == 5  # with the one unit of the image
    network = open_network("gabor:8")
    assert (network.source, network.architecture) == ("gabor:8", "one layer of filters")


@pytest.mark.usefixtures("gabor")
def test_it_stands_where_ours_stand() -> None:
    assert parse_source("gabor:4").kind == "gabor"
    assert sources().endswith("release wrote, or gabor:FILTERS")
    assert known_source("8") == "gabor:8"
    with pytest.raises(UnknownSourceError, match="Did you mean 'gabor:4'"):
        parse_source("gabor4")
    with pytest.raises(UnknownSourceError, match=r"published:DIR.*gabor:FILTERS"):
        parse_source("xyzzy")
    with pytest.raises(SourceError, match="--arch goes only with a checkpoint"):
        open_source("gabor:4", architecture="torchvision:resnet18")


@pytest.mark.usefixtures("gabor")
@pytest.mark.parametrize("text", ["efficientnet_lite0", "torchvision:resnet18", "published:x"])
def test_ours_stay_ours(text: str) -> None:
    assert parse_source(text).kind in ("zoo", "architecture", "published")


def test_one_that_does_more_than_read_opens_no_text_of_a_knowledge_base(tmp_path: Path) -> None:
    asks = GABOR.replace(", names=", ', only_where_named="It asks another machine", names=')
    stored = {"id": "mine", "source": "gabor:4", "architecture": "x", "input_shape": [1, 8, 8]}
    with installed(tmp_path, SOURCES, "asking", asks, gabor="asking:GABOR"):
        with pytest.raises(ObservationError, match=r"It asks another machine: .*--source gabor:4"):
            reopen(stored, None, None, None)
        opened = open_network("gabor:4")
        same = stored | {"fingerprint": opened.fingerprint, "computation": opened.computation}
        assert reopen(same, "gabor:4", None, None).fingerprint == opened.fingerprint


def test_one_that_fails_is_named_and_the_others_work(tmp_path: Path) -> None:
    broken = GABOR.replace("text.partition", "text.partitions")
    with (
        installed(tmp_path, SOURCES, "broken", broken, gabor="broken:GABOR"),
        pytest.warns(PluginWarning, match="kind of source 'gabor' of the package 'broken' fails"),
        pytest.raises(UnknownSourceError, match="There is no source 'xyzzy'"),
    ):
        parse_source("xyzzy")


def test_one_that_fails_to_open_is_an_error_that_names_it(tmp_path: Path) -> None:
    broken = GABOR.replace("int(source.name)", "int(source.nam)")
    with (
        installed(tmp_path, SOURCES, "broken", broken, gabor="broken:GABOR"),
        pytest.raises(PluginError, match="'gabor' of the package 'broken' fails: AttributeError"),
    ):
        open_source("gabor:4")


def test_taking_a_source_apart_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    code = (
        "import sys\n"
        "from circuitkb.kb.accepted import sources\n"
        "from circuitkb.loaders.sources.opening import parse_source\n"
        "for text in sys.argv[1:]:\n"
        "    parse_source(text)\n"
        "sources()\n"
        "found = {'torch', 'pyarrow', 'timm', 'torchvision', 'onnx'} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    texts = ["efficientnet_lite0", "timm:resnet18", str(tmp_path / "net.onnx"), "x.py:build"]
    subprocess.run([sys.executable, "-c", code, *texts, "published:inceptionv1"], check=True)
