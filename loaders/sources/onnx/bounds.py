"""What a file may ask for: held before anything takes the memory or the time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import onnx
from onnx import NodeProto, TensorProto, TypeProto, defs, helper

LARGEST_FILE = 2**31 - 1
"""Bytes of a file: what its format allows."""

MOST_NODES = 50_000
"""Operators in a file, with its functions written out."""

MOST_OPERATIONS = 10_000
"""Operators that depend on the image."""

MOST_WEIGHTS = 2**30
"""Stored values: 4 GB."""

LARGEST_IMAGE = 2**24
"""Values of an image: 3 channels of 2,300 by 2,300 pixels."""

LARGEST_TENSOR = 2**28
"""Values of a tensor that a network makes of one image: 1 GB."""

LONGEST_AXIS = 2**24
"""Places along one axis of such a tensor."""

GROWING = frozenset(
    {
        "ConstantOfShape",
        "Expand",
        "OneHot",
        "Range",
        "Tile",
        "Pad",
        "Resize",
        "Upsample",
        "CenterCropPad",
        "AffineGrid",
        "Col2Im",
        "MaxUnpool",
        "BlackmanWindow",
        "HammingWindow",
        "HannWindow",
        "MelWeightMatrix",
        "EyeLike",
        "DFT",
        "STFT",
        "ImageDecoder",
        "SequenceConstruct",
    }
)
"""Operators whose results may be larger than what they read, by a number that they read."""

_FEW = 1024
"""Values of a tensor that says a size."""


def check_size(shape: Sequence[int]) -> None:
    """Refuse a tensor before it takes the memory.

    Raises
    ------
    ValueError
        It is too large, or a size is negative.

    Examples
    --------
    >>> check_size([1, 64, 1000, 1000])
    >>> check_size([10**6, 10**6])
    Traceback (most recent call last):
    ...
    ValueError: it makes a tensor of 1,000,000,000,000 values, more than 268,435,456
    """
    if min(shape, default=0) < 0:
        raise ValueError(f"it makes a tensor of the size {'x'.join(map(str, shape))}")
    if math.prod(shape) > LARGEST_TENSOR or max(shape, default=0) > LONGEST_AXIS:
        raise ValueError(
            f"it makes a tensor of {math.prod(shape):,} values, more than {LARGEST_TENSOR:,}"
        )


def shapes_given(
    node: NodeProto,
    shapes: Mapping[str, Sequence[int]],
    known: Mapping[str, TensorProto],
    version: int,
) -> list[tuple[int, ...] | None]:
    """Return the size of each tensor that a node gives, worked out without computing it.

    Parameters
    ----------
    shapes
        Of the tensors that it reads.
    known
        Those whose values are known; only small ones are looked at.
    version
        Of the operators.
    """
    types = {
        name: helper.make_tensor_type_proto(
            known[name].data_type if name in known else TensorProto.FLOAT, shapes[name]
        )
        for name in node.input
        if name in shapes
    }
    small = {
        name: known[name]
        for name in node.input
        if name in known and math.prod(known[name].dims) <= _FEW
    }
    try:
        schema = defs.get_schema(node.op_type, version)
        found = onnx.shape_inference.infer_node_outputs(
            schema, node, types, small, opset_imports=[helper.make_opsetid("", version)]
        )
    except Exception:  # Its C++ code raises what it likes on what it cannot work out.
        return [None for _ in node.output]
    return [_shape(found[name]) if name in found else None for name in node.output]


def _shape(value: TypeProto) -> tuple[int, ...] | None:
    tensor = value.tensor_type
    if not tensor.HasField("shape"):
        return None
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return None if None in sizes else tuple(size for size in sizes if size is not None)


def check_results(
    node: NodeProto,
    shapes: Mapping[str, Sequence[int]],
    known: Mapping[str, TensorProto],
    version: int,
) -> None:
    """Refuse a node before it is computed, if it would take too much memory.

    Raises
    ------
    ValueError
        It makes a tensor that is too large, or nobody can say how large it will be.
    """
    for shape in shapes_given(node, shapes, known, version):
        if shape is not None:
            check_size(shape)
        elif node.op_type in GROWING:
            raise ValueError("how large a tensor it makes depends on the image")
