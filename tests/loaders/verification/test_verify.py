"""The check of composed kernels at the end of a load: it must find what rules get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuitkb.loaders.composition import compose as composition
from circuitkb.loaders.composition import operations
from circuitkb.loaders.composition.compose import Composer
from circuitkb.loaders.composition.composed import Composition
from circuitkb.loaders.composition.linear_form import LinearForm
from circuitkb.loaders.composition.network import Network, network_rows
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.composition.rules import channels as channel_rules
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from circuitkb.loaders.sources.pixels import PixelRange
from circuitkb.loaders.verification.verify import Verified, verify
from tests.loaders.drawn_networks import random_network

PIXELS = PixelRange((-1.0,), (1.0,), known=True)


def verified(traced: TracedNetwork, pixels: PixelRange = PIXELS) -> Verified:
    """Compose a network and check it."""
    composer = Composer(traced)
    return verify(traced, composer.sites, composer.compose(), pixels)


def checked(module: nn.Module, size: int = 9) -> Verified:
    """Compose a network and check it, on images of ``size`` pixels."""
    return verified(trace(module.eval(), pink_image(3, size, size)))


def stack(*parts: nn.Module, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(*parts)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.normal_(part.weight)
            if part.bias is not None:
                nn.init.normal_(part.bias)
    return network


@pytest.fixture(scope="module")
def convolutions() -> TracedNetwork:
    """Two convolutions with a border, and a linear layer; all names are numbers."""
    network = stack(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    return trace(network.eval(), pink_image(3, 9, 9))


def into(composition: Composition, layer: str) -> list[Any]:
    return [found for found in composition.connections if found.target == layer]


def bias(composition: Composition, layer: str) -> object:
    return next(one.bias for one in composition.layers if one.name == layer)


def plant(
    monkeypatch: pytest.MonkeyPatch, operation: str, change: Callable[[LinearForm], LinearForm]
) -> None:
    """Let the rule for an operation give something else."""
    rule = operations.RULES[operation]

    def faulty(context: Any, node: Any, args: list[Any]) -> object:
        given = rule(context, node, args)
        return change(given) if isinstance(given, LinearForm) else given

    monkeypatch.setitem(operations.RULES, operation, faulty)


def parts(form: LinearForm, **changes: Callable[[Any], Any]) -> LinearForm:
    """Return a form with some fields of its parts changed."""
    changed = (
        replace(part, **{name: change(getattr(part, name)) for name, change in changes.items()})
        for part in form.parts
    )
    return replace(form, parts=tuple(changed))


def half_of_the_channels(form: LinearForm) -> LinearForm:
    keep = torch.arange(form.channels)
    keep[form.channels // 2 :] = -1
    kept = (part.select(keep) for part in form.parts)
    return replace(form, parts=tuple(part for part in kept if part is not None))


def one_kernel_less(form: LinearForm) -> LinearForm:
    def without(kernel: Tensor) -> Tensor:
        changed = kernel.clone()
        changed[0, 0, 0] = 0
        return changed

    return parts(form, kernel=without)


def constant_plus(form: LinearForm) -> LinearForm:
    assert form.constant is not None
    return replace(form, constant=form.constant + 0.5)


FAULTS: dict[str, Callable[[LinearForm], LinearForm]] = {
    "kernels missing": lambda form: replace(form, parts=()),
    "half of the channels dropped": half_of_the_channels,
    "one kernel of one unit missing": one_kernel_less,
    "kernels shifted by one": lambda form: parts(form, offset=lambda at: (at[0] + 1, at[1])),
    "rows and columns exchanged": lambda form: parts(form, kernel=lambda k: k.transpose(3, 4)),
    "sources in reverse": lambda form: parts(form, sources=lambda units: units.flip(1)),
    "targets in reverse": lambda form: parts(form, targets=lambda units: units.flip(1)),
    "kernels of the other sign": lambda form: parts(form, kernel=lambda k: -k),
    "kernels one per cent too strong": lambda form: parts(form, kernel=lambda k: 1.01 * k),
    "another bias": constant_plus,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_edges_that_a_faulty_rule_made_are_left_out_and_the_load_says_so(
    fault: str, convolutions: TracedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = verified(convolutions).composition
    assert right.not_composed == ()
    plant(monkeypatch, "conv2d", FAULTS[fault])
    found = verified(convolutions).composition
    for layer in ("1", "3"):
        assert into(found, layer) == []
        assert bias(found, layer) is None
        (said,) = [said for said in found.not_composed if said.startswith(f"edges into {layer} ")]
        assert "are left out: they predict its values with an error of " in said
        assert found.missing[layer] == (said,)
    # What no faulty rule made stays.
    assert len(into(found, "6")) == len(into(right, "6")) == 1
    assert bias(found, "6") is not None


def test_a_rule_that_fails_costs_its_own_edges_and_not_the_load(
    convolutions: TracedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(form: LinearForm) -> LinearForm:
        raise IndexError("out of range")

    plant(monkeypatch, "conv2d", failing)
    found = verified(convolutions).composition
    assert found.not_composed == (
        "no edges through 0 (conv2d: its rule failed, IndexError), on the way to 1",
        "no edges through 2 (conv2d: its rule failed, IndexError), on the way to 3",
    )
    assert [one.target for one in found.connections] == ["6"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda form: replace(form, channels=1), "another shape than the network"),
        (lambda form: replace(form, rows=3, columns=3), "another shape than the network"),
        (lambda form: replace(form, layout="nyxc"), "another shape than the network"),
        (lambda form: replace(form, constant=form.constant[:, :1]), "a constant of another shape"),
        (
            lambda form: parts(form, targets=lambda units: units + 1),
            "another shape than the network",
        ),
    ],
)
def test_what_a_rule_gives_must_have_the_shape_of_what_the_network_computes(
    change: Callable[[Any], Any],
    told: str,
    convolutions: TracedNetwork,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch, "conv2d", change)
    found = verified(convolutions).composition
    assert found.not_composed[0] == (
        f"no edges through 0 (conv2d: its rule gave {told}), on the way to 1"
    )
    assert {one.target for one in found.connections} == {"6"}


def test_edges_that_hold_but_for_the_border_are_marked_gated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rule(context: Any, node: Any, args: list[Any]) -> LinearForm:
        """An average pooling that forgets how few values it has at the border."""
        form = args[0]
        return channel_rules.convolved(
            context,
            node,
            form,
            torch.full((6, 1, 3, 3), 1 / 9),
            groups=6,
            padding=(1, 1),
            constant=context.constant(node, args),
        )

    monkeypatch.setitem(operations.RULES, "avg_pool2d", rule)
    pooling = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    found = checked(
        stack(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            pooling,
            nn.Conv2d(6, 4, 1),
            nn.SiLU(),
            nn.Conv2d(4, 2, 1),
        ),
        13,
    ).composition
    assert [(one.target, one.path) for one in found.connections] == [
        ("1", "direct"),
        ("4", "gated"),
        ("5", "direct"),
    ]
    (said,) = found.not_composed
    assert said.startswith("edges into 4 are off by ")
    assert said.endswith("within 1 position of the border of its map: they are marked gated")
    assert found.linearisation is not None
    assert "border" in found.linearisation
    assert bias(found, "4") is not None

    # What looks at the whole map sees the border everywhere: nothing of it is left.
    found = checked(
        stack(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            pooling,
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(6, 4, 1),
            nn.SiLU(),
        )
    ).composition
    assert [one.target for one in found.connections] == ["1"]
    assert found.not_composed[0].startswith("edges into 5 are left out: ")


@pytest.mark.parametrize("seed", range(5))
def test_networks_composed_right_give_no_alarm(seed: int) -> None:
    network, size = random_network(seed)
    found = checked(network, size)
    assert found.composition.not_composed == ()
    names = [layer.name for layer in found.composition.layers if layer.kind != "input"]
    assert [check.layer for check in found.checks] == names
    assert max(check.anywhere for check in found.checks if not check.gated) < 1e-4


class Excite(nn.Module):
    """A gate over the channels, and one over the map."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.act = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()
        self.gate, self.last, self.end = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.first(x))
        gate = torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.end(self.last(x * gate))


def test_gated_edges_are_judged_on_the_reference_image_and_their_error_elsewhere_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = trace(Excite().eval(), pink_image(3, 9, 9))
    found = verified(traced)
    assert found.composition.not_composed == ()
    (check,) = [check for check in found.checks if check.gated]
    assert check.layer == "end"
    assert check.centre < 1e-4
    assert check.other_images is not None
    assert check.other_images > 1e-3
    assert found.summary()["gated_worst_on_other_images"] == pytest.approx(
        check.other_images, rel=0.01
    )
    plant(monkeypatch, "mul", lambda form: parts(form, kernel=lambda kernel: 1.2 * kernel))
    (said,) = verified(traced).composition.not_composed
    assert said.startswith("gated edges into end are off by ")
    plant(monkeypatch, "mul", lambda form: parts(form, kernel=lambda kernel: -kernel))
    found = verified(traced)
    (said,) = found.composition.not_composed
    assert said.startswith("edges into end are left out: ")
    assert into(found.composition, "end") == []
    assert found.composition.linearisation is None


def test_a_load_writes_what_the_check_left_and_records_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = stack(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.ReLU()).eval()
    network = Network(
        module,
        pink_image(3, 9, 9),
        "tiny",
        "random",
        "tiny",
        "nowhere",
        "NOASSERTION",
        "nobody",
        "0" * 64,
    )
    rows = network_rows(network, name="net")
    summary = json.loads(rows.nodes["Import"].to_pylist()[0]["summary"])
    assert summary["check"]["layers"] == 2
    assert summary["check"]["worst"] < summary["check"]["bound"] == 1e-3
    assert rows.counts()["WEIGHT"] == 3 * 4 + 4 * 2
    plant(monkeypatch, "conv2d", one_kernel_less)
    rows = network_rows(network, name="net")
    assert "WEIGHT" not in rows.counts() or rows.counts()["WEIGHT"] == 0
    assert len(rows.nodes["Model"].to_pylist()[0]["not_composed"]) == 2
    features = rows.nodes["Feature"].to_pylist()
    assert {one["inputs"] for one in features if one["layer"] != "input"} == {None}


def test_a_network_that_fails_on_other_images_is_loaded_unchecked_and_says_so(
    convolutions: TracedNetwork,
) -> None:
    class Moody(TracedNetwork):
        def values(self, image: Tensor) -> Iterator[tuple[Any, Any]]:
            if image is not self.example:
                raise RuntimeError("not this image\nat all")
            return super().values(image)

    moody = Moody(
        convolutions.graph,
        convolutions.constants,
        convolutions.input,
        convolutions.outputs,
        convolutions.example,
        convolutions.leaf_modules,
    )
    found = verified(moody)
    assert found.checks == ()
    assert found.composition.not_composed == (
        "no kernel was checked: the network fails on a noise image (RuntimeError: not this image)",
    )
    assert len(found.composition.connections) == 3


def test_the_images_shown_lie_between_black_and_white(convolutions: TracedNetwork) -> None:
    shown: list[np.ndarray[Any, Any]] = []

    class Watched(TracedNetwork):
        def values(self, image: Tensor) -> Iterator[tuple[Any, Any]]:
            shown.append(image.numpy().copy())
            return super().values(image)

    watched = Watched(
        convolutions.graph,
        convolutions.constants,
        convolutions.input,
        convolutions.outputs,
        convolutions.example,
        convolutions.leaf_modules,
    )
    verified(watched, PixelRange((0.0, 1.0, 2.0), (1.0, 3.0, -2.0), known=True))
    assert len(shown) == 2
    for one in shown:
        low, high = one.min(axis=(0, 2, 3)), one.max(axis=(0, 2, 3))
        assert (low >= [0, 1, -2]).all()
        assert (high <= [1, 3, 2]).all()
        assert (high - low > [0.8, 1.6, 3.2]).all()
    assert not np.allclose(shown[0], shown[1])


@pytest.mark.parametrize(
    "parts",
    [(nn.ReLU(),), (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Hardtanh(0, 3), nn.Sigmoid())],
    ids=str,
)
def test_a_nonlinearity_of_features_as_they_are_is_no_alarm(parts: tuple[nn.Module, ...]) -> None:
    found = checked(stack(*parts))
    assert found.composition.not_composed == ()
    assert len(found.checks) == sum(not isinstance(part, nn.Conv2d) for part in parts)
    assert all(check.anywhere < 1e-5 for check in found.checks)


def test_edges_of_the_centre_alone_are_not_called_exact_but_for_a_border() -> None:
    found = checked(
        stack(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2, 2), nn.ReLU())
    )
    (sentence,) = found.composition.not_composed
    assert sentence.startswith("edges into 3 are those of the centre of its map of 18 by 18 alone")


class _Heads(nn.Module):
    """Classes at each place, as detectors give them; the places before or behind the classes."""

    def __init__(self, *, places_first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 1)
        self.places_first = places_first

    def forward(self, image: Tensor) -> Tensor:
        # Sorting loses what composition knows of the axes, and stays at each place.
        found = self.head(self.features(image).relu()).flatten(2).sort(1).values
        return found.transpose(1, 2) if self.places_first else found


@pytest.mark.parametrize(("places_first", "wrong"), [(False, True), (True, False)])
def test_places_that_a_rule_takes_for_units_are_told_by_the_network(
    monkeypatch: pytest.MonkeyPatch, places_first: bool, wrong: bool
) -> None:
    monkeypatch.setattr(composition, "certain_layout", lambda network, node: "ntc")
    said = checked(_Heads(places_first=places_first)).composition.not_composed
    across = [line for line in said if "its units are places of the image, not channels" in line]
    assert bool(across) is wrong


def test_tokens_that_see_the_whole_image_are_no_alarm() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.patches, self.mix = nn.Conv2d(3, 8, 3, 3), nn.Linear(8, 40)

        def forward(self, image: Tensor) -> Tensor:
            tokens = self.patches(image).flatten(2).transpose(1, 2)
            return self.mix(tokens + tokens.mean(1, keepdim=True)).relu()

    said = checked(Tokens()).composition.not_composed
    assert not [line for line in said if "places of the image" in line]
