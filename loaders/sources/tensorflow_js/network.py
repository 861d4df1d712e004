"""A ``model.json`` of TensorFlow.js as a network."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError
from pathlib import Path
from typing import Any

from onnx import ModelProto

from circuitkb.loaders.sources.onnx.files import OnnxNetwork, onnx_network
from circuitkb.loaders.sources.onnx.reading import reason
from circuitkb.loaders.sources.tensorflow_js.graph import graph_model
from circuitkb.loaders.sources.tensorflow_js.layers import layers_model
from circuitkb.loaders.sources.tensorflow_js.manifest import Weights, read_tensorflow_js
from circuitkb.loaders.sources.tensorflow_js.written import Unsupported
from circuitkb.schema.errors import CheckpointError, CircuitKBError, TraceError


def read_tensorflow_js_network(file: Path) -> OnnxNetwork:
    """Read a network that takes one image; it is brought to ONNX, and then read as such a file is.

    Raises
    ------
    CheckpointError
        The file, or its weights, are missing, not whole or not what they say.
    TraceError
        It has an operation that is not supported.
    """
    found = read_tensorflow_js(file)
    try:
        model = _written(found.topology, found.weights)
    except Unsupported as error:
        raise TraceError(f"{file.name} cannot be loaded: {error} is not supported.") from error
    except CircuitKBError:
        raise
    except KeyError as error:
        raise CheckpointError(f"{file.name} is not whole: it has no {error}.") from error
    except CycleError as error:
        raise CheckpointError(f"{file.name}: what its operations read goes round.") from error
    except Exception as error:  # What a stranger wrote may be of any shape.
        raise CheckpointError(f"{file.name} is no valid network: {reason(error)}.") from error
    return onnx_network(model, file)


def _written(topology: Mapping[str, Any], weights: Weights) -> ModelProto:
    if "node" in topology:
        return graph_model(topology, weights)
    return layers_model(topology["model_config"], weights)
