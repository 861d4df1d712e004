"""What can be loaded: a SOURCE as a value, and the network that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from circuitkb.loaders.sources.architectures import (
    LIBRARIES,
    Architecture,
    BuiltNetwork,
    known_names,
)
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.quiet import quiet
from circuitkb.loaders.sources.zoo import ZOO
from circuitkb.schema.errors import (
    CheckpointError,
    MissingExtraError,
    SourceError,
    TraceError,
    UnknownSourceError,
)
from circuitkb.schema.ids import slugify
from circuitkb.schema.near_matches import suggestion

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.sources.own_networks import OwnNetwork

Shape = tuple[int, int, int]

Kind = Literal["zoo", "architecture", "onnx", "checkpoint", "own", "published"]

PUBLISHED = "published:inceptionv1"
"""The published circuits that ship with the package."""

LARGEST_WEIGHT = 1e18
"""Products of two such weights are still numbers of 32 bits."""

CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""How the name of a checkpoint file ends."""


_OWN = re.compile(r"(?P<file>.+\.py):(?P<function>[^\W\d]\w*)", re.DOTALL)

IN_PYTHON = "python:"
"""Stands before the class of a network that was given as a module; it cannot be opened again."""


@dataclass(frozen=True)
class Source:
    """A SOURCE, taken apart.

    Attributes
    ----------
    text
        As it was given.
    kind
        ``zoo`` (a built-in name), ``architecture`` (of torchvision or timm), ``onnx`` or
        ``checkpoint`` (a file), ``own`` (a function in a Python file), ``published`` (circuits
        without weights).
    name
        The zoo's name, ``torchvision:NAME``, the path, or what stands after ``published:``.
    weights
        What stands after ``@``: ``none`` for random weights, the name of trained ones, or None; of
        ``own`` the function's name.
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
        ``.pt``, ``.pth`` or ``.bin``; ``FILE.py:FUNCTION``; ``published:inceptionv1`` or
        ``published:DIR``.

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
    path = _path_of(text)
    if own := own_source(text):
        if not Path(own.name).is_file():
            raise UnknownSourceError(f"There is no file {own.name!r}.")
        return own
    suffix = path.suffix.lower()
    if suffix == ".onnx" or suffix in CHECKPOINT_SUFFIXES:
        if not path.is_file():
            raise UnknownSourceError(f"There is no file {text!r}. {_near_files(path)}".strip())
        return Source(text, "onnx" if suffix == ".onnx" else "checkpoint", str(path))
    raise UnknownSourceError(_unknown(text, path))


def own_source(text: str) -> Source | None:
    """Return a text ``FILE.py:FUNCTION`` taken apart, or None if it is another one.

    What it names runs when it is opened, so such a text must come from the user.

    Examples
    --------
    >>> own_source("nets/mine.py:build")
    Source(text='nets/mine.py:build', kind='own', name='nets/mine.py', weights='build')
    >>> own_source("C:\\\\nets\\\\mine.py:build").weights, own_source("published:mine.py:build")
    ('build', None)
    """
    found = _OWN.fullmatch(text)
    if found is None or text.partition(":")[0] in ("published", *LIBRARIES):
        return None
    return Source(text, "own", str(Path(found["file"]).expanduser()), found["function"])


def _path_of(text: str) -> Path:
    """Return a text as a path; a name may be too long, or in the home of nobody."""
    try:
        path = Path(text).expanduser()
        path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        shown = text if len(text) <= 80 else f"{text[:80]}..."
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise UnknownSourceError(f"{shown!r} is no file that can be read: {reason}.") from error
    return path


def _unknown(text: str, path: Path) -> str:
    if path.suffix == ".py":
        return f"{text!r} is Python: name the function that builds the network, as in {text}:build."
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
    near = suggestion(text, [*ZOO, PUBLISHED]) or suggestion(text, _library_names())
    advice = near or (
        f"Known: {', '.join(ZOO)}, torchvision:NAME, timm:NAME, an .onnx file, a checkpoint file, "
        f"FILE.py:FUNCTION, {PUBLISHED}, published:DIR."
    )
    return f"There is no source {text!r}.\n{advice}"


def _near_files(path: Path) -> str:
    try:
        siblings = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:
        return ""
    return suggestion(path.name, siblings)


def _library_names() -> Iterator[str]:
    for library in LIBRARIES:
        try:
            yield from (f"{library}:{name}" for name in known_names(library))
        except MissingExtraError:
            continue


def open_network(
    source: str, *, architecture: str | None = None, shape: Shape | None = None
) -> Network:
    """Build the network that a SOURCE stands for, with its weights and a reference image.

    Parameters
    ----------
    source
        As :func:`parse_source` reads it, but not ``published:``, which has no network.
    architecture
        ``torchvision:NAME``, ``timm:NAME`` or ``FILE.py:FUNCTION``: the network whose weights a
        checkpoint holds.
    shape
        (channels, rows, columns) of the image, for a network of the user's own.

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
    own = _own(parsed, architecture)
    if shape is not None and own is None:
        raise SourceError(
            f"{source!r} knows the size of its image: --shape goes only with FILE.py:FUNCTION."
        )
    # What a user's own file says on the screen is for the user.
    found = None if own is None else _run_own(own, shape)
    with quiet():
        return _open(parsed, architecture, found)


def _open(parsed: Source, architecture: str | None, own: OwnNetwork | None) -> Network:
    if own is not None:
        built, name = _open_own(own, parsed, architecture)
    elif parsed.kind == "zoo":
        built, name = _open_zoo(parsed)
    elif parsed.kind == "architecture":
        built, name = _open_architecture(parsed)
    elif parsed.kind == "checkpoint":
        built, name = _open_checkpoint(parsed, architecture)
    elif parsed.kind == "onnx":
        built, name = _open_onnx(parsed)
    else:
        raise SourceError(f"{parsed.text!r} is published circuits: it has no network to open.")
    described = architecture if parsed.kind == "checkpoint" else None
    return _finish(parsed.text, built, name, described or _describe(parsed), own is not None)


def open_module(module: nn.Module, *, shape: Shape | None = None) -> Network:
    """Take a network that is there as a ``torch.nn.Module``; it is copied, and left as it is.

    Parameters
    ----------
    shape
        (channels, rows, columns) of the image; the module's ``input_shape``, or 3x224x224, if None.

    Raises
    ------
    SourceError
        It is no module, or one that cannot be loaded.
    TraceError
        It does not run on one image of that shape.
    """
    require("torch", extra="torch", what="A torch.nn.Module")
    from circuitkb.loaders.sources.own_networks import own_module

    own = own_module(module, shape=shape)
    built = BuiltNetwork(own.module, own.shape, own.name, "NOASSERTION", "a module in Python")
    with quiet():
        return _finish(f"{IN_PYTHON}{own.name}", built, own.name, own.name, own=True)


def _own(source: Source, architecture: str | None) -> Source | None:
    """Return the Python file that builds the network, if one does."""
    return source if source.kind == "own" else own_source(architecture or "")


def _run_own(own: Source, shape: Shape | None) -> OwnNetwork:
    require("torch", extra="torch", what=own.text)
    from circuitkb.loaders.sources.own_networks import build_own

    if not Path(own.name).is_file():
        raise UnknownSourceError(f"There is no file {own.name!r}.")
    return build_own(Path(own.name), str(own.weights), shape=shape)


def _open_own(
    own: OwnNetwork, source: Source, architecture: str | None
) -> tuple[BuiltNetwork, str]:
    file = Path(source.name)
    notes: tuple[str, ...] = ()
    if source.kind == "checkpoint":
        from circuitkb.loaders.sources.checkpoints import read_candidates
        from circuitkb.loaders.sources.fitting import fit

        candidates = read_candidates(file)
        fitted = fit(lambda _: own.module, candidates, file=file, architecture=str(architecture))
        notes = fitted.notes
    attribution = f"weights of the file {file.name}"
    built = BuiltNetwork(own.module, own.shape, file.stem, "NOASSERTION", attribution, notes=notes)
    return built, file.stem


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
            f"{file.name} holds weights only: name their network, as in --arch "
            "torchvision:resnet18, --arch timm:resnet18 or, of your own, --arch FILE.py:FUNCTION; "
            "or export it as an .onnx file."
        )
    wanted = Architecture.parse(architecture)
    require("torch", extra=LIBRARIES[wanted.library], what=source.text)
    from circuitkb.loaders.sources.checkpoints import read_candidates

    return wanted.build_from(read_candidates(file), file=file), file.stem


def _open_onnx(source: Source) -> tuple[BuiltNetwork, str]:
    for package in ("torch", "onnx", "onnx2torch"):
        require(package, extra="onnx", what=source.text)
    from circuitkb.loaders.sources.onnx.files import read_onnx

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


_OTHER_SHAPE = "If it reads images of another size: --shape 3x64x64 (input_shape= in Python)."


def _describe(source: Source) -> str:
    if source.kind == "zoo":
        return ZOO[source.name].architecture
    if source.kind == "own":
        return f"{Path(source.name).name}:{source.weights}"
    return source.name if source.kind == "architecture" else Path(source.name).name


def _finish(
    text: str, built: BuiltNetwork, name: str, architecture: str, own: bool = False
) -> Network:
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.composition.reference_image import pink_image
    from circuitkb.loaders.sources.computation import computation
    from circuitkb.loaders.sources.fingerprint import fingerprint
    from circuitkb.loaders.sources.stepwise import seen_tensors

    module = built.module.float()
    _check_finite(text, module)
    example = pink_image(*built.input_shape)
    try:
        computed = built.computation or computation(module, example)
    except TraceError as error:
        raise TraceError(f"{error}\n{_OTHER_SHAPE}" if own else str(error)) from error
    return Network(
        module=module,
        example=example,
        architecture=architecture,
        weights="random" if built.tag is None else "trained",
        suggested_name=slugify(name),
        source=text,
        license=built.license,
        attribution=built.attribution,
        fingerprint=fingerprint(seen_tensors(module)),
        pixels=built.pixels,
        computation=computed,
        notes=built.notes,
    )


def _check_finite(text: str, module: nn.Module) -> None:
    import torch

    from circuitkb.loaders.sources.stepwise import seen_tensors

    for name, tensor in seen_tensors(module).items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise SourceError(f"{text}: the weights {name} hold NaN or infinite values.")
    for name, parameter in module.named_parameters():
        if parameter.numel() and float(parameter.detach().abs().max()) > LARGEST_WEIGHT:
            raise SourceError(
                f"{text}: the weights {name} are larger than {LARGEST_WEIGHT:g}, too large "
                "to be multiplied."
            )
