"""A SOURCE that names a network of a library: ``torchvision:NAME@WEIGHTS``, ``timm:NAME``."""

from __future__ import annotations

from collections.abc import Iterator

from circuitkb.loaders.sources.architectures import LIBRARIES, Architecture, known_names
from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.source import OpenOptions, Source, SourceKind
from circuitkb.schema.errors import MissingExtraError


def _takes(text: str) -> Source | None:
    library, colon, rest = text.partition(":")
    if not colon or library not in LIBRARIES:
        return None
    name, at, weights = rest.partition("@")
    return Source(text, "architecture", f"{library}:{name}", weights if at else None)


def _open(source: Source, options: OpenOptions) -> BuiltNetwork:
    architecture = Architecture.parse(source.name)
    if source.detail == "none":
        return architecture.build_random()
    return architecture.build_trained(source.detail)


def _names() -> Iterator[str]:
    for library in LIBRARIES:
        try:
            yield from (f"{library}:{name}" for name in known_names(library))
        except MissingExtraError:
            continue


KIND = SourceKind(
    "architecture",
    "torchvision:NAME, timm:NAME",
    _takes,
    _open,
    help="torchvision:NAME(@WEIGHTS), timm:NAME",
    names=_names,
    names_are_slow=True,
)
