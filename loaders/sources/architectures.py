"""Networks that torchvision and timm know how to build."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from circuitkb.loaders.sources import torchvision_kinds
from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.pixels import PixelRange
from circuitkb.schema.errors import SourceError, UnknownSourceError
from circuitkb.schema.near_matches import suggestion

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from circuitkb.loaders.sources.checkpoints import Candidate

Library = Literal["torchvision", "timm"]

LIBRARIES: dict[Library, str] = {"torchvision": "torch", "timm": "timm"}
"""Libraries of networks, with the extra that installs each."""

# These two can train with auxiliary classifiers, which their output never depends on.
_AUXILIARY = {"googlenet": ("aux1", "aux2"), "inception_v3": ("AuxLogits",)}
_UNUSED = _AUXILIARY | dict.fromkeys(
    (
        "fcn_resnet50",
        "fcn_resnet101",
        "deeplabv3_resnet50",
        "deeplabv3_resnet101",
        "deeplabv3_mobilenet_v3_large",
    ),
    ("aux_classifier",),
)

# The tensors of torchvision's published DenseNets carry names from before 2018.
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)")

_LICENSES = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"} | {
    f"cc-by-nc{more}-4.0": f"CC-BY-NC{more.upper()}-4.0" for more in ("", "-sa", "-nd")
}


@dataclass(frozen=True)
class Architecture:
    """A network of a library, by its name there.

    Examples
    --------
    >>> Architecture.parse("torchvision:resnet18")
    Architecture(library='torchvision', name='resnet18')
    >>> Architecture.parse("torchvision:resnet81")
    Traceback (most recent call last):
    circuitkb.schema.errors.UnknownSourceError: torchvision has no image classifier 'resnet81'.
    Did you mean 'torchvision:resnet18', ...?
    """

    library: Library
    name: str

    def __str__(self) -> str:
        return f"{self.library}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``torchvision:NAME`` or ``timm:NAME``.

        Raises
        ------
        UnknownSourceError
            The library does not have it; with near matches.
        MissingExtraError
            The library is not installed.
        """
        library, colon, name = text.partition(":")
        if not colon or library not in LIBRARIES:
            raise UnknownSourceError(
                f"{text!r} is no architecture: write torchvision:NAME or timm:NAME, as in "
                "torchvision:resnet18, or FILE.py:FUNCTION for one of your own."
            )
        known: Collection[str] = known_names(library)
        if library == "timm" and "." in name:
            known = _timm_weights()
        if library == "torchvision" and (reason := torchvision_kinds.why_not(name)):
            raise UnknownSourceError(f"{text} is no network that circuitkb composes: {reason}.")
        if name not in known:
            near = suggestion(text, [f"{library}:{item}" for item in known])
            raise UnknownSourceError(f"{library} has no image classifier {name!r}.\n{near}".strip())
        return cls(library, name)

    def build_random(self) -> BuiltNetwork:
        """Build it with random weights from a fixed seed."""
        require("torch", extra=LIBRARIES[self.library], what=str(self))
        from circuitkb.loaders.sources.random_weights import SEED, build_random

        module = build_random(lambda: self._build(None))
        return BuiltNetwork(
            module=module,
            input_shape=self._input_shape(module),
            name=f"{self.name}{'-timm' if self.library == 'timm' else ''}-random",
            architecture=str(self),
            tag=None,
            attribution=f"random weights, seed {SEED}, {self.library} {version(self.library)}",
            pixels=self._pixels(module),
        )

    def build_trained(self, weights: str | None = None) -> BuiltNetwork:
        """Build it with weights from the library's hub, or from its cache on this machine.

        Parameters
        ----------
        weights
            Which of several; the library's default if None.

        Raises
        ------
        UnknownSourceError
            There are no such weights.
        SourceError
            They cannot be downloaded.
        """
        if self.library == "timm":
            return self._build_trained_timm(weights)
        return self._build_trained_torchvision(weights)

    def build_from(self, candidates: Collection[Candidate], *, file: Path) -> BuiltNetwork:
        """Build it with the tensors of a checkpoint, for as many classes as that has.

        Raises
        ------
        CheckpointError
            They do not fit; the message says which.
        """
        from circuitkb.loaders.sources.fitting import fit
        from circuitkb.loaders.sources.random_weights import build_random

        require("torch", extra=LIBRARIES[self.library], what=str(self))
        found = fit(
            lambda classes: build_random(lambda: self._build(None, classes)),
            candidates,
            file=file,
            architecture=str(self),
            unused=tuple(f"{name}." for name in _UNUSED.get(self.name, ())),
            rename=lambda name: _OLD_DENSENET.sub(r"\1\2", name),
        )
        return BuiltNetwork(
            module=found.module,
            input_shape=self._input_shape(found.module),
            name=file.stem,
            architecture=str(self),
            tag=file.stem,
            attribution=f"weights of the file {file.name}",
            pixels=self._pixels(found.module),
            notes=found.notes,
        )

    def _build(self, weights: Any, classes: int | None = None) -> nn.Module:
        head = {} if classes is None else {"num_classes": classes}
        if self.library == "timm":
            timm = require("timm", extra="timm", what=str(self))
            module: nn.Module = timm.create_model(
                self.name, pretrained=weights is not None, exportable=True, **head
            )
            return module
        models = require("torchvision.models", extra="torch", what=str(self))
        if self.name in torchvision_kinds.segmentation_names():
            return torchvision_kinds.build_segmentation(self.name, weights, head)
        if self.name in _AUXILIARY and weights is None:
            module = models.get_model(self.name, weights=None, init_weights=False, **head)
        else:
            module = models.get_model(self.name, weights=weights, **head)
        for auxiliary in _AUXILIARY.get(self.name, ()):
            module.aux_logits = cast(Any, False)
            setattr(module, auxiliary, None)
        return module

    def _input_shape(self, module: nn.Module, weights: Any = None) -> tuple[int, int, int]:
        if self.library == "timm":
            data = require("timm.data", extra="timm", what=str(self))
            channels, rows, columns = data.resolve_model_data_config(module)["input_size"]
            return int(channels), int(rows), int(columns)
        models = require("torchvision.models", extra="torch", what=str(self))
        weights = weights or models.get_model_weights(self.name).DEFAULT
        # A vision transformer takes one size only, which other weights of it may not share.
        options = weights.transforms.keywords
        published = options.get("crop_size", options.get("resize_size"))
        size = int(getattr(module, "image_size", published))
        return 3, size, size

    def _pixels(self, module: nn.Module, weights: Any = None) -> PixelRange:
        if self.library == "timm":
            config = require("timm.data", extra="timm", what=str(self)).resolve_model_data_config
            data = config(module)
            return PixelRange.of_normalisation(data["mean"], data["std"])
        models = require("torchvision.models", extra="torch", what=str(self))
        transforms = (weights or models.get_model_weights(self.name).DEFAULT).transforms()
        return PixelRange.of_normalisation(transforms.mean, transforms.std)

    def _build_trained_torchvision(self, weights: str | None) -> BuiltNetwork:
        models = require("torchvision.models", extra="torch", what=str(self))
        offered = models.get_model_weights(self.name)
        if weights is not None and weights not in offered.__members__:
            near = suggestion(weights, ["none", "DEFAULT", *offered.__members__])
            raise UnknownSourceError(f"{self} has no weights {weights!r}.\n{near}".strip())
        chosen = offered[weights or "DEFAULT"]
        try:
            module = self._build(chosen).eval()
        except (OSError, RuntimeError) as error:
            raise self._not_downloaded(error) from error
        attribution = f"torchvision {version('torchvision')}, {self.name} {chosen.name}"
        if recipe := chosen.meta.get("recipe"):
            attribution += f", {recipe}"
        return BuiltNetwork(
            module=module,
            input_shape=self._input_shape(module, chosen),
            name=f"{self.name}-{weights}" if weights else self.name,
            architecture=str(self),
            tag=chosen.name,
            attribution=attribution,
            pixels=self._pixels(module, chosen),
        )

    def _build_trained_timm(self, weights: str | None) -> BuiltNetwork:
        if weights is not None:
            raise UnknownSourceError(
                f"timm names its weights with a dot: timm:{self.name.partition('.')[0]}.TAG; "
                "after @ only 'none' (random weights) is known."
            )
        if self.name not in _timm_weights():
            raise UnknownSourceError(
                f"timm has no trained weights for {self.name!r}; {self}@none gives random ones."
            )
        try:
            module = self._build("default").eval()
        except Exception as error:  # Its hub's client has no common base for what can go wrong.
            raise self._not_downloaded(error) from error
        config: dict[str, Any] = getattr(module, "pretrained_cfg", None) or {}
        license_ = str(config.get("license") or "")
        origin = config.get("origin_url") or config.get("hf_hub_id") or ""
        tag = str(config.get("tag") or "default")
        return BuiltNetwork(
            module=module,
            input_shape=self._input_shape(module),
            name=f"{self.name.partition('.')[0]}.{tag}",
            architecture=str(self),
            tag=tag,
            license=_LICENSES.get(license_.lower(), "NOASSERTION"),
            attribution=f"timm {version('timm')}, {self.name} {origin}".strip(),
            pixels=self._pixels(module),
        )

    def _not_downloaded(self, error: Exception) -> SourceError:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        return SourceError(
            f"The weights of {self} cannot be downloaded ({reason}).\n"
            f"Load {self}@none (random weights), or a checkpoint file with --arch {self}."
        )


@cache
def known_names(library: Library) -> tuple[str, ...]:
    """Return the image classifiers that a library offers, and torchvision's for segmentation.

    Networks for detection, video, optical flow and the quantised ones are not offered.

    Raises
    ------
    MissingExtraError
        The library is not installed.
    """
    what = f"{library}:NAME"
    if library == "timm":
        return tuple(require("timm", extra="timm", what=what).list_models())
    models = require("torchvision.models", extra="torch", what=what)
    return (*models.list_models(module=models), *torchvision_kinds.segmentation_names())


@cache
def _timm_weights() -> frozenset[str]:
    """Return the names of trained timm networks, with and without the tag of their weights."""
    tagged = require("timm", extra="timm", what="timm:NAME").list_models(pretrained=True)
    return frozenset(tagged) | {name.partition(".")[0] for name in tagged}
