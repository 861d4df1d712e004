"""What an ONNX file calls things is shown to people and reaches no code."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import pytest
from onnx import ModelProto, helper

from circuitkb.loaders import open_source
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.sources.onnx.files import read_onnx
from circuitkb.loaders.sources.opening import open_network
from circuitkb.schema.errors import SourceError, TraceError
from tests.loaders.onnx_networks import integers, model, run, save, two_branches, values

node = helper.make_node

HOSTILE = (
    'x",open("PWNED","w"))or(self,"y',
    "x'); open('PWNED', 'w'); ('",
    "x = open('PWNED', 'w')",
    "x\nopen('PWNED', 'w')\n#",
    '"""+str(open("PWNED","w"))+"""',
    "{open('PWNED','w')}",
    "__import__('os').system('touch PWNED')",
    "$(touch PWNED)`touch PWNED`",
    "../../PWNED",
)


def every_kind_of_operator(names: Sequence[str] = tuple("abcdefghi")) -> ModelProto:
    """Stored arguments, several outputs, inner sequences, a residual sum; nine nodes."""
    nodes = [
        node("Pad", ["image", "pads"], ["padded"]),
        node("Conv", ["padded", "w"], ["c"], pads=[0, 0, 1, 1]),
        node("Clip", ["c", "low"], ["r"]),
        node("Split", ["r", "sizes"], ["a", "b"], axis=1),
        node("Concat", ["b", "a"], ["j"], axis=1),
        node("Add", ["j", "r"], ["s"]),
        node("Relu", ["s"], ["t"]),
        node("Sigmoid", ["t"], ["u"]),
        node("Relu", ["u"], ["out"]),
    ]
    for item, name in zip(nodes, names, strict=True):
        item.name = name
    stored = {
        "pads": integers(0, 0, 1, 1, 0, 0, 0, 0),
        "w": values(4, 3, 2, 2),
        "low": values(1)[0] * 0,
        "sizes": integers(1, 3),
    }
    return model(nodes, stored, inputs=[("image", (1, 3, 6, 6))])


def in_nodes() -> ModelProto:
    return every_kind_of_operator(HOSTILE)


def in_tensors() -> ModelProto:
    network = every_kind_of_operator()
    texts = cycle(HOSTILE)
    called: dict[str, str] = {}

    def renamed(name: str) -> str:
        return called.setdefault(name, next(texts) + name)

    for item in network.graph.node:
        item.input[:] = [renamed(value) for value in item.input]
        item.output[:] = [renamed(value) for value in item.output]
    for value in (*network.graph.input, *network.graph.output, *network.graph.initializer):
        value.name = renamed(value.name)
    del network.graph.value_info[:]
    return network


def in_functions() -> ModelProto:
    network = every_kind_of_operator()
    opsets = [helper.make_opsetid("", 17)]
    read = "out"
    for text in HOSTILE:
        body = [node("Relu", [text], [f"{text}2"], name=text)]
        network.functions.append(
            helper.make_function(text, text, [text], [f"{text}2"], body, opset_imports=opsets)
        )
        network.opset_import.append(helper.make_opsetid(text, 1))
        network.graph.node.append(node(text, [read], [f"{read}+"], name=text, domain=text))
        read += "+"
    network.graph.output[0].name = read
    return network


def in_other_texts() -> ModelProto:
    network = every_kind_of_operator()
    texts = cycle(HOSTILE)
    network.doc_string = network.domain = network.producer_name = next(texts)
    network.graph.name = network.graph.doc_string = next(texts)
    network.metadata_props.add(key=next(texts), value=next(texts))
    network.graph.metadata_props.add(key=next(texts), value=next(texts))
    network.graph.input[0].type.denotation = next(texts)
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_param = next(texts)
    for item in network.graph.node:
        item.doc_string = item.overload = next(texts)
    return network


@pytest.mark.parametrize("place", [in_nodes, in_tensors, in_functions, in_other_texts])
def test_no_text_of_a_file_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Callable[[], ModelProto]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    rows = open_source(str(save(place(), tmp_path / "net.onnx")), name="m").rows(keep=1)
    assert rows.counts()["Layer"] >= 5
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["here", "net.onnx"]


def test_generated_code_holds_made_up_names_only(tmp_path: Path) -> None:
    file = save(every_kind_of_operator([f"stranger{n}" for n in range(9)]), tmp_path / "net.onnx")
    found = read_onnx(file).module
    assert list(found.names.values())[:2] == ["stranger0", "stranger1"]
    for path, part in found.named_modules():
        assert re.fullmatch(r"(n\d+(\.(\d+|constants))*)?", path)
        assert "stranger" not in getattr(part, "code", "")
    assert not any("stranger" in name for name in found.state_dict())


@pytest.mark.parametrize("text", HOSTILE)
def test_an_operator_of_a_stranger_is_refused_in_a_line_or_two(tmp_path: Path, text: str) -> None:
    custom = node(text, ["image"], ["out"], name=text, domain=text)
    network = model([custom], {}, domains=[text])
    with pytest.raises(SourceError) as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    assert len(str(error.value).splitlines()) <= 2
    assert not list(tmp_path.rglob("*PWNED*"))


@pytest.mark.parametrize("text", HOSTILE)
def test_an_option_of_a_stranger_is_refused(tmp_path: Path, text: str) -> None:
    network = model(
        [node("Einsum", ["image", "w"], ["out"], name="e", equation=text)],
        {"w": values(1, 3, 16, 16)},
    )
    with pytest.raises(SourceError) as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    assert len(str(error.value).splitlines()) <= 2


def test_nodes_named_as_words_of_python_keep_their_names(tmp_path: Path) -> None:
    words = ["in", "class", "global", "None", "self", "lambda", "0", "print", "__class__"]
    nodes = [
        node("Relu", [f"t{number}"], [f"t{number + 1}"], name=word)
        for number, word in enumerate(words)
    ]
    network = model(nodes, {}, inputs=[("t0", (1, 3, 8, 8))], outputs=[f"t{len(words)}"])
    opened = open_network(str(save(network, tmp_path / "net.onnx")))
    assert [layer.name for layer in compose(opened.module, opened.example).layers] == [
        "input",
        *words[:-1],
        "__class___1",
    ]
    image = opened.example
    assert (opened.module(image).numpy() == run(network, image.numpy())).all()


def test_the_same_weights_have_the_fingerprint_that_they_always_had(tmp_path: Path) -> None:
    """Stores hold it: it goes by the names that people see."""
    opened = open_network(str(save(two_branches(), tmp_path / "net.onnx")))
    assert opened.fingerprint == "60ea4719f7a3e240f8f856250ae496e9d78be8a7911868de480fa5c11b280b33"


def test_what_cannot_be_brought_to_torch_is_named_as_the_file_names_it(tmp_path: Path) -> None:
    network = model(
        [node("Conv", ["image", "image"], ["out"], name="block.1/conv")],
        {},
        inputs=[("image", (1, 3, 3, 3))],
    )
    with pytest.raises(TraceError, match=r"the operator Conv \(node 'block/1/conv'\)") as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    assert len(str(error.value).splitlines()) <= 2
