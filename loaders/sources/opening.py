"""Opening a SOURCE: which kind it is, and what it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from circuitkb.loaders.sources.built import BuiltNetwork, ready
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.loadable import KEEP, ExportedFolder, Loadable, LoadableNetwork
from circuitkb.loaders.sources.quiet import quiet
from circuitkb.loaders.sources.source import (
    OpenOptions,
    Shape,
    Source,
    SourceKind,
    path_of,
    shape_refused,
)
from circuitkb.schema.errors import SourceError, UnknownSourceError
from circuitkb.schema.ids import check_slug
from circuitkb.schema.near_matches import suggestion
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network
    from circuitkb.schema.tables import GraphRows

_KINDS = "circuitkb.loaders.sources.kinds"

SOURCES = Registry(
    "circuitkb.sources",
    "kind of source",
    SourceKind,
    {
        "zoo": f"{_KINDS}.zoo:KIND",
        "architecture": f"{_KINDS}.architecture:KIND",
        "onnx": f"{_KINDS}.onnx:KIND",
        "checkpoint": f"{_KINDS}.checkpoint:KIND",
        "tensorflow_js": f"{_KINDS}.tensorflow_js:KIND",
        "own": f"{_KINDS}.own:KIND",
        "published": f"{_KINDS}.published:KIND",
        "exported": f"{_KINDS}.exported:KIND",
    },
    unknown=SourceError,
)
"""What a SOURCE may be."""

IN_PYTHON = "python:"
"""Stands before the class of a network that was given as a module; it cannot be opened again."""


def parse_source(text: str) -> Source:
    """Take a SOURCE apart, without opening it: each kind is asked in turn, those of paths last.

    Raises
    ------
    UnknownSourceError
        It is of no kind; with near matches among all that is known.

    Examples
    --------
    >>> parse_source("torchvision:resnet18@none")
    Source(text='torchvision:resnet18@none', kind='architecture', name='torchvision:resnet18',
           detail='none')
    >>> parse_source("published:inceptionv1").kind
    'published'
    >>> parse_source("eficientnet_lite0")
    Traceback (most recent call last):
    circuitkb.schema.errors.UnknownSourceError: There is no source 'eficientnet_lite0'.
    Did you mean 'efficientnet_lite0', ...?
    """

    def of_a_name(kind: SourceKind) -> Source | None:
        return None if kind.is_path else kind.takes(text)

    def of_a_path(kind: SourceKind) -> Source | None:
        return kind.takes(text) if kind.is_path else None

    for takes in (of_a_name, of_a_path):
        for _, found in SOURCES.ask(takes):
            if found is not None:
                return found
    raise UnknownSourceError(_unknown(text))


def _unknown(text: str) -> str:
    for _, said in SOURCES.ask(lambda kind: kind.advise(text)):
        if said is not None:
            return said
    if path_of(text).is_file():
        files = " nor ".join(kind.files for kind in SOURCES if kind.files)
        return f"{text!r} is neither {files}: its name has another ending."
    near = suggestion(text, _names(slow=False)) or suggestion(text, _names(slow=True))
    known = f"Known: {', '.join(kind.usage for kind in SOURCES)}."
    return f"There is no source {text!r}.\n{near or known}"


def _names(*, slow: bool) -> Iterator[str]:
    """Give all names that take long to list, or all others."""
    for _, names in SOURCES.ask(lambda kind: kind.names_are_slow == slow and [*kind.names()]):
        yield from names or ()


def known_source(model: str) -> str | None:
    """Return the SOURCE that a model of this name is loaded from, if a name says it.

    Examples
    --------
    >>> known_source("efficientnet_lite0"), known_source("inceptionv1"), known_source("mine")
    ('efficientnet_lite0', 'published:inceptionv1', None)
    """
    return next((n for n in _names(slow=False) if n.rpartition(":")[2] == model), None)


def open_source(
    source: str | Source | nn.Module,
    *,
    name: str | None = None,
    architecture: str | None = None,
    input_shape: Shape | None = None,
) -> Loadable | ExportedFolder:
    """Open a SOURCE: quick, as nothing is composed yet.

    Parameters
    ----------
    source
        A name of the zoo (``efficientnet_lite0``, ``1``, ``2``); ``torchvision:NAME[@WEIGHTS]``;
        ``timm:NAME``; an ``.onnx`` file; a ``model.json``; a checkpoint file; ``FILE.py:FUNCTION``;
        ``published:inceptionv1`` or ``published:DIR``; a folder that an export wrote; what another
        package adds; or a network as a ``torch.nn.Module``.
    name
        What the model is to be called in the graph; a name made from the source if None.
    architecture
        For a checkpoint: ``torchvision:NAME``, ``timm:NAME`` or ``FILE.py:FUNCTION``.
    input_shape
        (channels, rows, columns) of the image, for a network of the user's own.

    Raises
    ------
    SourceError
        Or one of its kinds: it cannot be read; the message says why and what to do.
    IdError
        ``name`` cannot name a model.

    Examples
    --------
    >>> opened = open_source("torchvision:squeezenet1_1@none", name="squeeze")
    >>> opened.name, len(opened.fingerprint)
    ('squeeze', 64)
    """
    if name is not None:
        check_slug(name)
    if not isinstance(source, str | Source):
        if architecture is not None:
            raise SourceError("A module says which network it is: architecture= goes with a file.")
        return LoadableNetwork(open_module(source, shape=input_shape), name)
    parsed = parse_source(source) if isinstance(source, str) else source
    built = _build(parsed, OpenOptions(name, architecture, input_shape))
    if isinstance(built, BuiltNetwork):
        return LoadableNetwork(_ready(parsed, built), name)
    return built


def open_network(
    source: str | Source, *, architecture: str | None = None, shape: Shape | None = None
) -> Network:
    """Build the network that a SOURCE stands for, with its weights and a reference image.

    Parameters
    ----------
    source, architecture, shape
        As for :func:`open_source`; but not ``published:``, which has no network.

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
    parsed = parse_source(source) if isinstance(source, str) else source
    options = OpenOptions(architecture=architecture, shape=shape)
    built = _build(parsed, options) if SOURCES.get(parsed.kind).is_network else None
    if not isinstance(built, BuiltNetwork):
        raise SourceError(f"{parsed.text!r} has no network to open.")
    return _ready(parsed, built)


def _build(source: Source, options: OpenOptions) -> BuiltNetwork | Loadable | ExportedFolder:
    kind = SOURCES.get(source.kind)
    if kind.is_network:
        if options.architecture is not None and "architecture" not in kind.options:
            raise SourceError(
                f"{source.text!r} says which network it is: --arch goes only with a checkpoint "
                "file."
            )
        if options.shape is not None and "shape" not in kind.options:
            raise shape_refused(source.text)
    with SOURCES.running(kind.name), nullcontext() if kind.heard else quiet():
        return kind.open(source, options)


def _ready(source: Source, built: BuiltNetwork) -> Network:
    with quiet():
        return ready(source.text, built)


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
    built = BuiltNetwork(
        module=own.module,
        input_shape=own.shape,
        name=own.name,
        architecture=own.name,
        tag=own.name,
        attribution="a module in Python",
        is_own=True,
    )
    with quiet():
        return ready(f"{IN_PYTHON}{own.name}", built)


def load_rows(
    source: str,
    *,
    name: str | None = None,
    keep: int = KEEP,
    architecture: str | None = None,
    progress: Progress = silent,
) -> GraphRows:
    """Open a SOURCE and return everything that the graph is to hold of it.

    Parameters
    ----------
    source, name, architecture
        As for :func:`open_source`.
    keep
        Strongest inputs of each unit that the graph keeps, at least 1. What is published is
        always kept whole.
    progress
        Called with how far it is.

    Examples
    --------
    >>> rows = load_rows("torchvision:squeezenet1_1@none", keep=1)
    >>> rows.nodes["Model"].column("id").to_pylist()
    ['squeezenet1_1-random']
    """
    opened = open_source(source, name=name, architecture=architecture)
    if isinstance(opened, ExportedFolder):
        raise SourceError(f"{source} holds whole models, which come in pieces: kb.load takes them.")
    return opened.rows(keep, progress)
