"""Images of units that prefer an orientation have it, and those of their controls do not.

On EfficientNet-Lite0. What a unit prefers is measured on the battery, in which no image of a search
is; what an image has is measured by its structure tensor, which knows nothing of the network.
Costs about forty seconds of a processor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from circuitkb.loaders.activations.reading import look
from circuitkb.loaders.feature_images.ascent import Ascent
from circuitkb.loaders.receptive_fields.views import plan_views
from circuitkb.loaders.sources.opening import open_network, parse_source
from circuitkb.observation.measures.orientation import orientation_statistic
from circuitkb.observation.measures.tuning import oriented_stimuli
from circuitkb.observation.stimuli.battery import battery
from circuitkb.visualization.visualizer import Visualizer

LAYERS, OF_EACH = ("_blocks.3._swish", "_blocks.3._swish_1", "_blocks.4._swish_1"), 8


def orientation(image: NDArray[np.uint8]) -> float:
    """Degrees of the stripes in the middle of an image, counter-clockwise from horizontal."""
    grey = gaussian_filter(image.astype(np.float64).mean(2), 2)
    down, right = np.gradient(grey)
    y, x = (np.arange(side) - (side - 1) / 2 for side in grey.shape)
    weight = np.exp(-(y[:, None] ** 2 + x**2) / (2 * (min(grey.shape) / 8) ** 2))
    across, along, both = (
        float((weight * part).sum()) for part in (right**2, down**2, right * down)
    )
    return (90 - np.rad2deg(np.arctan2(2 * both, across - along)) / 2) % 180


def apart(one: float, other: float) -> float:
    away = abs(one - other) % 180
    return min(away, 180 - away)


def test_the_structure_tensor_reads_the_orientation_of_gratings() -> None:
    shown = battery()
    places = shown.of_kind("grating")[::11]
    drawn = shown.images(places, rows=41, columns=41)
    for place, image in zip(places, drawn, strict=True):
        found = orientation((image * 255).astype(np.uint8).transpose(1, 2, 0))
        assert apart(found, float(shown.stimuli[place].parameters["orientation"])) < 8


def test_images_have_the_orientation_that_their_units_prefer_and_controls_have_not() -> None:
    network = open_network(parse_source("efficientnet_lite0"))
    (view,) = plan_views(network.module, network.example)
    shown = battery(channels=3, extent=min(view.rows, view.columns))
    oriented = oriented_stimuli(shown.stimuli)
    onlooker = look(network, view, layers=LAYERS)
    parts = []
    for some in np.array_split(oriented, 20):
        drawn = shown.images(some, rows=view.rows, columns=view.columns, centre=view.centre)
        parts.append(onlooker.responses(network.pixels.apply(drawn))[0])
    before, column = np.concatenate(parts).T, 0
    units, preferred = {}, {}
    for layer, count in onlooker.units.items():
        own = before[column : column + count]
        measured = orientation_statistic(own, [shown.stimuli[place] for place in oriented])
        best = np.argsort(-measured.statistic, kind="stable")[:OF_EACH].tolist()
        units[layer] = best
        preferred |= {(layer, unit): float(measured.preferred[unit]) for unit in best}
        column += count
    away, control = [], []
    for lot in Visualizer(network, None).visualize(units, Ascent(steps=128), 0):
        for found in lot:
            assert found.control is not None
            wanted = preferred[found.layer, found.unit]
            away.append(apart(orientation(found.reached.image), wanted))
            control.append(apart(orientation(found.control.image), wanted))
    assert len(away) == len(LAYERS) * OF_EACH
    assert np.mean(away) < 15
    assert np.mean(control) > 30
