"""Whether what counts as units are channels, or places of the image: shown by the network itself.

Where a tensor has one axis of places and one of channels, its sizes do not tell which is which. A
change in one corner of the image does: every channel sees it at some place, while places that look
elsewhere see nothing of it in any channel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.composed import Composition
from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.verification.real_values import as_map, values_of
from circuitkb.schema.kernels import Floats

_CORNER = 8
"""The changed corner has one part in so many of the image's rows and columns, at least a pixel."""

_MOST_UNTOUCHED = 0.5
"""Share of units that may see nothing of it, among those that tell two images apart at all."""

_NOISE = 1e-6
"""Changes below this share of a unit's largest value are rounding."""


def read_across(
    network: TracedNetwork,
    sites: Mapping[str, Site],
    composition: Composition,
    image: Tensor,
    other: Tensor,
) -> set[str]:
    """Return the layers whose units are places of the image and whose places are its channels.

    Looked at are layers that lie in tensors of three axes; the network runs three times if there
    are any: on an image, on one that differs in a corner, and on another one.
    """
    channels = {layer.name: layer.channels for layer in composition.layers}
    listed = {
        name: site
        for name, site in sites.items()
        if name in channels and "t" in site.layout and site.rows * site.columns > 1
    }
    if not listed:
        return set()
    changed = image.clone()
    rows, columns = (max(1, size // _CORNER) for size in image.shape[2:])
    # Mirrored in value, so that the change is as large as the image's own contrast.
    changed[..., :rows, :columns] = image.max() + image.min() - image[..., :rows, :columns] + 0.5
    before = _maps(network, listed, channels, image)
    after = _maps(network, listed, channels, changed)
    apart = _maps(network, listed, channels, other)
    return {name for name in before if _is_read_across(before[name], after[name], apart[name])}


def _maps(
    network: TracedNetwork, sites: Mapping[str, Site], channels: Mapping[str, int], image: Tensor
) -> dict[str, Floats]:
    at: dict[Node, list[Site]] = {}
    for site in sites.values():
        at.setdefault(site.after, []).append(site)
    found: dict[str, Floats] = {}
    with torch.no_grad():
        for node, value in values_of(network, image):
            for site in at.get(node, ()):
                given = as_map(value, site, channels[site.layer])
                if given is not None:
                    found[site.layer] = given.copy()
    return found


def _is_read_across(image: Floats, corner: Floats, other: Floats) -> bool:
    """Return whether most units see nothing of a change that shows at every place.

    Units that tell no two images apart say nothing.

    Examples
    --------
    >>> image, other = np.ones((9, 3, 1), np.float32), np.zeros((9, 3, 1), np.float32)
    >>> corner = image.copy()
    >>> corner[0] = 2  # one of nine "units" sees it, at each of three "places"
    >>> _is_read_across(image, corner, other), _is_read_across(image.T, corner.T, other.T)
    (True, False)
    """
    bound = _NOISE * np.abs(image).max(axis=(1, 2), initial=1e-30)[:, None]
    seen, differs = (
        np.abs(values - image).reshape(len(image), -1) > bound for values in (corner, other)
    )
    alive = differs.any(axis=1)
    if not alive.any() or not seen.any(axis=0).all():
        return False
    return float(seen[alive].any(axis=1).mean()) < 1.0 - _MOST_UNTOUCHED
