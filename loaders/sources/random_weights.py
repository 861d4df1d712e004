"""Weights drawn at random, the same ones each time: networks for tests and for nulls."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

SEED = 0

_NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.LayerNorm,
    nn.GroupNorm,
)


def build_random(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network with random weights from a fixed seed, in evaluation mode.

    Its own initialisation draws the kernels. What initialisation leaves trivial is drawn as well,
    so that a mistake in reading it cannot go unseen: biases, the statistics and the scale of
    normalisations, and scales of residual branches. The caller's random state is untouched.

    Examples
    --------
    >>> one, two = (build_random(lambda: nn.BatchNorm2d(4)) for _ in range(2))
    >>> bool((one.running_var == two.running_var).all()), bool((one.running_var == 1).any())
    (True, False)
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        module = build()
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                is_scale = isinstance(part, _NORMS) and name == "weight"
                if is_scale or name in ("layer_scale", "gamma"):
                    parameter.uniform_(0.5, 1.5)
                elif name == "bias":
                    parameter.normal_(0, 0.2)
            mean, variance = getattr(part, "running_mean", None), getattr(part, "running_var", None)
            if isinstance(mean, torch.Tensor) and isinstance(variance, torch.Tensor):
                mean.normal_(0, 0.2)
                variance.uniform_(0.5, 1.5)
    return module.eval()
