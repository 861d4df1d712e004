"""Small pictures that pages share, each at an address of its own: drawn, or read from the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from circuitkb.atlas import covered, photographs, proofs, stimuli, visualizations
from circuitkb.stores.base import Store

_KINDS: Mapping[str, Callable[[Store, str], bytes]] = {
    stimuli.STIMULUS: lambda store, address: stimuli.png(address),
    visualizations.VISUALIZATION: visualizations.png,
    photographs.PHOTOGRAPH: photographs.png,
    proofs.COUNTEREXAMPLE: proofs.png,
    covered.CURVE: covered.png,
}
"""By the first part of the address, what gives the PNG there, or raises NotFoundError."""


def is_image(address: str) -> bool:
    """Tell whether an address is one of pictures, be there one or not.

    Examples
    --------
    >>> is_image("stimulus/circuitkb-1/3"), is_image("node/stimulus")
    (True, False)
    """
    kind, _, rest = address.partition("/")
    return bool(rest) and kind in _KINDS


def png(store: Store, address: str) -> bytes:
    """Return the PNG at an address that :func:`is_image` takes.

    Raises
    ------
    NotFoundError
        There is no such picture.
    """
    return _KINDS[address.partition("/")[0]](store, address)
