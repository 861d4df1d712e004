"""What torch says while it works for us is not heard, and what others say is."""

from __future__ import annotations

import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import pytest
import torch
from torch import Tensor, fx, nn

from circuitkb.loaders.activations.reading import look
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.composition.tracing import trace
from circuitkb.loaders.receptive_fields.views import plan_views
from circuitkb.loaders.sources.opening import open_network
from circuitkb.loaders.sources.quiet import quiet
from circuitkb.schema.errors import SourceError, TraceError


class OneAtATime(nn.Module):
    """Takes one image: for several torch logs a traceback, or traced code prints one."""

    def __init__(self, *, prints: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 3)
        self.flatten: nn.Module = fx.symbolic_trace(_Divided()) if prints else _Joined()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.flatten(torch.relu(self.first(x))))
        return found


class _Joined(nn.Module):
    """Makes one long list of several images, which no linear layer after it takes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, -1)


class _Divided(nn.Module):
    """Divides by zero for two images, in generated code."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 144 // (2 - x.shape[0]))


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Give what stands on standard error: torch's handlers write to it too."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    logging.getLogger("torch").addHandler(handler)
    try:
        with redirect_stderr(shown):
            yield shown
    finally:
        logging.getLogger("torch").removeHandler(handler)


def network(*, prints: bool) -> Network:
    module = OneAtATime(prints=prints).eval()
    example = torch.zeros(1, 3, 8, 8)
    return Network(module, example, "m", "random", "m", "m", "MIT", "nobody", "f")


@pytest.mark.parametrize("prints", [False, True])
def test_a_network_that_cannot_be_traced_in_batches_is_looked_at_without_a_word(
    prints: bool,
) -> None:
    subject = network(prints=prints)
    with listening() as screen:
        with pytest.raises(TraceError):
            trace(subject.module, torch.zeros(2, 3, 8, 8))
        views = plan_views(subject.module, subject.example)
        assert [look(subject, view).batch for view in views] == [1] * len(views)
    assert screen.getvalue() == ""


@pytest.mark.parametrize("prints", [False, True])
def test_whoever_looks_for_a_defect_sees_everything(
    monkeypatch: pytest.MonkeyPatch, prints: bool
) -> None:
    monkeypatch.setenv("CIRCUITKB_DEBUG", "1")
    with listening() as screen, pytest.raises(TraceError):
        trace(network(prints=prints).module, torch.zeros(2, 3, 8, 8))
    assert "Traceback" in screen.getvalue()


def test_other_threads_and_other_packages_are_heard() -> None:
    def speak() -> None:
        sys.stderr.write("bar\n")
        logging.getLogger("torch.export").error("theirs")

    with listening() as screen:
        own = logging.StreamHandler(screen)
        logging.getLogger("somebody").addHandler(own)
        with quiet():
            warnings.warn("not heard", stacklevel=1)
            sys.stderr.write("not heard\n")
            logging.getLogger("torch.export").error("not heard")
            logging.getLogger("somebody").error("own")
            other = threading.Thread(target=speak)
            other.start()
            other.join()
        logging.getLogger("somebody").removeHandler(own)
        sys.stderr.write("after\n")
    heard = screen.getvalue()
    assert "not heard" not in heard
    for words in ("bar", "own", "theirs", "after"):
        assert words in heard


def test_a_stream_is_put_back_after_an_error() -> None:
    before = sys.stderr
    with pytest.raises(ValueError, match="x"), quiet(), quiet():
        raise ValueError("x")
    assert sys.stderr is before


def test_a_source_that_cannot_be_opened_is_refused_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no network at all")
    with listening() as screen, pytest.raises(SourceError):
        open_network(str(tmp_path / "broken.onnx"))
    assert screen.getvalue() == ""
