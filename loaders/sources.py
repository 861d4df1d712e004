"""What can be loaded: a SOURCE as a value, and the network that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from circuitkb.schema.errors import (
    CheckpointError,
    MissingExtraError,
    SourceError,
    UnknownSourceError,
)
from circuitkb.schema.ids import slugify

from .architectures import LIBRARIES, Architecture, BuiltNetwork, known_names
from .extras import require
from .near_matches import did_you_mean
from .quiet import quiet
from .zoo import ZOO

if TYPE_CHECKING:
    from torch import nn

    from .network import Network

Kind = Literal["zoo", "architecture", "onnx", "checkpoint", "published"]

PUBLISHED = "published:inceptionv1"
"""The published circuits that ship with the package."""

LARGEST_WEIGHT = 1e18
"""Products of two such weights are still numbers of 32 bits."""

CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""How the name of a checkpoint file ends."""


@dataclass(frozen=True)
class Source:
    """A SOURCE, taken apart.

    Attributes
    ----------
    text
        As it was given.
    kind
        ``zoo`` (a built-in name), ``architecture`` (of torchvision or timm), ``onnx`` or
        ``checkpoint`` (a file), ``published`` (circuits without weights).
    name
        The zoo's name, ``torchvision:NAME``, the path, or what stands after ``published:``.
    weights
        What stands after ``@``: ``none`` for random weights, the name of trained ones, or None.
    """

    text: str
    kind: Kind
    name: str
    weights: str | None = None


def parse_source(text: str) -> Source:
    """Take a SOURCE apart, without opening it.

    Parameters
    ----------
    text
        A name of the zoo; ``torchvision:NAME`` or ``timm:NAME``, with ``@none`` for random
        weights or ``@WEIGHTS`` for chosen ones; a file that ends in ``.onnx``, ``.safetensors``,
        ``.pt``, ``.pth`` or ``.bin``; ``published:inceptionv1`` or ``published:DIR``.

    Raises
    ------
    UnknownSourceError
        It is none of these; with near matches among all that is known.

    Examples
    --------
    >>> parse_source("torchvision:resnet18@none")
    Source(text='torchvision:resnet18@none', kind='architecture', name='torchvision:resnet18',
           weights='none')
    >>> parse_source("published:inceptionv1").kind
    'published'
    >>> parse_source("eficientnet_lite0")
    Traceback (most recent call last):
    circuitkb.schema.errors.UnknownSourceError: There is no source 'eficientnet_lite0'.
    Did you mean 'efficientnet_lite0', ...?
    """
    if text in ZOO:
        return Source(text, "zoo", text)
    prefix, colon, rest = text.partition(":")
    if colon and prefix == "published":
        return Source(text, "published", rest)
    if colon and prefix in LIBRARIES:
        name, at, weights = rest.partition("@")
        return Source(text, "architecture", f"{prefix}:{name}", weights if at else None)
    path = Path(text).expanduser()
    suffix = path.suffix.lower()
    if suffix == ".onnx" or suffix in CHECKPOINT_SUFFIXES:
        if not path.is_file():
            raise UnknownSourceError(f"There is no file {text!r}. {_near_files(path)}".strip())
        return Source(text, "onnx" if suffix == ".onnx" else "checkpoint", str(path))
    raise UnknownSourceError(_unknown(text, path))


def _unknown(text: str, path: Path) -> str:
    if path.is_dir():
        return (
            f"{text!r} is a folder. If it holds published circuits, load published:{text}; "
            "for weights name the file."
        )
    if path.is_file():
        return (
            f"{text!r} is neither an .onnx file nor a checkpoint "
            f"({', '.join(CHECKPOINT_SUFFIXES)}): its name has another ending."
        )
    # The libraries' names take seconds to list, so they are asked only where no short name is near.
    near = did_you_mean(text, [*ZOO, PUBLISHED]) or did_you_mean(text, _library_names())
    advice = near or (
        f"Known: {', '.join(ZOO)}, torchvision:NAME, timm:NAME, an .onnx file, a checkpoint file, "
        f"{PUBLISHED}, published:DIR."
    )
    return f"There is no source {text!r}.\n{advice}"


def _near_files(path: Path) -> str:
    try:
        siblings = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:
        return ""
    return did_you_mean(path.name, siblings)


def _library_names() -> Iterator[str]:
    for library in LIBRARIES:
        try:
            yield from (f"{library}:{name}" for name in known_names(library))
        except MissingExtraError:
            continue


@quiet()
def open_network(source: str, *, architecture: str | None = None) -> Network:
    """Build the network that a SOURCE stands for, with its weights and a reference image.

    Parameters
    ----------
    source
        As :func:`parse_source` reads it, but not ``published:``, which has no network.
    architecture
        ``torchvision:NAME`` or ``timm:NAME``: the network whose weights a checkpoint holds.

    Raises
    ------
    UnknownSourceError
        There is no such source, or no such weights.
    MissingExtraError
        An optional package is needed.
    CheckpointError
        A file is unsafe, unreadable, or does not fit its network.
    TraceError
        An ONNX file holds an operator that is not supported.
    SourceError
        Weights cannot be downloaded, are not finite, or the source has no network.

    Examples
    --------
    >>> network = open_network("torchvision:squeezenet1_1@none")
    >>> network.suggested_name, network.weights, tuple(network.example.shape)
    ('squeezenet1_1-random', 'random', (1, 3, 224, 224))
    """
    parsed = parse_source(source)
    if architecture is not None and parsed.kind != "checkpoint":
        raise SourceError(
            f"{source!r} says which network it is: --arch goes only with a checkpoint file."
        )
    if parsed.kind == "zoo":
        built, name = _open_zoo(parsed)
    elif parsed.kind == "architecture":
        built, name = _open_architecture(parsed)
    elif parsed.kind == "checkpoint":
        built, name = _open_checkpoint(parsed, architecture)
    elif parsed.kind == "onnx":
        built, name = _open_onnx(parsed)
    else:
        raise SourceError(f"{source!r} is published circuits: it has no network to open.")
    described = architecture if parsed.kind == "checkpoint" else None
    return _finish(parsed, built, name, described or _describe(parsed))


def _open_zoo(source: Source) -> tuple[BuiltNetwork, str]:
    entry = ZOO[source.name]
    return entry.open(), entry.name


def _open_architecture(source: Source) -> tuple[BuiltNetwork, str]:
    architecture = Architecture.parse(source.name)
    is_timm = architecture.library == "timm"
    if source.weights == "none":
        built = architecture.build_random()
        return built, f"{architecture.name}{'-timm' if is_timm else ''}-random"
    built = architecture.build_trained(source.weights)
    if is_timm:
        return built, f"{architecture.name.partition('.')[0]}.{built.tag}"
    return built, f"{architecture.name}-{source.weights}" if source.weights else architecture.name


def _open_checkpoint(source: Source, architecture: str | None) -> tuple[BuiltNetwork, str]:
    file = Path(source.name)
    if architecture is None:
        raise CheckpointError(
            f"{file.name} holds weights only: name their network, as in "
            "--arch torchvision:resnet18 or --arch timm:resnet18."
        )
    wanted = Architecture.parse(architecture)
    require("torch", extra=LIBRARIES[wanted.library], what=source.text)
    from .checkpoints import read_candidates

    return wanted.build_from(read_candidates(file), file=file), file.stem


def _open_onnx(source: Source) -> tuple[BuiltNetwork, str]:
    for package in ("torch", "onnx", "onnx2torch"):
        require(package, extra="onnx", what=source.text)
    from .onnx_files import read_onnx

    file = Path(source.name)
    found = read_onnx(file)
    attribution = f"weights of the file {file.name}"
    if found.producer:
        attribution += f", written by {found.producer}"
    built = BuiltNetwork(
        found.module,
        found.input_shape,
        file.stem,
        "NOASSERTION",
        attribution,
        computation=found.computation,
    )
    return built, file.stem


def _describe(source: Source) -> str:
    if source.kind == "zoo":
        return ZOO[source.name].architecture
    return source.name if source.kind == "architecture" else Path(source.name).name


def _finish(source: Source, built: BuiltNetwork, name: str, architecture: str) -> Network:
    from .computation import computation
    from .fingerprint import fingerprint
    from .network import Network
    from .reference_image import pink_image
    from .stepwise import seen_tensors

    module = built.module.float()
    _check_finite(source, module)
    example = pink_image(*built.input_shape)
    return Network(
        module=module,
        example=example,
        architecture=architecture,
        weights="random" if built.tag is None else "trained",
        suggested_name=slugify(name),
        source=source.text,
        license=built.license,
        attribution=built.attribution,
        fingerprint=fingerprint(seen_tensors(module)),
        pixels=built.pixels,
        computation=built.computation or computation(module, example),
        notes=built.notes,
    )


def _check_finite(source: Source, module: nn.Module) -> None:
    import torch

    from .stepwise import seen_tensors

    for name, tensor in seen_tensors(module).items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise SourceError(f"{source.text}: the weights {name} hold NaN or infinite values.")
    for name, parameter in module.named_parameters():
        if parameter.numel() and float(parameter.detach().abs().max()) > LARGEST_WEIGHT:
            raise SourceError(
                f"{source.text}: the weights {name} are larger than {LARGEST_WEIGHT:g}, too large "
                "to be multiplied."
            )
