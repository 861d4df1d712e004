"""A network of one's own in a knowledge base: its file runs only where the user names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import circuitkb as ckb
from circuitkb.errors import ModelConflictError, ObservationError, SourceError
from circuitkb.kb.reopening import reopen

FILE = """
from pathlib import Path
import torch
from torch import nn
Path(__file__).with_name("ran").touch()

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)), (3, 12, 12)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(FILE)
    return tmp_path / "net.py"


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        yield kb


def stored(**changes: str | None) -> dict[str, str | None]:
    """A model as a knowledge base describes it."""
    model = {
        "id": "net",
        "source": "x.onnx",
        "architecture": "net",
        "fingerprint": "f",
        "computation": None,
        "input_shape": "1x3x12x12",
    }
    return model | changes


def test_a_module_loads_and_the_same_one_again_changes_nothing(
    kb: ckb.KnowledgeBase, module: nn.Module, file: Path
) -> None:
    assert kb.load(module, name="mine", input_shape="3x12x12").created
    assert not kb.load(module, name="mine", input_shape=(3, 12, 12)).created
    assert not kb.load(f"{file}:build", name="mine").created
    with pytest.raises(ModelConflictError, match="another network with the same weights"):
        kb.load(module, name="mine", input_shape=(3, 14, 14))
    (record,) = kb.models().run()
    assert record["source"] == "python:Sequential"
    assert reopen(_model(kb), None, None, module).example.shape == (1, 3, 12, 12)
    with pytest.raises(ObservationError, match=r"kb\.observe\('mine', module=\.\.\.\)"):
        kb.observe("mine")
    with pytest.raises(ObservationError, match="other weights"):
        kb.observe("mine", module=nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    with pytest.raises(ObservationError, match="either as a module or by its source"):
        kb.observe("mine", module=module, source=f"{file}:build")


def _model(kb: ckb.KnowledgeBase) -> dict[str, str]:
    answer = kb.store.read(
        "MATCH (m:Model) RETURN m.id AS id, m.source AS source, m.architecture AS architecture, "
        "m.fingerprint AS fingerprint, m.computation AS computation, m.input_shape AS input_shape"
    )
    return dict(zip(answer.columns, answer.rows[0], strict=True))


def test_a_knowledge_base_makes_no_file_run(file: Path) -> None:
    weights = file.with_name("w.pt")
    torch.save({"a": torch.ones(1)}, weights)
    onnx = file.with_name("x.onnx")
    onnx.write_bytes(b"")
    own = f"{file}:build"
    for model in (
        stored(source=own),
        stored(source=str(weights), architecture=own),
        stored(source=str(onnx), architecture=own),
        stored(source="efficientnet_lite0", architecture=own, fingerprint="0"),
    ):
        with pytest.raises((ObservationError, SourceError)):
            reopen(model, None, None, None)
    # A source that the user names, of weights that the knowledge base says a file builds.
    with pytest.raises(ObservationError, match="runs only where you name it"):
        reopen(stored(architecture=own), str(weights), None, None)
    assert not file.with_name("ran").exists()
    # Named by the user it runs, and is compared.
    with pytest.raises(ObservationError, match="other weights"):
        reopen(stored(source=own), own, None, None)
    assert file.with_name("ran").exists()


@pytest.mark.parametrize("source", [r"\\host\share\net.onnx", "//host/share/net.onnx"])
def test_a_knowledge_base_makes_no_other_machine_be_asked(source: str) -> None:
    with pytest.raises(ObservationError, match="may be on another machine"):
        reopen(stored(source=source), None, None, None)


@pytest.mark.parametrize("shape", ["", "3x4", "1x3x0x0", "nan"])
def test_a_model_of_no_size_is_an_error_in_a_line(shape: str) -> None:
    with pytest.raises(SourceError, match="as in 3x224x224"):
        reopen(stored(input_shape=shape), None, None, nn.ReLU())
