"""Methods to compare a search with: they rank edges, and answer with the strongest.

None has a null, so each is told how many circuits a network of its kind has, and how many members
each has; it answers with that many, where nothing is planted too. ``docs/planted.md`` says how each
is defined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from circuitkb.planted.files import Answer, Asked, Network

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    Strengths = NDArray[np.float64]
    """Axes (target, input): detectors, then units of a block where there is one."""

TARGET = "targets"
INTO = {
    "detectors": ("stream_convolution", "targets_convolution"),
    "block": ("targets_convolution",),
}
"""What targets take their inputs by; of two, the one that is there."""

BATCH = 128

CONCEPT = 0.05
"""Share of the stimuli that are the examples of what a target is for: those it answers to most."""


def magnitude(module: nn.Module, images: torch.Tensor) -> Strengths:
    """Return the absolute weights, summed over the kernel."""
    del images
    import numpy as np

    shown = _shown(module)
    names = [
        next(name for name in INTO[layer] if name in shown) for layer in INTO if layer in shown
    ]
    parts = [shown[name].get_parameter("weight").detach().abs().sum(dim=(2, 3)) for name in names]
    found: Strengths = np.concatenate([part.double().numpy() for part in parts], axis=1)
    return found


def gradient_activation(module: nn.Module, images: torch.Tensor) -> Strengths:
    """Return gradient times activation, summed over the map and averaged over the images.

    Its absolute value: inhibition counts as excitation does.
    """
    acting, _ = _attributions(module, images)
    found: Strengths = abs(acting.mean(axis=0))
    return found


def cross_layer(module: nn.Module, images: torch.Tensor) -> Strengths:
    """Return cross-layer attribution: absolute activation times absolute gradient.

    Summed over the map and averaged over the examples of each target's concept.
    """
    import numpy as np

    acting, answers = _attributions(module, images)
    count = max(1, round(CONCEPT * len(images)))
    best = np.argsort(-answers, axis=0, kind="stable")[:count]
    found: Strengths = np.stack(
        [abs(acting[best[:, unit], unit]).mean(axis=0) for unit in range(answers.shape[1])]
    )
    return found


BASELINES: dict[str, Callable[[nn.Module, torch.Tensor], Strengths]] = {
    "magnitude": magnitude,
    "gradient-activation": gradient_activation,
    "cross-layer": cross_layer,
}


def answers(asked: Asked) -> bool:
    """Tell whether edges answer what is asked: circuits about one unit, with other members."""
    return asked.units == 1 and bool(asked.members)


def of(method: str) -> Callable[[Path, str, Network, Asked], list[Answer]]:
    """Return the function that answers for one network."""
    strengths = BASELINES[method]

    def answer(folder: Path, name: str, network: Network, asked: Asked) -> list[Answer]:
        module, images = opened(folder, network)
        return strongest(strengths(module, images), name, asked, network.layers)

    return answer


def strongest(
    strengths: Strengths, network: str, asked: Asked, sizes: Mapping[str, int]
) -> list[Answer]:
    """Answer with the units whose strongest edges are the strongest, and these edges.

    ``sizes`` are those of the layers.

    Examples
    --------
    >>> import numpy as np
    >>> asked = Asked(
    ...     what="", about="targets", units=1, members=("detectors", "block"), member_count=2,
    ...     circuits=1,
    ... )
    >>> strengths, sizes = np.array([[1.0, 5, 2], [4, 0, 4]]), {"detectors": 2, "block": 1}
    >>> strongest(strengths, "n", asked, sizes)[0].members
    ('detectors:0', 'block:0')
    """
    import numpy as np

    named = [f"{layer}:{unit}" for layer in asked.members for unit in range(sizes[layer])]
    own = strengths if asked.about == TARGET else strengths.T
    edges = np.argsort(-own, axis=1, kind="stable")[:, : asked.member_count]
    total = np.take_along_axis(own, edges, axis=1).sum(axis=1)
    units = np.argsort(-total, kind="stable")[: asked.circuits]
    return [
        Answer(
            network=network,
            units=(f"{asked.about}:{unit}",),
            members=tuple(named[edge] for edge in sorted(edges[unit].tolist())),
        )
        for unit in units.tolist()
    ]


def opened(folder: Path, network: Network) -> tuple[nn.Module, torch.Tensor]:
    """Open a network, and draw the battery for it."""
    import numpy as np
    import torch

    from circuitkb.loaders.sources.opening import open_network
    from circuitkb.observation.stimuli.battery import battery

    channels, rows, columns = network.input_shape
    shown = battery(channels=channels, extent=min(rows, columns))
    images = shown.images(slice(None), rows=rows, columns=columns)
    scaled = np.float32(network.black) + np.float32(network.white - network.black) * images
    return open_network(str(folder / network.file)).module.eval(), torch.from_numpy(scaled)


def _shown(module: nn.Module) -> dict[str, nn.Module]:
    """Return the parts of a network by the names that they have in its file."""
    from circuitkb.loaders.sources.stepwise import seen_path

    return {seen_path(module, name): part for name, part in module.named_children()}


def _attributions(module: nn.Module, images: torch.Tensor) -> tuple[Strengths, Strengths]:
    """Return activation times gradient of the targets at the centre, and their answers.

    Axes (image, target, input) and (image, target). The gradient is that along the edge alone, not
    by way of a block. Summed over the input's map: activations are not negative, and a kernel has
    one sign where only its middle is planted.
    """
    import numpy as np
    import torch

    shown = _shown(module)
    sources = [layer for layer in INTO if layer in shown]
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: seen.update({name: output})

    hooks = [shown[name].register_forward_hook(keep(name)) for name in (*sources, TARGET)]
    if "block" in shown:
        # What the block reads is no edge to a target.
        apart = shown["block_convolution"].register_forward_pre_hook(
            lambda _module, inputs: tuple(each.detach() for each in inputs)
        )
        hooks.append(apart)
    found, answers = [], []
    try:
        for batch in torch.split(images, BATCH):
            module(batch.requires_grad_())
            rows, columns = seen[TARGET].shape[2:]
            centre = seen[TARGET][:, :, rows // 2, columns // 2]
            maps = [seen[name] for name in sources]
            acting = []
            for unit in centre.unbind(dim=1):
                slopes = torch.autograd.grad(unit.sum(), maps, retain_graph=True)
                each = [
                    (one * slope).sum(dim=(2, 3)) for one, slope in zip(maps, slopes, strict=True)
                ]
                acting.append(torch.cat(each, dim=1))
            found.append(torch.stack(acting, dim=1).detach().numpy())
            answers.append(centre.detach().numpy())
    finally:
        for hook in hooks:
            hook.remove()
    return np.concatenate(found).astype(np.float64), np.concatenate(answers).astype(np.float64)
