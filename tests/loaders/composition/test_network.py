"""A network as rows: every table, against the network itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from circuitkb.loaders import load_rows, open_source
from circuitkb.loaders.composition.composed import ComposedLayer, Composition
from circuitkb.loaders.composition.network import Network, network_rows
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.published.rows import published_rows
from circuitkb.loaders.sources.fingerprint import fingerprint
from circuitkb.loaders.sources.opening import open_network
from circuitkb.loaders.verification.verify import Verified
from circuitkb.schema.errors import IdError, SourceError
from circuitkb.schema.ids import FeatureId, LayerId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import GraphRows


def tiny(seed: int = 0, **more: Any) -> Network:
    """Two convolutions, two nonlinearities and a linear layer."""
    torch.manual_seed(seed)
    module = nn.Sequential()
    for name, part in [
        ("conv1", nn.Conv2d(3, 6, 3)),
        ("act1", nn.ReLU()),
        ("conv2", nn.Conv2d(6, 4, 3, stride=2, groups=2)),
        ("act2", nn.ReLU()),
        ("flat", nn.Flatten()),
        ("head", nn.Linear(4 * 2 * 2, 5)),
    ]:
        module.add_module(name, part)
    settings: dict[str, Any] = {
        "architecture": "tiny",
        "weights": "random",
        "suggested_name": "tiny",
        "source": "nowhere",
        "license": "NOASSERTION",
        "attribution": "nobody",
    }
    return Network(
        module=module.eval(),
        example=pink_image(3, 8, 8),
        fingerprint=fingerprint(module.state_dict()),
        **(settings | more),
    )


def only(rows: GraphRows, label: str) -> dict[str, Any]:
    (record,) = rows.nodes[label].to_pylist()
    assert isinstance(record, dict)
    return record


def relation(rows: GraphRows, name: str) -> list[dict[str, Any]]:
    (found,) = [item for item in rows.relations if item.name == name]
    table: list[dict[str, Any]] = found.table.to_pylist()
    return table


def given(monkeypatch: pytest.MonkeyPatch, composition: Composition) -> None:
    """Let composing give this."""
    verified = Verified(composition, ())
    monkeypatch.setattr(
        "circuitkb.loaders.composition.network.compose_and_verify", lambda *_: verified
    )


def test_the_model_says_what_it_is_and_how_much_of_it_the_graph_keeps() -> None:
    network = tiny()
    rows = network_rows(network, name="mine", keep=2)
    edges = 6 * 3 + 4 * 3 + 5 * 4
    kept = 6 * 2 + 4 * 2 + 5 * 2
    record = only(rows, "Model")
    tool = record.pop("tool")
    assert tool.startswith("circuitkb ")
    assert record == {
        "id": "mine",
        "fingerprint": network.fingerprint,
        "computation": None,
        "source": "nowhere",
        "architecture": "tiny",
        "input_shape": "1x3x8x8",
        "weights": "random",
        "features": 3 + 6 + 4 + 5,
        "edges": edges,
        "edges_kept": kept,
        "keep": 2,
        "without_inputs": 0,
        "not_composed": [],
        "linearisation": None,
        "license": "NOASSERTION",
        "attribution": "nobody",
    }
    assert rows.counts() == {
        "Model": 1,
        "Layer": 4,
        "Feature": 18,
        "Import": 1,
        "IN_MODEL": 4,
        "IN_LAYER": 18,
        "WEIGHT": kept,
    }


def test_layers_stand_in_the_order_of_computation() -> None:
    layers = network_rows(tiny(), name="mine").nodes["Layer"].to_pylist()
    assert layers == [
        {
            "id": f"mine/{name}",
            "model": "mine",
            "name": name,
            "position": position,
            "kind": kind,
            "channels": channels,
            "height": size,
            "width": size,
            "receptive_field": None,
            "off_centre": None,
        }
        for position, (name, kind, channels, size) in enumerate(
            [
                ("input", "input", 3, 8),
                ("act1", "relu", 6, 6),
                ("act2", "relu", 4, 2),
                ("head", "output", 5, None),
            ]
        )
    ]


def test_every_unit_is_a_feature_in_its_layer() -> None:
    rows = network_rows(tiny(), name="mine")
    layers = {record["id"]: record for record in rows.nodes["Layer"].to_pylist()}
    features = rows.nodes["Feature"].to_pylist()
    assert len({record["id"] for record in features}) == len(features)
    for record in features:
        parsed = FeatureId.parse(record["id"])
        assert (parsed.model, parsed.layer) == (record["model"], record["layer"])
        assert parsed.unit == record["unit"]
        assert parsed.basis is record["basis"] is None
    assert Counter(str(FeatureId.parse(r["id"]).layer_id) for r in features) == {
        name: layer["channels"] for name, layer in layers.items()
    }
    inside = {record["source"]: record["target"] for record in relation(rows, "IN_LAYER")}
    assert inside == {r["id"]: str(LayerId(r["model"], r["layer"])) for r in features}
    inside = {record["source"]: record["target"] for record in relation(rows, "IN_MODEL")}
    assert inside == dict.fromkeys(layers, "mine")


def test_a_feature_carries_its_bias_and_what_flows_into_it() -> None:
    network = tiny()
    rows = network_rows(network, name="mine", keep=2)
    features = {record["id"]: record for record in rows.nodes["Feature"].to_pylist()}
    weight = network.module.get_parameter("conv2.weight").detach()
    bias = network.module.get_parameter("conv2.bias").detach()
    for unit in range(4):
        record = features[f"mine/act2:{unit}"]
        strength = weight[unit].abs().sum(dim=(1, 2)).sort(descending=True).values
        assert record["bias"] == pytest.approx(float(bias[unit]), abs=1e-6)
        assert record["inputs"] == 3
        assert record["input_l1"] == pytest.approx(float(strength.sum()), rel=1e-5)
        assert record["left_out_l1"] == pytest.approx(float(strength[2:].sum()), rel=1e-5)
        assert record["input_l2_squared"] == pytest.approx(
            float((weight[unit] ** 2).sum()), rel=1e-5
        )
    for unit in range(3):
        record = features[f"mine/input:{unit}"]
        assert record["bias"] is None
        assert record["inputs"] == record["input_l1"] == record["left_out_l1"] == 0


def test_weights_join_features_that_are_there_and_name_their_kernels() -> None:
    rows = network_rows(tiny(), name="mine", keep=2)
    ids = set(rows.nodes["Feature"]["id"].to_pylist())
    kernels = {connection.key: connection for connection in rows.kernels["mine"]}
    assert len(kernels) == 3
    for record in relation(rows, "WEIGHT"):
        assert {record["source"], record["target"]} <= ids
        source, target = FeatureId.parse(record["source"]), FeatureId.parse(record["target"])
        connection = kernels[record["connection"]]
        assert (connection.source, connection.target) == (source.layer, target.layer)
        assert connection.path == record["path"]
        kernel = connection.find(source.unit, target.unit)
        assert kernel is not None
        assert float(np.abs(kernel).sum()) == pytest.approx(record["l1"], rel=1e-5)
        assert float(kernel.sum()) == pytest.approx(record["sum"], rel=1e-4, abs=1e-6)


def layer(name: str, kind: str, channels: int, bias: Any = None) -> ComposedLayer:
    return ComposedLayer(name, kind, channels, None, None, bias)


def connect(source: str, target: str, key: str, targets: list[int]) -> Connection:
    units = np.array([targets], np.int32)
    kernel = np.ones((1, len(targets), 1, 1, 1), np.float32)
    return Connection(key, source, target, "direct", units, np.array([[0]], np.int32), kernel)


def test_what_was_not_composed_is_unknown_and_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    composition = Composition(
        layers=(
            layer("input", "input", 1),
            layer("a", "relu", 2, np.zeros(2, np.float32)),
            layer("b", "gelu", 2),
            layer("c", "output", 3),
        ),
        connections=(connect("input", "c", "c0", [2, 0]),),
        not_composed=("no edges through attention, on the way to b",),
        linearisation="held at the reference image",
        missing={"b": ("attention",), "c": ("a gate", "a pad")},
    )
    given(monkeypatch, composition)
    rows = network_rows(tiny(), name="mine")
    features = {r["id"].partition("/")[2]: r for r in rows.nodes["Feature"].to_pylist()}
    # Nothing leads into a; what leads into b is not known; c is known in part.
    assert [features[f"a:{unit}"]["inputs"] for unit in range(2)] == [0, 0]
    assert [features[f"b:{unit}"]["inputs"] for unit in range(2)] == [None, None]
    assert [features[f"b:{unit}"]["input_l1"] for unit in range(2)] == [None, None]
    assert [features[f"c:{unit}"]["inputs"] for unit in range(3)] == [1, 0, 1]
    assert features["b:0"]["bias"] is features["c:0"]["bias"] is None
    record = only(rows, "Model")
    assert record["not_composed"] == ["no edges through attention, on the way to b"]
    assert record["linearisation"] == "held at the reference image"
    # All of a, all of b, and one of c.
    assert record["without_inputs"] == 2 + 2 + 1
    assert json.loads(only(rows, "Import")["summary"])["missing_inputs"] == [
        {"layer": "a", "units": 2, "of": 2, "why": ["every weight into them is zero"]},
        {"layer": "b", "units": 2, "of": 2, "why": ["attention"]},
        {"layer": "c", "units": 1, "of": 3, "why": ["a gate", "a pad"]},
    ]


def test_the_import_says_when_and_how_much() -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    record = only(network_rows(tiny(), name="mine", keep=2), "Import")
    assert (record["kind"], record["model"], record["source"]) == ("load", "mine", "nowhere")
    assert before <= datetime.fromisoformat(record["created"]) <= datetime.now(UTC)
    assert record["created"].endswith("+00:00")
    assert record["seconds"] > 0
    summary = json.loads(record["summary"])
    assert summary["features"] == 18
    assert summary["edges"] == 50
    assert summary["edges_kept"] == 30
    assert summary["keep"] == 2


def test_loading_again_gives_the_same_rows_but_for_the_clock() -> None:
    one, two = (network_rows(tiny(), name="mine", keep=3) for _ in range(2))
    for label in ("Model", "Layer", "Feature"):
        assert one.nodes[label].equals(two.nodes[label])
    for first, second in zip(one.relations, two.relations, strict=True):
        assert first.table.equals(second.table)
    assert only(one, "Import")["id"] == only(two, "Import")["id"]


def test_another_name_or_weights_or_number_kept_is_another_import() -> None:
    ids = {
        only(network_rows(tiny(seed), name=name, keep=keep), "Import")["id"]
        for seed, name, keep in [(0, "a", 2), (1, "a", 2), (0, "b", 2), (0, "a", 3)]
    }
    assert len(ids) == 4


@pytest.mark.parametrize("keep", [0, -3])
def test_keeping_no_input_is_refused_before_any_work(keep: int) -> None:
    told: list[str] = []
    opened = open_source("torchvision:squeezenet1_1@none")
    with pytest.raises(SourceError, match=f"keep is {keep}"):
        opened.rows(keep=keep, progress=lambda doing, done: told.append(doing))
    assert not told


def test_a_name_that_cannot_name_a_model_is_refused() -> None:
    with pytest.raises(IdError):
        network_rows(tiny(), name="Not A Slug")


def test_progress_grows_from_nothing_to_the_whole() -> None:
    told: list[tuple[str, float]] = []
    network_rows(tiny(), name="mine", progress=lambda doing, done: told.append((doing, done)))
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert {doing for doing, _ in told} == {
        "Composing kernels",
        "Checking kernels",
        "Summarising edges",
    }


def test_an_opened_source_knows_its_name_and_fingerprint_before_the_work() -> None:
    opened = open_source("torchvision:squeezenet1_1@none")
    assert opened.name == "squeezenet1_1-random"
    named = open_source("torchvision:squeezenet1_1@none", name="squeeze")
    assert named.name == "squeeze"
    assert named.fingerprint == opened.fingerprint
    assert only(named.rows(keep=1), "Model")["fingerprint"] == opened.fingerprint


def test_published_circuits_open_like_a_network() -> None:
    opened = open_source("published:inceptionv1", name="mine")
    expected = only(published_rows("published:inceptionv1", name="mine"), "Model")
    assert (opened.name, opened.fingerprint) == ("mine", expected["fingerprint"])
    rows = load_rows("published:inceptionv1", name="mine")
    assert only(rows, "Model") == expected
    assert set(rows.kernels) == {"mine"}


def test_a_real_network_becomes_rows() -> None:
    rows = load_rows("torchvision:resnet18@none", keep=4)
    network = open_network("torchvision:resnet18@none")
    counts = rows.counts()
    # The input, 17 nonlinearities and the output.
    assert counts["Layer"] == 19
    assert counts["Feature"] == 3 + 64 * 5 + 128 * 4 + 256 * 4 + 512 * 4 + 1000
    record = only(rows, "Model")
    assert record["edges_kept"] == counts["WEIGHT"]
    # Every unit but the input's three has at least four inputs, but for those of the stem.
    assert counts["WEIGHT"] == 4 * (counts["Feature"] - 3 - 64) + 64 * 3
    assert record["not_composed"] == []
    features = rows.nodes["Feature"].to_pylist()
    assert sum(one["inputs"] for one in features) == record["edges"]
    weight = network.module.get_parameter("fc.weight").detach()
    bias = network.module.get_parameter("fc.bias").detach()
    outputs = [one for one in features if one["layer"] == "fc"]
    np.testing.assert_allclose([one["bias"] for one in outputs], bias.numpy(), rtol=1e-5, atol=1e-6)
    # The mean over the 7x7 map: the sum of a kernel is the weight of the linear layer.
    edges = [one for one in relation(rows, "WEIGHT") if one["target"].endswith("/fc:7")]
    for one in edges:
        unit = FeatureId.parse(one["source"]).unit
        assert one["sum"] == pytest.approx(float(weight[7, unit]), rel=1e-4)


# A child's ru_maxrss starts at its parent's, so Linux is asked for the mark of the child itself.
PEAK = r"""
import json, pathlib, re, resource
from circuitkb.loaders import load_rows
rows = load_rows("efficientnet_lite0")
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([rows.counts(), peak, rows.nodes["Model"].to_pylist()[0]]))
"""


@pytest.mark.long
def test_lite0_loads_in_less_than_three_gigabytes() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, env=environment
    )
    counts, peak, model = json.loads(done.stdout)
    assert peak < 3e9
    # Known of this network before the program was written: 20,200 units, 17.4 million edges.
    assert counts["Feature"] == 20_200 + 3
    assert model["edges"] == pytest.approx(17.4e6, rel=0.01)
    assert model["weights"] == "trained"
