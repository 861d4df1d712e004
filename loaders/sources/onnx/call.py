"""An ONNX node as what makes a module of it sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto, helper
from torch import Tensor, nn


@dataclass(frozen=True)
class OnnxCall:
    """A node and what it is called on.

    Attributes
    ----------
    kind
        Name of its operator.
    options
        Its attributes by name.
    arguments
        Its inputs on the example; None where one is left out.
    stored
        Whether an input is known without the image.
    version
        Of the operators that the file is written in.
    outputs
        How many tensors it gives.
    """

    kind: str
    options: Mapping[str, Any]
    arguments: Sequence[Tensor | None]
    stored: Sequence[bool]
    version: int
    outputs: int

    def known(self, place: int, what: str) -> Tensor | None:
        """Return a stored input; None where it is left out."""
        value = self.arguments[place] if place < len(self.arguments) else None
        if value is not None and not self.stored[place]:
            raise ValueError(f"its {what} depend on the image")
        return None if value is None or value.numel() == 0 else value

    @property
    def image(self) -> Tensor:
        """The first input."""
        (first, *_) = self.arguments
        if first is None:
            raise ValueError("it has no input")
        return first

    def word(self, name: str, default: str = "") -> str:
        """Return an option that is a text."""
        value = self.options.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)


class Applied(nn.Module):
    """A function of one tensor."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, value: Tensor) -> Any:
        """Return the function's value."""
        return self._function(value)


def options_of(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}
