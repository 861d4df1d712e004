"""Which rule goes with which operation.

An operation that is linear in the features gives a form; one that is not gives a form whose
``missing`` names the operation and the module it stands in. Nothing is guessed: what a rule gives
must have the shape of what the network computes, and a rule that fails costs its edges only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg

from circuitkb.loaders.composition.linear_form import KernelTooLargeError, LinearForm, Part
from circuitkb.loaders.composition.rules import channels as channel_rules
from circuitkb.loaders.composition.rules import elementwise as elementwise_rules
from circuitkb.loaders.composition.rules import maps as map_rules
from circuitkb.loaders.composition.rules import moves as moving_rules
from circuitkb.loaders.composition.rules import norms as norm_rules
from circuitkb.loaders.composition.rules.context import RuleContext, operation_name

_REARRANGEMENTS = (
    "view",
    "reshape",
    "_unsafe_view",
    "permute",
    "transpose",
    "flatten",
    "unflatten",
    "slice",
    "select",
    "split",
    "split_with_sizes",
    "chunk",
    "unbind",
    "squeeze",
    "unsqueeze",
    "expand",
    "index_select",
    "narrow",
    "t",
    "roll",
    "flip",
    "pixel_shuffle",
    "channel_shuffle",
    "movedim",
    "pixel_unshuffle",
    "numpy_T",
    "swapaxes",
    "index",
    "repeat",
    "tile",
    "unfold",
)

_IDENTITIES = (
    "clone",
    "contiguous",
    "alias",
    "dropout",
    "_to_copy",
    "detach",
    "lift_fresh_copy",
    "to",
    "feature_dropout",
    "alpha_dropout",
)

MOVING = frozenset((*_REARRANGEMENTS, *_IDENTITIES))
"""Operations that put out the values they read, elsewhere perhaps."""

Rule = Callable[[RuleContext, Node, list[Any]], object]


def _unchanged(context: RuleContext, node: Node, args: list[Any]) -> object:
    return args[0]


def _linear(context: RuleContext, node: Node, args: list[Any]) -> object:
    return context.untracked(node, args, args)


_RESAMPLINGS = (
    "upsample_nearest2d",
    "_upsample_nearest_exact2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
)

_LINEAR = ("stack", "cumsum", "im2col", "col2im", "repeat_interleave")
"""Operations that are linear, and whose kernels no rule follows."""

RULES: dict[str, Rule] = {
    "conv2d": channel_rules.convolution,
    "convolution": channel_rules.convolution,
    "conv_transpose2d": channel_rules.transposed_convolution,
    "linear": channel_rules.linear,
    "addmm": channel_rules.addmm,
    "mm": channel_rules.matrix_product,
    "matmul": channel_rules.matrix_product,
    "batch_norm": norm_rules.batch_norm,
    "_native_batch_norm_legit_no_training": norm_rules.batch_norm,
    "layer_norm": norm_rules.layer_norm,
    "group_norm": norm_rules.group_norm,
    "instance_norm": norm_rules.instance_norm,
    "add": elementwise_rules.addition,
    "sub": elementwise_rules.addition,
    "rsub": elementwise_rules.addition,
    "mul": elementwise_rules.product,
    "div": elementwise_rules.product,
    "neg": elementwise_rules.product,
    "cat": moving_rules.concatenation,
    "pad": map_rules.padding,
    "constant_pad_nd": map_rules.padding,
    "avg_pool2d": map_rules.average_pool,
    "adaptive_avg_pool2d": map_rules.adaptive_average_pool,
    "mean": map_rules.mean,
    "sum": map_rules.mean,
    "max_pool2d": map_rules.max_pool,
    **dict.fromkeys(_RESAMPLINGS, map_rules.resampling),
    **dict.fromkeys(_REARRANGEMENTS, moving_rules.rearrangement),
    **dict.fromkeys(_IDENTITIES, _unchanged),
    **dict.fromkeys(_LINEAR, _linear),
}


def apply(context: RuleContext, node: Node, values: dict[Node, object]) -> object:
    """Return what an operation gives: a form, or a list of forms.

    A node instead of a form says: what this operation makes of that node is a layer of features.
    """
    name = operation_name(node)
    inputs = [values[argument] for argument in node.all_input_nodes]
    if name == "getitem":
        held, place = inputs[0], node.args[1]
        return held[place] if isinstance(held, list) and isinstance(place, int) else held
    if any(isinstance(value, list) for value in inputs):
        return context.unknown(node, inputs, "of several tensors")
    rule = RULES.get(name)
    if rule is None or not any(isinstance(value, LinearForm) for value in inputs):
        return context.unknown(node, inputs)
    args = map_arg(node.args, lambda read: cast(Any, values[read]))
    try:
        result = rule(context, node, list(args))
        fault = None if isinstance(result, Node) else _misfit(result, node.meta.get("val"))
    except KernelTooLargeError:
        fault = "its kernels would take too much memory"
    except MemoryError:
        raise
    except Exception as error:  # A fault in a rule costs the edges it is for, and not the load.
        fault = f"its rule failed, {type(error).__name__}"
    return result if fault is None else context.unknown(node, inputs, fault)


def _misfit(result: object, value: object) -> str | None:
    """Return how a form differs from the tensor that it stands for; None where it does not."""
    if isinstance(result, list):
        values = value if isinstance(value, list | tuple) else [value]
        found = (_misfit(*both) for both in zip(result, values, strict=False))
        return next((fault for fault in found if fault is not None), None)
    if not isinstance(result, LinearForm) or not isinstance(value, Tensor):
        return None
    shape = tuple(value.shape)
    if result.constant is not None and tuple(result.constant.shape) != shape:
        return "its rule gave a constant of another shape"
    if result.layout is None:
        fits = result.index is None or tuple(result.index.shape) == shape
    else:
        area = result.rows * result.columns
        size = {"n": shape[0], "c": result.channels, "y": result.rows, "x": result.columns}
        size |= {"t": area, "f": result.channels * area}
        fits = tuple(size[axis] for axis in result.layout) == shape
    fits = fits and all(_inside(part, result.channels) for part in result.parts)
    return None if fits else "its rule gave another shape than the network"


def _inside(part: Part, channels: int) -> bool:
    targets = part.targets
    return targets.numel() == 0 or bool(targets.min() >= 0 and targets.max() < channels)
