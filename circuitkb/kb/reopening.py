"""The network of a model that is in a knowledge base, opened again.

A knowledge base may come from a stranger. What it says of a model is enough to read a weights file,
which runs nothing; a Python file runs, and another machine is asked for a file, only where the user
names it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from circuitkb.schema.errors import ObservationError, SourceError
from circuitkb.stores.model_identity import Identity

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network


def reopen(
    stored: Mapping[str, Any],
    source: str | None,
    architecture: str | None,
    module: nn.Module | None,
) -> Network:
    """Open the network that a model was loaded from, and make sure that it is the same.

    Parameters
    ----------
    stored
        Of the Model node: ``id``, ``source``, ``architecture``, ``fingerprint``, ``computation``
        and ``input_shape``.
    source, architecture, module
        What the user gives in place of what the model says.

    Raises
    ------
    ObservationError
        It is another network, or would have to run a file that the user did not name.
    SourceError
        It cannot be opened.
    """
    if module is None:
        text = source or stored["source"]
        network = _from_source(stored, source, architecture)
    elif source is None and architecture is None:
        from circuitkb.loaders.sources.opening import open_module

        text = f"The module {type(module).__name__}"
        network = open_module(module, shape=_shape(stored))
    else:
        raise ObservationError("Give the network either as a module or by its source.")
    _check_same(stored, network, text)
    return network


def _from_source(
    stored: Mapping[str, Any],
    source: str | None,
    architecture: str | None,
) -> Network:
    from circuitkb.loaders.sources.kinds.own import own_source
    from circuitkb.loaders.sources.opening import SOURCES, open_network, parse_source

    model, text = stored["id"], source or stored["source"]
    if source is None:
        _refuse_to_go_there(model, text)
    try:
        parsed = parse_source(text)
        kind = SOURCES.get(parsed.kind)
        if source is None and kind.only_where_named:
            raise ObservationError(
                f"{model!r} was built by {text}. {kind.only_where_named}: "
                f"circuitkb observe {model} --source {text}"
            )
        of_weights = architecture
        if "architecture" in kind.options and architecture is None:
            of_weights = stored["architecture"]
            if own_source(of_weights or "") is not None:
                raise ObservationError(
                    f"{model!r} was built by {of_weights}. A Python file runs only where you name "
                    f"it: circuitkb observe {model} --source {text} --arch FILE.py:FUNCTION"
                )
        takes_shape = "shape" in kind.options and (
            "architecture" not in kind.options or own_source(of_weights or "") is not None
        )
        shape = _shape(stored) if takes_shape else None
        return open_network(parsed, architecture=of_weights, shape=shape)
    except SourceError as error:
        if source is not None:
            raise
        raise type(error)(
            f"{error}\n{model!r} was loaded from {text}; if it is elsewhere now: "
            f"circuitkb observe {model} --source SOURCE"
        ) from error


def _shape(stored: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the size of the image that a model was loaded with."""
    from circuitkb.loaders.sources.own_networks import check_shape

    return check_shape(stored["input_shape"], f"the model {stored['id']!r}")


def _refuse_to_go_there(model: str, text: str) -> None:
    """Refuse what a model says of its source where following it would do more than read a file."""
    from circuitkb.loaders.sources.opening import IN_PYTHON

    if text.startswith(IN_PYTHON):
        raise ObservationError(
            f"{model!r} was loaded from a module in Python: give it again, with "
            f"kb.observe({model!r}, module=...), or what builds it, with --source FILE.py:FUNCTION."
        )
    if re.match(r"[\\/]{2}", text):
        raise ObservationError(
            f"{model!r} was loaded from {text}, which may be on another machine: name it yourself, "
            "with --source."
        )


def _check_same(stored: Mapping[str, Any], network: Network, text: str) -> None:
    if network.fingerprint != stored["fingerprint"]:
        raise ObservationError(
            f"{text} has other weights now ({network.fingerprint[:12]}) than {stored['id']!r} was "
            f"loaded with ({stored['fingerprint'][:12]}).\n"
            "Give the source of those with --source, or load these under another --name."
        )
    if Identity.of(stored).computes_another(Identity(network.fingerprint, network.computation)):
        raise ObservationError(
            f"{text} is another network now than {stored['id']!r} was loaded from, with the same "
            "weights (other activations, strides, layer names or input size).\n"
            "Give the source of that one with --source, or load this one under another --name."
        )
