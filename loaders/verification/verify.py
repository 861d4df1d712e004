"""Compare composed kernels with the network itself, layer by layer, before they are written.

The traced network runs on a few images that composition never saw. What bias and kernels make of
the real activations of each source must be the pre-activation that the network computed, at the
border of a map as at its centre. What is not, is said and marked: a fault in a rule of composition
must not become a wrong answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.compose import Site
from circuitkb.loaders.composition.composed import ComposedLayer, Composition
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.sources.pixels import PixelRange
from circuitkb.loaders.verification.kernel_sums import Places, Sums, UnknownPoolingError
from circuitkb.loaders.verification.real_values import (
    NetworkFailedError,
    as_map,
    first_line,
    values_of,
)
from circuitkb.loaders.verification.unit_axes import read_across
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent

BOUND = 1e-3
"""Largest error of a unit, as a share of the spread of its real values, that passes."""

MISLEADING = 0.5
"""Gated edges that are off by more than this on the reference image itself are left out."""

SMALL = 7
"""Maps of so many rows and columns are checked at every position."""

# A unit that hardly varies, or whose inputs cancel, is known only as well as float32 adds up:
# shares of what is summed for it, and for the layer's largest unit, below which no spread counts.
_OWN_FLOOR, _LAYER_FLOOR = 1e-2, 1e-3


@dataclass(frozen=True)
class LayerCheck:
    """How well bias and kernels reproduce a layer's pre-activation.

    Attributes
    ----------
    layer
        Its name.
    gated
        Whether edges into it hold near the reference image only; then ``centre`` and ``anywhere``
        are those of the reference image.
    centre, anywhere
        Largest error at the centre of the map, and at any position, as a share of the spread of
        the unit's real values.
    reach, depth
        Positions from the border of the map within which errors exceed the bound, and those from
        the border to the centre.
    other_images
        For gated layers: largest error at the centre on other images, where it is not judged.
    fault
        Why nothing could be compared; empty if it could.
    """

    layer: str
    gated: bool
    centre: float
    anywhere: float
    reach: int = 0
    depth: int = 0
    other_images: float | None = None
    fault: str = ""


@dataclass(frozen=True, eq=False)
class Verified:
    """A composition whose wrong edges are marked or gone, and what the check found."""

    composition: Composition
    checks: tuple[LayerCheck, ...]

    def summary(self) -> dict[str, object]:
        """Return figures for the record of a load: layers checked, and the worst errors."""
        exact = [check.anywhere for check in self.checks if not check.gated]
        gated = [check for check in self.checks if check.gated]
        return {
            "layers": len(self.checks),
            "bound": BOUND,
            "worst": _rounded(max(exact, default=None)),
            "gated_layers": len(gated),
            "gated_worst": _rounded(max((check.centre for check in gated), default=None)),
            "gated_worst_on_other_images": _rounded(
                max((check.other_images or 0.0 for check in gated), default=None)
            ),
        }


@torch.no_grad()
def verify(
    network: TracedNetwork,
    sites: Mapping[str, Site],
    composition: Composition,
    pixels: PixelRange,
    progress: Progress = silent,
) -> Verified:
    """Run a network on a few seeded images and compare every composed layer with it.

    Each map of up to :data:`SMALL` rows and columns is compared at every position, a larger one
    at its corners, along its edges, at its centre and at a seeded sample.

    Parameters
    ----------
    network, sites, composition
        What was composed, and where each layer stands in it.
    pixels
        Values of black and white, between which the images lie.
    progress
        Called with how far it is.

    Returns
    -------
    Verified
        The composition, changed where it was wrong. What lies within a layer's ``margin`` is not
        judged but said, unless edges into it are gated. A layer off by more than :data:`BOUND` is
        named in ``not_composed``. Where it holds at the centre of the map its edges are marked
        ``gated``; where it does not, the edges and the bias are left out. Layers with gated edges
        are judged at the centre of the reference image.
    """
    layers = [
        _Layer(layer, sites[layer.name], _into(layer, composition))
        for layer in composition.layers
        if layer.bias is not None
    ]
    images = _images(network.example.shape[1:], pixels)
    if any(layer.gated for layer in layers):
        images = [network.example, *images]
    try:
        for done, image in enumerate(images):
            progress("Checking kernels", done / len(images))
            _compare(network, sites, composition, layers, image, image is network.example)
        across = read_across(network, sites, composition, images[-1], images[-2])
    except NetworkFailedError as error:
        sentence = f"no kernel was checked: the network fails on a noise image ({error})"
        return Verified(_with_sentences(composition, [sentence]), ())
    progress("Checking kernels", 1.0)
    checks = tuple(layer.result() for layer in layers)
    return Verified(_corrected(composition, checks, across), checks)


def _into(layer: ComposedLayer, composition: Composition) -> list[Connection]:
    return [found for found in composition.connections if found.target == layer.name]


def _images(shape: Sequence[int], pixels: PixelRange) -> list[Tensor]:
    """Return an image of pink and one of white noise, from black to white."""
    channels, rows, columns = shape
    pink = (0.5 + 0.25 * pink_image(channels, rows, columns, seed=1).numpy()).clip(0, 1)
    white = np.random.default_rng(2).random(pink.shape, np.float32)
    return [torch.from_numpy(pixels.apply(image)) for image in (pink, white)]


def _compare(
    network: TracedNetwork,
    sites: Mapping[str, Site],
    composition: Composition,
    layers: Sequence[_Layer],
    image: Tensor,
    reference: bool,
) -> None:
    """Run the network on one image; compare each layer as soon as it is computed."""
    readers: dict[str, set[str]] = {}
    for layer in layers:
        for connection in layer.connections:
            readers.setdefault(connection.source, set()).add(layer.name)
    channels = {layer.name: layer.channels for layer in composition.layers}
    before: dict[Node, list[_Layer]] = {}
    after: dict[Node, list[Site]] = {}
    for layer in layers:
        if layer.site.before is not None:
            before.setdefault(layer.site.before, []).append(layer)
    for name in readers:
        after.setdefault(sites[name].after, []).append(sites[name])
    held: dict[str, Floats] = {}
    for node, value in values_of(network, image):
        # First what the node gives: a nonlinearity may read features as they are.
        for site in after.get(node, ()):
            given = as_map(value, site, channels[site.layer])
            if given is not None and readers[site.layer]:
                held[site.layer] = given.copy()
        for layer in before.get(node, ()):
            layer.compare(value, held, reference)
            for name in {connection.source for connection in layer.connections}:
                readers[name].discard(layer.name)
                if not readers[name]:
                    held.pop(name, None)


@dataclass(eq=False)
class _Layer:
    """A layer's real and predicted values, gathered image by image."""

    layer: ComposedLayer
    site: Site
    connections: list[Connection]
    fault: str = ""
    other_images: NDArray[np.float64] | None = None
    rows: Places = field(init=False)
    columns: Places = field(init=False)
    _low: Floats | None = None
    _high: Floats | None = None
    _sizes: NDArray[np.float64] | None = None
    _errors: Floats | None = None
    _extent: tuple[int, int] = (1, 1)

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def gated(self) -> bool:
        return any(connection.path == "gated" for connection in self.connections)

    def compare(self, value: object, held: Mapping[str, Floats], reference: bool) -> None:
        """Compare one image's real pre-activation with what the kernels give."""
        real = as_map(value, self.site, self.layer.channels)
        if real is None or self.layer.bias is None:
            self.fault = "its tensor has no such units"
            return
        self._extent = (real.shape[1], real.shape[2])
        self.rows, self.columns = (_places(size) for size in self._extent)
        chosen = real[:, self.rows[:, None], self.columns]
        sums = Sums.of_bias(self.layer.bias, len(self.rows), len(self.columns))
        try:
            for connection in self.connections:
                sums.add(connection, held[connection.source], self.rows, self.columns)
        except (LookupError, ValueError, RuntimeError) as error:
            self.fault = f"its kernels do not fit what they read ({first_line(error)})"
            return
        except UnknownPoolingError as error:
            self.fault = f"a pooling that the check does not know: {error}"
            return
        self._gather(chosen, sums, reference)

    def _gather(self, real: Floats, sums: Sums, reference: bool) -> None:
        known = np.isfinite(real)
        low = np.where(known, real, np.inf).min(axis=(1, 2))
        high = np.where(known, real, -np.inf).max(axis=(1, 2))
        errors = np.where(known, np.abs(sums.values - real), 0)
        errors = np.nan_to_num(errors, nan=np.inf, posinf=np.inf)
        sizes = np.maximum(sums.sizes, np.abs(np.where(known, real, 0)).max(axis=(1, 2)))
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)
        self._sizes = sizes if self._sizes is None else np.maximum(self._sizes, sizes)
        if reference or not self.gated:
            self._errors = errors if self._errors is None else np.maximum(self._errors, errors)
        else:
            centre = errors[:, *self._centre()].astype(np.float64)
            worst = centre if self.other_images is None else np.maximum(self.other_images, centre)
            self.other_images = worst

    def _centre(self) -> tuple[int, int]:
        row, column = (
            int(np.flatnonzero(places == size // 2)[0])
            for places, size in zip((self.rows, self.columns), self._extent, strict=True)
        )
        return row, column

    def result(self) -> LayerCheck:
        """Return how large the errors are, as shares of the spread of each unit."""
        if self.fault or self._low is None or self._high is None or self._sizes is None:
            fault = self.fault or "the network does not compute it"
            return LayerCheck(self.name, self.gated, np.inf, np.inf, fault=fault)
        spread = np.where(self._high >= self._low, (self._high - self._low) / 2, 0)
        floor = np.maximum(_OWN_FLOOR * self._sizes, _LAYER_FLOOR * self._sizes.max(initial=0.0))
        scale = np.maximum(spread, floor)
        errors = self._errors if self._errors is not None else np.zeros((len(scale), 1, 1))
        relative = _divided(errors, scale[:, None, None])
        worst = np.where(self._claimed(), relative.max(axis=0, initial=0.0), 0.0)
        other = None
        if self.other_images is not None:
            other = float(_divided(self.other_images, scale).max(initial=0.0))
        return LayerCheck(
            self.name,
            self.gated,
            float(worst[self._centre()]),
            float(worst.max(initial=0.0)),
            self._reach(worst > BOUND),
            min(self._extent) // 2,
            other,
        )

    def _claimed(self) -> NDArray[np.bool_]:
        """Return at which of the chosen positions composition says that its kernels are exact."""
        top, bottom, left, right = self.layer.margin
        rows, columns = self._extent
        inside: NDArray[np.bool_] = (
            ((self.rows >= top) & (self.rows < rows - bottom))[:, None]
            & (self.columns >= left)
            & (self.columns < columns - right)
        )
        return inside

    def _reach(self, wrong: NDArray[np.bool_]) -> int:
        """Return how far from the border the innermost wrong position is, from 1; 0 if none is."""
        inward = [
            np.minimum(places, size - 1 - places)
            for places, size in zip((self.rows, self.columns), self._extent, strict=True)
        ]
        depth = np.minimum(inward[0][:, None], inward[1])
        return int(depth[wrong].max()) + 1 if wrong.any() else 0


def _places(size: int) -> Places:
    """Choose rows, or columns: all of a few; else the ends, the middle and a seeded sample."""
    if size <= SMALL:
        return np.arange(size)
    drawn = np.random.default_rng(size).integers(2, size - 2, 2)
    return np.unique([0, 1, size // 2, size - 2, size - 1, *drawn.tolist()])


def _divided(errors: NDArray[np.floating], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return errors as shares of a scale; an error where all is zero is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: NDArray[np.float64] = np.where(errors == 0, 0.0, errors / scale)
    return shares


def _corrected(
    composition: Composition, checks: Sequence[LayerCheck], across: Collection[str]
) -> Composition:
    """Mark or leave out what does not hold, and say so."""
    sentences: list[str] = []
    wrong: dict[str, str] = {}
    bounded: set[str] = set()
    for check in checks:
        most = MISLEADING if check.gated else BOUND
        if check.fault:
            wrong[check.layer] = f"edges into {check.layer} are left out: {check.fault}"
        elif check.centre > most:
            where = " on the reference image" if check.gated else ""
            wrong[check.layer] = (
                f"edges into {check.layer} are left out: they predict its values{where} with an "
                f"error of {_percent(check.centre)} of their spread"
            )
        elif check.gated and check.centre > BOUND:
            sentences.append(
                f"gated edges into {check.layer} are off by {_percent(check.centre)} of the "
                "spread of its values on the reference image itself"
            )
        elif not check.gated and check.anywhere > BOUND:
            bounded.add(check.layer)
            sentences.append(
                f"edges into {check.layer} are off by {_percent(check.anywhere)} of the spread of "
                f"its values {_where(check)}: they are marked gated"
            )
    for name in sorted(across):
        wrong[name] = (
            f"edges into {name} are left out: its units are places of the image, not channels (a "
            "change in one corner shows in few of them)"
        )
    gated = {found.target for found in composition.connections if found.path == "gated"}
    sentences += [
        _bordered(layer)
        for layer in composition.layers
        if any(layer.margin) and layer.name not in wrong and layer.name not in gated
    ]
    nameless = [
        f"the constant part of {layer.name} is not known"
        for layer in composition.layers
        if layer.bias is None and layer.kind != "input" and layer.name not in composition.missing
    ]
    if not (sentences or wrong or nameless):
        return composition
    connections = tuple(
        replace(found, path="gated") if found.target in bounded else found
        for found in composition.connections
        if found.target not in wrong
    )
    exact = all(found.path != "gated" or found.target in bounded for found in connections)
    linearisation = None if exact else composition.linearisation
    if bounded:
        border = "edges that do not hold at the border of a map are marked gated as well"
        linearisation = f"{linearisation}; {border}" if linearisation else border
    return replace(
        _with_sentences(composition, [*wrong.values(), *sentences, *nameless]),
        layers=tuple(
            replace(layer, bias=None) if layer.name in wrong else layer
            for layer in composition.layers
        ),
        connections=connections,
        missing={**composition.missing, **{name: (why,) for name, why in wrong.items()}},
        linearisation=linearisation,
    )


def _bordered(layer: ComposedLayer) -> str:
    """Say where on its map one kernel for all positions cannot be exact."""
    top, bottom, left, right = layer.margin
    rows, columns = layer.height or 1, layer.width or 1
    if top + bottom == rows - 1 and left + right == columns - 1:
        return (
            f"edges into {layer.name} are those of the centre of its map of {rows} by {columns} "
            "alone: kernels differ from position to position"
        )
    return (
        f"edges into {layer.name} are exact but for the border of its map of {rows} by {columns}: "
        f"{top} rows above, {bottom} below, {left} columns left, {right} right"
    )


def _with_sentences(composition: Composition, sentences: Sequence[str]) -> Composition:
    return replace(composition, not_composed=(*composition.not_composed, *sentences))


def _where(check: LayerCheck) -> str:
    """Return where a layer's errors are: at the border of its map, or all but its middle."""
    if 2 * check.reach < check.depth:
        return f"within {check.reach} position{'s' * (check.reach > 1)} of the border of its map"
    return "away from the centre of its map"


def _percent(share: float) -> str:
    if share > 10:
        return "more than 1,000%"
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _rounded(value: float | None) -> float | None:
    """Return a share that JSON can hold."""
    return None if value is None else float(f"{min(value, 1e9):.2e}")
