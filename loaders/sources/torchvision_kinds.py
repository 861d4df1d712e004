"""What torchvision's networks are, besides image classifiers, and which of them can be composed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from circuitkb.loaders.sources.extras import require

if TYPE_CHECKING:
    from torch import Tensor, nn

_KINDS = {
    "detection": "finds objects, and what it computes depends on how many it finds",
    "video": "reads videos, and a circuit here is of what is seen in one image",
    "quantization": "computes with integers, which have no exact kernels; its name without "
    "quantized_ is the network before that",
    "optical_flow": "reads two images, and a circuit here is of what is seen in one",
}


@cache
def segmentation_names() -> tuple[str, ...]:
    """Return the networks that name what each pixel shows.

    Examples
    --------
    >>> "fcn_resnet50" in segmentation_names()
    True
    """
    models = require("torchvision.models", extra="torch", what="torchvision:NAME")
    return tuple(models.list_models(module=models.segmentation))


def why_not(name: str) -> str | None:
    """Return what kind of network torchvision has under a name, if it cannot be composed.

    Examples
    --------
    >>> why_not("raft_small")
    'it reads two images, and a circuit here is of what is seen in one'
    >>> why_not("resnet18") is None
    True
    """
    models = require("torchvision.models", extra="torch", what="torchvision:NAME")
    for kind, reason in _KINDS.items():
        if name in models.list_models(module=getattr(models, kind)):
            return f"it {reason}"
    return None


def build_segmentation(name: str, weights: Any, head: Mapping[str, Any]) -> nn.Module:
    """Build a segmentation network whose output is its tensor of classes at every pixel."""
    models = require("torchvision.models", extra="torch", what=f"torchvision:{name}")
    module: nn.Module = models.get_model(name, weights=weights, weights_backbone=None, **head)
    if hasattr(module, "aux_classifier"):
        module.aux_classifier = cast(Any, None)
    module.register_forward_hook(_classes)
    return module


def _classes(module: nn.Module, images: Any, output: Mapping[str, Tensor]) -> Tensor:
    return output["out"]
