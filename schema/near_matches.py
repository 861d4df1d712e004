"""What somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return ``Did you mean ...?`` with up to three near names, or nothing.

    A name is near if it is, as a whole or after its colon, similar to the text; small letters
    and capitals count as equal.

    Examples
    --------
    >>> did_you_mean("efficientnet-lite0", ["efficientnet_lite0", "published:inceptionv1"])
    "Did you mean 'efficientnet_lite0'?"
    >>> did_you_mean("resnet18", ["torchvision:resnet18", "torchvision:vgg16"])
    "Did you mean 'torchvision:resnet18'?"
    >>> did_you_mean("xyzzy", ["torchvision:resnet18"])
    ''
    """
    from rapidfuzz import fuzz

    wanted = text.lower()

    def score(name: str) -> float:
        spellings = {name.lower(), name.lower().rpartition(":")[2]}
        return max(fuzz.ratio(wanted, spelling) for spelling in spellings)

    scored = sorted(((score(name), name) for name in known), key=lambda pair: (-pair[0], pair[1]))
    near = [repr(name) for found, name in scored[:3] if found >= 75]
    if scored and scored[0][0] == 100:
        near = [repr(name) for found, name in scored[:3] if found == 100]
    if not near:
        return ""
    return f"Did you mean {' or '.join([', '.join(near[:-1]), near[-1]] if near[1:] else near)}?"
