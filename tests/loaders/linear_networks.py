"""Small random networks over the operations that composition knows, one for each seed."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Step = Callable[[Tensor], Tensor]


class RandomNetwork(nn.Module):
    """A chain of random steps, most of them linear, with nonlinearities between and a head."""

    def __init__(self, seed: int, image: Tensor) -> None:
        super().__init__()
        self._choice = random.Random(seed)
        self._generator = torch.Generator().manual_seed(seed)
        self.parts = nn.ModuleList()
        self._steps: list[Step] = []
        self.names: list[str] = []
        value = image
        kinds = [name for name in dir(self) if name.startswith("step_")]
        for number in range(self._choice.randint(3, 8)):
            name = "step_activation" if number == 0 else self._choice.choice(kinds)
            if self._choice.random() < 0.2:
                name = "step_activation"
            step = getattr(self, name)(value)
            grown = step(value)
            if min(grown.shape[2:]) < 1 or grown.numel() > 3000:
                continue
            value = grown
            self._steps.append(step)
            self.names.append(name)
        heads = [name for name in dir(self) if name.startswith("head_")]
        name = self._choice.choice(heads)
        self._steps.append(getattr(self, name)(value))
        self.names.append(name)
        for part in self.modules():
            for tensor in part.parameters(recurse=False):
                tensor.data = torch.randn(tensor.shape, generator=self._generator) * 0.5
            if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
                part.running_mean = torch.randn(part.num_features, generator=self._generator)
                part.running_var = torch.rand(part.num_features, generator=self._generator) + 0.5
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        for step in self._steps:
            x = step(x)
        return x

    def _new(self, part: nn.Module) -> nn.Module:
        self.parts.append(part.eval())
        return part

    def _int(self, low: int, high: int) -> int:
        return self._choice.randint(low, high)

    def _noise(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator)

    def _conv(self, into: int, out: int, *, same: bool = False) -> nn.Module:
        groups = self._choice.choice([1, 1, 1, into])
        out = out if groups == 1 else into * max(1, out // into)
        if same:
            return self._new(nn.Conv2d(into, out, 3, padding=1, groups=groups))
        size, dilation = self._int(1, 3), self._int(1, 2)
        padding = (self._int(0, dilation * (size - 1)), self._int(0, dilation * (size - 1)))
        return self._new(nn.Conv2d(into, out, size, self._int(1, 2), padding, dilation, groups))

    def step_conv(self, x: Tensor) -> Step:
        if min(x.shape[2:]) < 5:
            return self._conv(x.shape[1], self._int(1, 4), same=True)
        return self._conv(x.shape[1], self._int(1, 4))

    def step_conv_with_border(self, x: Tensor) -> Step:
        return self._conv(x.shape[1], self._int(1, 4), same=True)

    def step_activation(self, x: Tensor) -> Step:
        kind = self._choice.choice([nn.ReLU, nn.SiLU, nn.Tanh, nn.Sigmoid])
        after = self._new(kind())
        before = self._conv(x.shape[1], self._int(2, 4), same=True)
        return lambda x: after(before(x))

    def step_transposed(self, x: Tensor) -> Step:
        stride = self._int(1, 2)
        return self._new(nn.ConvTranspose2d(x.shape[1], 3, 3, stride, self._int(0, 1)))

    def step_norm(self, x: Tensor) -> Step:
        return self._new(nn.BatchNorm2d(x.shape[1]))

    def step_average(self, x: Tensor) -> Step:
        size = self._int(1, min(3, *x.shape[2:]))
        return self._new(
            nn.AvgPool2d(
                size,
                self._int(1, 2),
                self._int(0, size // 2),
                self._choice.random() < 0.5,
                self._choice.random() < 0.5,
                self._choice.choice([None, None, 5]),
            )
        )

    def step_adaptive(self, x: Tensor) -> Step:
        return self._new(nn.AdaptiveAvgPool2d((self._int(1, 6), self._int(1, 6))))

    def step_max(self, x: Tensor) -> Step:
        return self._new(nn.MaxPool2d(3, self._int(1, 2), 1, ceil_mode=self._choice.random() < 0.5))

    def step_spread_mean(self, x: Tensor) -> Step:
        axes = self._choice.choice([(2, 3), (2,), (3,), (1,)])
        kind = self._choice.choice(["add", "sub", "ones", "before"])
        ones = torch.ones(1, 1, *x.shape[2:])

        def step(x: Tensor) -> Tensor:
            mean = x.mean(axes, keepdim=True)
            if kind == "ones":
                return mean * ones
            if kind == "before":
                return mean - 0.5 * x
            return x + mean if kind == "add" else x - mean

        return step

    def step_constant(self, x: Tensor) -> Step:
        shapes = [(1, x.shape[1], 1, 1), x.shape, (1, 1, *x.shape[2:]), (x.shape[1], 1, 1)]
        value = self._noise(*self._choice.choice(shapes)) + 2.0
        kind = self._int(0, 3)
        return lambda x: [x * value, x / value, value - x, x + value][kind]

    def step_residual(self, x: Tensor) -> Step:
        branch = self._conv(x.shape[1], x.shape[1], same=True)
        return lambda x: x + branch(x)

    def step_beside(self, x: Tensor) -> Step:
        branch = self._conv(x.shape[1], 2, same=True)
        axis = self._choice.choice([1, 1, 1, 2, 3])
        if axis == 1:
            return lambda x: torch.cat([branch(x), x], 1)
        return lambda x: torch.cat([x, x.flip(2)], axis)

    def step_padding(self, x: Tensor) -> Step:
        mode = self._choice.choice(["constant", "constant", "reflect", "replicate", "circular"])
        widths = [self._int(0, 1 if min(x.shape[2:]) > 1 else 0) for _ in range(4)]
        value = self._choice.choice([0.0, 1.5])
        if mode == "constant":
            return lambda x: F.pad(x, widths, value=value)
        return lambda x: F.pad(x, widths, mode=mode)

    def step_resized(self, x: Tensor) -> Step:
        mode = self._choice.choice(["nearest", "bilinear"])
        scale = self._choice.choice([2, 0.5, 1.5])
        if min(x.shape[2:]) * scale < 1:
            scale = 2
        return lambda x: F.interpolate(x, scale_factor=scale, mode=mode)

    def step_sliced(self, x: Tensor) -> Step:
        kind = self._int(0, 4)
        if kind == 0 and x.shape[2] % 2 == x.shape[3] % 2 == 0:
            return lambda x: torch.cat(
                [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1
            )
        if kind == 1 and x.shape[2] % 2 == x.shape[3] % 2 == 0:
            return lambda x: F.pixel_unshuffle(x, 2)
        if kind == 2 and x.shape[1] % 4 == 0:
            return lambda x: F.pixel_shuffle(x, 2)
        if kind == 3:
            return lambda x: x.flip(1)
        return lambda x: x[:, :, : max(1, x.shape[2] - 1), x.shape[3] // 3 :]

    def step_product(self, x: Tensor) -> Step:
        one, other = (self._conv(x.shape[1], 3, same=True) for _ in range(2))
        if one(x).shape != other(x).shape:
            other = one
        kind = self._int(0, 3)

        def step(x: Tensor) -> Tensor:
            if kind == 0:
                return one(x) * other(x + 1)
            if kind == 1:
                return one(x).mean((2, 3), keepdim=True) * other(x).mean(1, keepdim=True)
            if kind == 2:
                return torch.sigmoid(one(x).mean((2, 3), keepdim=True)) * other(x)
            return one(x) / (other(x).mean(1, keepdim=True) + 9.0)

        return step

    def step_statistics(self, x: Tensor) -> Step:
        kind = self._int(0, 2)
        if kind == 0:
            return self._new(nn.GroupNorm(1, x.shape[1]))
        if kind == 1 and x[0, 0].numel() > 1:
            return self._new(nn.InstanceNorm2d(x.shape[1], affine=True))
        norm = self._new(nn.LayerNorm(x.shape[1]))
        return lambda x: norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def head_map(self, x: Tensor) -> Step:
        return self._new(nn.Conv2d(x.shape[1], 2, 1))

    def head_mean(self, x: Tensor) -> Step:
        last = self._new(nn.Linear(x.shape[1], 3))
        return lambda x: last(x.mean((2, 3)))

    def head_flat(self, x: Tensor) -> Step:
        last = self._new(nn.Linear(x.numel(), 3))
        return lambda x: torch.softmax(last(x.flatten(1)), 1)

    def head_flat_channels_last(self, x: Tensor) -> Step:
        last = self._new(nn.Linear(x.numel(), 3))
        return lambda x: last(x.permute(0, 2, 3, 1).flatten(1))

    def head_positions(self, x: Tensor) -> Step:
        last = self._new(nn.Linear(x.shape[1], 3))
        return lambda x: torch.softmax(last(x.flatten(2).transpose(1, 2)), -1)

    def head_pooled(self, x: Tensor) -> Step:
        last = self._new(nn.Linear(x.shape[1] * 6, 3))
        return lambda x: last(F.adaptive_avg_pool2d(x, (2, 3)).flatten(1)).sigmoid()
