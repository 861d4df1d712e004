"""What somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def near_names(text: str, known: Iterable[str], *, least: float = 75) -> list[str]:
    """Return up to three near names, the nearest first.

    A name is near if it is, as a whole or after its colon, similar to the text; small letters
    and capitals count as equal.

    Parameters
    ----------
    least
        How similar, from 0 to 100.

    Examples
    --------
    >>> near_names("resnet18", ["torchvision:resnet18", "torchvision:vgg16"])
    ['torchvision:resnet18']
    """
    from rapidfuzz import fuzz

    wanted = text.lower()

    def score(name: str) -> float:
        spellings = {name.lower(), name.lower().rpartition(":")[2]}
        return max(fuzz.ratio(wanted, spelling) for spelling in spellings)

    scored = sorted(((score(name), name) for name in known), key=lambda pair: (-pair[0], pair[1]))
    if scored and scored[0][0] == 100:
        least = 100
    return [name for found, name in scored[:3] if found >= least]


def suggestion(text: str, known: Iterable[str], *, least: float = 75) -> str:
    """Return ``Did you mean ...?`` with the near names, or nothing.

    Examples
    --------
    >>> suggestion("efficientnet-lite0", ["efficientnet_lite0", "published:inceptionv1"])
    "Did you mean 'efficientnet_lite0'?"
    >>> suggestion("xyzzy", ["torchvision:resnet18"])
    ''
    """
    near = [repr(name) for name in near_names(text, known, least=least)]
    if not near:
        return ""
    return f"Did you mean {' or '.join([', '.join(near[:-1]), near[-1]] if near[1:] else near)}?"


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return ``Did you mean ...?`` after a blank, to end a message with; else what is known.

    Examples
    --------
    >>> did_you_mean("Featur", ["Feature", "Layer"])
    " Did you mean 'Feature'?"
    >>> did_you_mean("xyz", ["Feature", "Layer"])
    ' Known: Feature, Layer.'
    """
    names = sorted(known)
    near = suggestion(text, names, least=60)
    return f" {near or f'Known: {_listed(names)}.'}"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
