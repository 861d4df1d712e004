"""Which model stands under a name: its weights, and what it computes with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from circuitkb.schema.errors import ModelConflictError

_OTHER_NAME = "load {these} under another name, with --name NAME (name= in Python)."


@dataclass(frozen=True)
class Identity:
    """Who a model is.

    ``fingerprint`` covers its tensors, ``computation`` what it computes with them; None where it
    was written before this was kept, and for published circuits.
    """

    fingerprint: str
    computation: str | None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read it from the properties of a Model node."""
        return cls(record["fingerprint"], record.get("computation"))

    def computes_another(self, other: Identity) -> bool | None:
        """Return whether two models compute different things; None where one does not say.

        Examples
        --------
        >>> one = Identity("f", "torch1:a")
        >>> one.computes_another(Identity("f", "torch1:b"))
        True
        >>> one.computes_another(Identity("f", None)) is None
        True
        """
        if self.computation == other.computation:
            return False
        schemes = {(side or "").partition(":")[0] for side in (self.computation, other.computation)}
        return None if len(schemes) > 1 else True


def check_same(model: str, stored: Identity, given: Identity) -> bool:
    """Return whether a model that is given is known to be the stored one; False: cannot be told.

    Raises
    ------
    ModelConflictError
        It is another one.
    """
    if stored.fingerprint != given.fingerprint:
        raise ModelConflictError(
            f"{model!r} is here already with other weights ({stored.fingerprint[:12]}, not "
            f"{given.fingerprint[:12]}): {_OTHER_NAME.format(these='these')}"
        )
    another = stored.computes_another(given)
    if another:
        raise _other_network(model, "other activations, strides, layer names or input size")
    return another is False


def check_layers(
    model: str, stored: Iterable[Mapping[str, Any]], given: Iterable[Mapping[str, Any]]
) -> None:
    """Compare a model's layers, for a store that does not say what the model computes.

    Compared are the kinds and the maps of layers that both have with as many units. Others are
    left alone: another version of circuitkb may find more layers in the same network.

    Parameters
    ----------
    stored, given
        Records of layers, with ``name``, ``kind``, ``channels``, ``height`` and ``width``.

    Raises
    ------
    ModelConflictError
        A layer is of another kind or another size.
    """
    before = {row["name"]: row for row in stored}
    for row in given:
        there = before.get(row["name"])
        if there is None or there["channels"] != row["channels"]:
            continue
        for what in (_kind, _size):
            if what(there) and what(row) and what(there) != what(row):
                raise _other_network(
                    model, f"layer {row['name']!r} is {what(there)} there, {what(row)} in this one"
                )


def _kind(layer: Mapping[str, Any]) -> str:
    return layer["kind"] or ""


def _size(layer: Mapping[str, Any]) -> str:
    known = layer["height"] is not None and layer["width"] is not None
    return f"{layer['height']}x{layer['width']}" if known else ""


def _other_network(model: str, difference: str) -> ModelConflictError:
    return ModelConflictError(
        f"{model!r} is here already as another network with the same weights ({difference}): "
        f"{_OTHER_NAME.format(these='this one')}"
    )
