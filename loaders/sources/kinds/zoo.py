"""A SOURCE that is a name of the zoo: ``efficientnet_lite0``."""

from __future__ import annotations

from circuitkb.loaders.sources.source import Source, SourceKind
from circuitkb.loaders.sources.zoo import ZOO

KIND = SourceKind(
    "zoo",
    ", ".join(ZOO),
    lambda text: Source(text, "zoo", text) if text in ZOO else None,
    lambda source, options: ZOO[source.name].open(),
    help="a network of the zoo (efficientnet_lite0, ...)",
    names=lambda: ZOO,
)
