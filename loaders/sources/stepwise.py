"""A network as a list of calls, whose parts have made-up names beside those that people see.

torch writes the names of modules into code that it generates and runs. The names that a file gives
must not come there: the parts are called ``n0``, ``n1`` and so on, and what the file calls them is
kept beside and said to people only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class ModuleStep:
    """One call: the name of a part, the numbers of the values that it reads and gives.

    ``several`` says that the part gives a list of tensors. Number 0 is the image.
    """

    part: str
    reads: tuple[int, ...]
    gives: tuple[int, ...]
    several: bool = False


class Stepwise(nn.Module):
    """A network that calls its parts one by one.

    Parameters
    ----------
    parts
        Modules by their made-up names, which are identifiers.
    names
        The name that people see, for each of them.
    steps
        The calls in order.
    outputs
        Numbers of the values to return: one tensor, or a list if there are several.

    Examples
    --------
    >>> import torch
    >>> step = ModuleStep("n0", (0,), (1,))
    >>> network = Stepwise({"n0": nn.ReLU()}, {"n0": "my.relu"}, [step], [1])
    >>> network(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> seen_path(network, "n0")
    'my.relu'
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        names: Mapping[str, str],
        steps: Sequence[ModuleStep],
        outputs: Sequence[int],
    ) -> None:
        super().__init__()
        for name, part in parts.items():
            if not name.isidentifier():
                raise ValueError(f"{name!r} cannot name a part.")
            self.add_module(name, part)
        self.names = {name: names[name] for name in parts}
        self._steps = tuple(steps)
        self._outputs = tuple(outputs)
        last = {number: place for place, step in enumerate(steps) for number in step.reads}
        self._done = [
            [n for n in {*step.reads, *step.gives} if last.get(n, -1) <= place and n not in outputs]
            for place, step in enumerate(steps)
        ]

    def forward(self, image: Tensor) -> Any:
        """Return what the network gives for a batch of images, axes as in the example."""
        values: dict[int, Tensor] = {0: image}
        for step, done in zip(self._steps, self._done, strict=True):
            result = getattr(self, step.part)(*[values[number] for number in step.reads])
            results = result if step.several else [result]
            values.update(zip(step.gives, results, strict=False))
            for number in done:
                values.pop(number, None)
        found = [values[number] for number in self._outputs]
        return found[0] if len(found) == 1 else found


def seen_path(module: nn.Module, path: str) -> str:
    """Return the path of a module inside of ``module`` as people see it."""
    if not isinstance(module, Stepwise):
        return path
    first, dot, rest = path.partition(".")
    return module.names.get(first, first) + dot + rest


def seen_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return what ``module.state_dict()`` does, by the names that people see.

    Examples
    --------
    >>> network = Stepwise({"n0": nn.Linear(2, 1)}, {"n0": "head/Gemm"}, [], [0])
    >>> list(seen_tensors(network))
    ['head/Gemm.weight', 'head/Gemm.bias']
    """
    return {seen_path(module, name): tensor for name, tensor in module.state_dict().items()}
