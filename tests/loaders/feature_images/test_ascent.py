"""Images that units answer to most, where the best image is known in closed form.

Costs about six seconds of a processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from circuitkb.loaders.activations.cropped import Cropped
from circuitkb.loaders.activations.functional import as_read
from circuitkb.loaders.activations.reading import Onlooker, look
from circuitkb.loaders.feature_images.ascent import Ascended, Ascent, Window, ascend
from circuitkb.loaders.feature_images.parametrisation import COLOURS, Parametrisation
from circuitkb.loaders.receptive_fields.views import plan_views
from circuitkb.loaders.sources.pixels import PixelRange
from tests.loaders.activations.test_reading import network_of, noise

RANGE = PixelRange((-1.0,), (1.0,), known=True)
SIDE = 11


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pattern(channels: int) -> np.ndarray:
    """A kernel of -1 and 1: an edge that is turned, with a spot."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    plane = np.where(2 * x + y > 0, 1.0, -1.0)
    plane[2:5, 2:5] *= -1
    return np.stack([plane] * channels).astype(np.float32)


def linear(channels: int) -> Onlooker:
    """One unit that is linear, whose best image is white where its kernel is positive."""
    module = nn.Sequential(nn.Conv2d(channels, 1, SIDE, bias=False))
    with torch.no_grad():
        module[0].weight.copy_(torch.from_numpy(pattern(channels))[None])
    network = network_of(module, side=3 * SIDE, channels=channels)
    (view,) = plan_views(network.module, network.example)
    return look(network, view, layers=["0"])


def searched(
    onlooker: Onlooker, layer: str = "0", units: tuple[int, ...] = (0,), steps: int = 128
) -> Ascended:
    return ascend(Cropped.of(onlooker, layer), units, as_read(RANGE), Ascent(steps))


def answers(onlooker: Onlooker, layer: str, found: Ascended) -> np.ndarray:
    """What all units answer to the images, by the whole network."""
    view = onlooker.view
    window = Window.of(Cropped.of(onlooker, layer), None)
    shown = RANGE.apply(window.in_grey(found.images, view.rows, view.columns))
    before, _ = onlooker.responses(shown)
    return before


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_image_of_a_linear_unit_is_its_kernel_and_that_of_its_shuffled_copy_is_not(
    channels: int,
) -> None:
    onlooker = linear(channels)
    kernel = pattern(channels).transpose(1, 2, 0)
    (image,) = searched(onlooker).images
    assert image.shape == kernel.shape
    assert correlation(image, kernel) > 0.95
    (copy,) = onlooker.shuffled(noise(8, onlooker.view, channels), seeds=[0])
    (control,) = searched(copy).images
    assert abs(correlation(control, kernel)) < 0.5


@pytest.mark.parametrize(("steps", "share"), [(128, 0.9), (512, 0.97)])
def test_it_comes_near_the_largest_answer_that_pixels_allow(steps: int, share: float) -> None:
    onlooker = linear(1)
    most = np.abs(pattern(1)).sum()
    before = answers(onlooker, "0", searched(onlooker, steps=steps))
    assert share * most < before[0, 0] <= most


def test_the_same_settings_give_the_same_bytes_and_another_seed_gives_others() -> None:
    cropped = Cropped.of(linear(3), "0")
    images = [
        ascend(cropped, [0], as_read(RANGE), Ascent(steps=9, seed=seed)).images[0]
        for seed in (0, 0, 1)
    ]
    assert images[0].tobytes() == images[1].tobytes()
    assert images[0].tobytes() != images[2].tobytes()


def deep() -> Onlooker:
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 8, 5, stride=2), nn.ReLU()),
        *(nn.Conv2d(8, 8, 5), nn.ReLU()),
    )
    network = network_of(module, side=65)
    (view,) = plan_views(network.module, network.example)
    return look(network, view)


def test_the_image_of_a_unit_does_not_depend_on_those_beside_it() -> None:
    cropped = Cropped.of(deep(), "5")
    how = Ascent(steps=12, seed=3)
    alone = ascend(cropped, [4], as_read(RANGE), how)
    beside = ascend(cropped, [1, 4, 7], as_read(RANGE), how)
    away = alone.images[0].astype(int) - beside.images[1]
    assert np.abs(away).max() <= 1
    assert alone.when_moved == pytest.approx(beside.when_moved[1:2], rel=1e-3)


def test_the_size_is_the_most_that_an_image_has_and_grey_is_around_it() -> None:
    onlooker = deep()
    cropped = Cropped.of(onlooker, "5")
    found = ascend(cropped, [0], as_read(RANGE), Ascent(steps=2, size=9))
    assert found.images[0].shape == (9, 9, 3)
    shown = Window.of(cropped, 9).in_grey(found.images, onlooker.view.rows, onlooker.view.columns)
    middle = onlooker.view.centre[0]
    where = np.argwhere((shown[0] != 0.5).any(0))
    assert where.min(0).tolist() == [middle - 4, middle - 4]
    assert where.max(0).tolist() == [middle + 4, middle + 4]
    larger = ascend(cropped, [0], as_read(RANGE), Ascent(steps=2, size=999))
    assert larger.images[0].shape == (*map(len, cropped.seen), 3)


def test_a_unit_that_grey_does_not_reach_is_reached_and_a_constant_one_is_told() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.copy_(torch.tensor([-4.0, -4.0]))  # grey, 0, gives nothing
        module[2].weight.zero_()
        module[2].weight[0, 0] = 1.0
    network = network_of(module, side=15, channels=1)
    (view,) = plan_views(network.module, network.example)
    onlooker = look(network, view, layers=["2"])
    found = searched(onlooker, "2", (0, 1))
    assert found.changed == [True, False]
    assert answers(onlooker, "2", found)[0, 0] > float(module[2].bias[0].detach()) + 1


def test_the_gradient_of_the_coefficients_is_that_of_finite_differences() -> None:
    images = Parametrisation(9, 8, 3)
    draw = torch.Generator().manual_seed(2)
    coefficients = images.start(1, seed=0) * 30
    weight = torch.randn(1, 3, 9, 8, generator=draw)

    def value(moved: torch.Tensor) -> torch.Tensor:
        return (images.draw(moved) * weight).sum()

    at = coefficients.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(at), at)
    step = 1e-2
    for number in torch.randperm(slope.numel(), generator=draw)[:40].tolist():
        place = np.unravel_index(number, slope.shape)
        moved = torch.zeros_like(coefficients)
        moved[place] = step
        difference = (value(coefficients + moved) - value(coefficients - moved)) / (2 * step)
        assert float(slope[place]) == pytest.approx(float(difference), rel=2e-2, abs=2e-3)


def test_an_image_begins_as_photographs_are_coarse_before_fine_and_light_before_colour() -> None:
    drawn = Parametrisation(32, 32, 3)
    images = torch.cat([drawn.draw(drawn.start(1, seed=seed)) for seed in range(200)])
    plane = torch.logit(images)  # what the sigmoid was given
    power = torch.fft.rfft2(plane.double()).abs().square().mean((0, 1))
    ratio = float(power[0, 2] / power[0, 8])
    assert ratio == pytest.approx((8 / 2) ** 2, rel=0.3), "amplitude falls as one by frequency"
    flat = (plane - plane.mean((2, 3), keepdim=True)).transpose(0, 1).reshape(3, -1).numpy()
    root = np.array(COLOURS)
    wanted = root @ root.T
    spread = np.sqrt(np.diag(wanted))
    assert np.corrcoef(flat) == pytest.approx(wanted / np.outer(spread, spread), abs=0.03)
