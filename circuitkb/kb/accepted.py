"""What commands take in, in words: with what other packages add."""

from __future__ import annotations


def sources() -> str:
    """Return how a SOURCE of every kind is written.

    Examples
    --------
    >>> sources()
    'a network of the zoo (efficientnet_lite0, ...), torchvision:NAME(@WEIGHTS), timm:NAME, ...'
    """
    from circuitkb.loaders.sources.opening import SOURCES

    *others, last = [kind.help or kind.usage for kind in SOURCES]
    return f"{', '.join(others)}, or {last}"


def zoo() -> tuple[str, ...]:
    """Return the names of the networks whose weights install as packages.

    Examples
    --------
    >>> zoo()[0]
    'efficientnet_lite0'
    """
    from circuitkb.loaders.sources.zoo import ZOO

    return tuple(ZOO)


def annotation_formats() -> str:
    """Return the names of all formats of annotations.

    Examples
    --------
    >>> annotation_formats()
    'jsonl, csv, bundle, distill, neuronpedia-explanations, ...'
    """
    from circuitkb.loaders.annotation_formats.recognition import FORMATS

    return ", ".join(FORMATS.names)


def runs_python(text: str) -> bool:
    """Return whether a SOURCE, or an architecture, is a Python file of the user's.

    Examples
    --------
    >>> runs_python("nets/mine.py:build"), runs_python("timm:resnet18")
    (True, False)
    """
    from circuitkb.loaders.sources.kinds.own import own_source

    return own_source(text) is not None
