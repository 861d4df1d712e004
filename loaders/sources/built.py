"""A network that a source built, made ready to be composed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitkb.loaders.sources.pixels import ASSUMED, PixelRange
from circuitkb.schema.errors import SourceError, TraceError
from circuitkb.schema.ids import slugify

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network

LARGEST_WEIGHT = 1e18
"""Products of two such weights are still numbers of 32 bits."""

_OTHER_SHAPE = "If it reads images of another size: --shape 3x64x64 (input_shape= in Python)."


@dataclass(frozen=True, kw_only=True)
class BuiltNetwork:
    """A network with weights, in evaluation mode.

    Attributes
    ----------
    module
        The network.
    input_shape
        (channels, rows, columns) of its image.
    name
        What the model is called in the graph, unless the user says otherwise.
    architecture
        Which network it is.
    tag
        Names the weights; None for random ones.
    license, attribution
        Of the weights (SPDX expression or NOASSERTION), and whom to name.
    pixels
        Values of images that the weights were made for.
    computation
        What it computes, where its file says so.
    notes
        Sentences for the user.
    is_own
        Whether it is the user's own, who may give the shape of its image.
    """

    module: nn.Module
    input_shape: tuple[int, int, int]
    name: str
    architecture: str
    tag: str | None
    attribution: str
    license: str = "NOASSERTION"
    pixels: PixelRange = ASSUMED
    computation: str | None = None
    notes: tuple[str, ...] = ()
    is_own: bool = False


def ready(text: str, built: BuiltNetwork) -> Network:
    """Return a network with its reference image and fingerprint.

    Parameters
    ----------
    text
        The SOURCE that it was built from.

    Raises
    ------
    SourceError
        Its weights are not finite, or too large to be multiplied.
    TraceError
        It does not run on one image of its shape.
    """
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.composition.reference_image import pink_image
    from circuitkb.loaders.sources.computation import computation
    from circuitkb.loaders.sources.fingerprint import fingerprint
    from circuitkb.loaders.sources.stepwise import seen_tensors

    module = built.module.float()
    _check_finite(text, module)
    example = pink_image(*built.input_shape)
    try:
        computed = built.computation or computation(module, example)
    except TraceError as error:
        raise TraceError(f"{error}\n{_OTHER_SHAPE}" if built.is_own else str(error)) from error
    return Network(
        module=module,
        example=example,
        architecture=built.architecture,
        weights="random" if built.tag is None else "trained",
        suggested_name=slugify(built.name),
        source=text,
        license=built.license,
        attribution=built.attribution,
        fingerprint=fingerprint(seen_tensors(module)),
        pixels=built.pixels,
        computation=computed,
        notes=built.notes,
    )


def _check_finite(text: str, module: nn.Module) -> None:
    import torch

    from circuitkb.loaders.sources.stepwise import seen_tensors

    for name, tensor in seen_tensors(module).items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise SourceError(f"{text}: the weights {name} hold NaN or infinite values.")
    for name, parameter in module.named_parameters():
        if parameter.numel() and float(parameter.detach().abs().max()) > LARGEST_WEIGHT:
            raise SourceError(
                f"{text}: the weights {name} are larger than {LARGEST_WEIGHT:g}, too large "
                "to be multiplied."
            )
