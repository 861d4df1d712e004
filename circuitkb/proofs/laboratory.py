"""Counterexamples on the network itself: run there, and searched there where it is too large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from circuitkb.proofs.binding import Bound
from circuitkb.proofs.cone import Cone, Place
from circuitkb.proofs.wiring import LayerShape, Values, Wiring
from circuitkb.schema.errors import ProofError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.responses import Responses

if TYPE_CHECKING:
    from torch import Tensor

    from circuitkb.loaders.activations.placed import PlacedNetwork
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View
    from circuitkb.trials.showing import Shown

STEPS = 40
"""Steps of a descent on images."""

LEVELS = 255
"""Steps from black to white of the images that count: those of an ordinary picture file."""


@dataclass(frozen=True)
class Ran:
    """What a network gave.

    Attributes
    ----------
    target
        The target before its nonlinearity.
    breaks
        Whether the conditions hold there, and what should follow does not.
    """

    target: float
    breaks: bool


@dataclass(frozen=True, eq=False)
class FoundImage:
    """An image that breaks a statement: values from 0 to 1, axes (channel, row, column)."""

    image: Floats
    target: float
    began: str


class Laboratory:
    """A network, and the stimuli that it was observed with.

    Parameters
    ----------
    network
        As it was opened.
    responses
        Of the model; None where it was not observed.
    """

    def __init__(self, network: Network, wiring: Wiring, responses: Responses | None) -> None:
        self._network, self._wiring, self._responses = network, wiring, responses

    @cached_property
    def _native(self) -> PlacedNetwork:
        from circuitkb.loaders.activations.placed import PlacedNetwork

        return PlacedNetwork.of(self._network)

    @cached_property
    def _shown(self) -> Shown:
        from circuitkb.trials.showing import shown

        assert self._responses is not None, "only observed models are shown stimuli"
        return shown(self._network, self._responses)

    def run(self, cone: Cone, values: Values, bound: Bound) -> Ran:
        """Run the network with the values of a box put in their places.

        Raises
        ------
        TrialError
            They cannot be put there.
        """
        import torch

        from circuitkb.loaders.activations.placed import Put

        put = {
            part.layer: Put(
                part.units, part.rows, part.columns, values[part.start : part.stop].copy()
            )
            for part in cone.boxed
        }
        places = bound.watched
        with torch.no_grad():
            found = self._native.run(self._network.example, _reads(bound.target, places), put)
        return _judged(bound, found, dict(zip(places, range(1, len(places) + 1), strict=True)))

    def stimulus(self, number: int, bound: Bound) -> Ran:
        """Show the network a stimulus of the battery, as when it was observed."""
        import torch

        scene = self._scene(bound)
        image = torch.from_numpy(self._shown.images(scene.view, np.array([number])))
        with torch.no_grad():
            return scene.run(image, bound)

    def image(self, image: Floats, bound: Bound) -> Ran:
        """Show the network an image that was found: values from 0 to 1, axes as :attr:`FoundImage`.

        Raises
        ------
        ProofError
            It is of another size than the network is shown here.
        """
        import torch

        from circuitkb.loaders.activations.functional import as_read

        scene = self._scene(bound)
        shown = self._shown.drawn(scene.view, np.array([0])).shape[1:]
        if image.shape != shown:
            raise ProofError(f"The image has axes {image.shape}, and {shown} are shown here.")
        with torch.no_grad():
            read = as_read(self._shown.pixels)(torch.from_numpy(image[None].astype(np.float32)))
            return scene.run(read, bound)

    def picture(self, number: int, bound: Bound) -> Floats:
        """Return a stimulus as it is shown: values from 0 to 1, axes (channel, row, column)."""
        scene = self._scene(bound)
        found: Floats = self._shown.drawn(scene.view, np.array([number]))[0]
        return found

    def search(
        self, bound: Bound, starts: Sequence[int], out_of_time: Callable[[], bool]
    ) -> FoundImage | None:
        """Move the pixels of stimuli until the statement breaks, if it does in time."""
        import torch

        from circuitkb.loaders.activations.functional import as_read

        scene, read = self._scene(bound), as_read(self._shown.pixels)
        for start in starts:
            drawn = self._shown.drawn(scene.view, np.array([start]))
            image = torch.from_numpy(drawn)
            pace = torch.zeros_like(image)
            for step in range(STEPS):
                if out_of_time():
                    return None
                image = image.detach().requires_grad_()
                values = scene.values(read(image), bound)
                loss = _loss(bound, values, scene.numbers)
                (slope,) = torch.autograd.grad(loss, image)
                pace = 0.8 * pace + slope / slope.abs().sum().clamp_min(1e-30)
                with torch.no_grad():
                    moved = image - 0.06 * 0.97**step * pace.sign()
                    image = moved.clamp(0, 1)
                    coarse = (image * LEVELS).round() / LEVELS
                    ran = scene.run(read(coarse), bound)
                if ran.breaks:
                    assert self._responses is not None, "only observed models are shown stimuli"
                    began = self._responses.stimuli[start]
                    return FoundImage(coarse[0].numpy(), ran.target, began)
        return None

    def _scene(self, bound: Bound) -> _Scene:
        layer = bound.target[0]
        view = next(one for one in self._shown.edited.views if layer in one.places)
        return _Scene.of(view, bound, self._wiring)


@dataclass(frozen=True, eq=False)
class _Scene:
    """One way of looking at a network, and where a statement's features stand in it."""

    placed: PlacedNetwork
    target: Place
    places: dict[Place, Place]

    @classmethod
    def of(cls, view: View, bound: Bound, wiring: Wiring) -> _Scene:
        from circuitkb.loaders.activations.editing.maps import position
        from circuitkb.loaders.activations.placed import PlacedNetwork
        from circuitkb.loaders.composition.compose import find_sites

        placed = PlacedNetwork(view, find_sites(view.network))
        layer, unit, *_ = bound.target
        at = placed.view.places[layer]
        index = at.index if at.before is None else at.before
        own = position(placed.sites[layer], index)
        shapes = {
            name: LayerShape(0, "", 0, site.rows, site.columns)
            for name, site in placed.sites.items()
        }
        native = bound.target[2], bound.target[3]
        places = {}
        for one in bound.watched:
            # As far from where the kernel is centred as in the statement.
            there = wiring.reading_place(one[0], one[1], layer, native)
            here = wiring.reading_place(one[0], one[1], layer, own, shapes)
            row, column = here[0] + one[2] - there[0], here[1] + one[3] - there[1]
            places[one] = (one[0], one[1], row, column)
        return cls(placed, (layer, unit, *own), places)

    @property
    def view(self) -> View:
        return self.placed.view

    @property
    def numbers(self) -> dict[Place, int]:
        return {place: number for number, place in enumerate(self.places, start=1)}

    def values(self, image: Tensor, bound: Bound) -> Tensor:
        return self.placed.run(image, _reads(self.target, list(self.places.values())), {})

    def run(self, image: Tensor, bound: Bound) -> Ran:
        return _judged(bound, self.values(image, bound), self.numbers)


def _reads(target: Place, places: Sequence[Place]) -> list:  # type: ignore[type-arg]
    from circuitkb.loaders.activations.placed import Read

    return [Read(*target, before=True), *(Read(*one) for one in places)]


def _judged(bound: Bound, found: Tensor, numbers: dict[Place, int]) -> Ran:
    values = found.detach().double().numpy()
    holds = any(
        all(
            sum(factor * values[numbers[place]] for place, factor in terms) >= level
            for terms, level in all_of
        )
        for all_of in bound.any_of
    )
    target, level = bound.sign * values[0], bound.sign * bound.level
    broken = target <= level if bound.strict else target < level
    return Ran(float(values[0]), bool(holds and broken))


def _loss(bound: Bound, values: Tensor, numbers: dict[Place, int]) -> Tensor:
    """Return how far a statement is from being broken: what falls short, and the target."""
    import torch

    lacking = []
    for all_of in bound.any_of:
        short = values.new_zeros(())
        for terms, level in all_of:
            total = values.new_zeros(())
            for place, factor in terms:
                total = total + factor * values[numbers[place]]
            short = short + (level + 1e-3 * max(1.0, abs(level)) - total).clamp_min(0)
        lacking.append(short)
    return bound.sign * values[0] + 20 * torch.stack(lacking).min()
