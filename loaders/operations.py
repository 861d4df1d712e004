"""Which rule goes with which operation.

An operation that is linear in the features gives a form; one that is not gives a form whose
``missing`` names the operation and the module it stands in. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch.fx import Node
from torch.fx.node import map_arg

from . import channel_rules, map_rules
from .linear_form import KernelTooLargeError, LinearForm
from .rule_context import RuleContext, operation_name, without_edges

_REARRANGEMENTS = (
    "view", "reshape", "_unsafe_view", "permute", "transpose", "flatten", "unflatten", "slice",
    "select", "split", "split_with_sizes", "chunk", "unbind", "squeeze", "unsqueeze", "expand",
    "index_select", "narrow", "t", "roll", "flip", "pixel_shuffle", "channel_shuffle", "movedim",
    "pixel_unshuffle", "numpy_T", "swapaxes",
)  # fmt: skip

_IDENTITIES = (
    "clone", "contiguous", "alias", "dropout", "_to_copy", "detach", "lift_fresh_copy", "to",
    "feature_dropout", "alpha_dropout",
)  # fmt: skip

Rule = Callable[[RuleContext, Node, list[Any]], object]


def _unchanged(context: RuleContext, node: Node, args: list[Any]) -> object:
    return args[0]


RULES: dict[str, Rule] = {
    "conv2d": channel_rules.convolution,
    "convolution": channel_rules.convolution,
    "linear": channel_rules.linear,
    "addmm": channel_rules.addmm,
    "mm": channel_rules.matrix_product,
    "matmul": channel_rules.matrix_product,
    "batch_norm": channel_rules.batch_norm,
    "_native_batch_norm_legit_no_training": channel_rules.batch_norm,
    "add": channel_rules.addition,
    "sub": channel_rules.addition,
    "mul": channel_rules.product,
    "div": channel_rules.product,
    "neg": channel_rules.product,
    "layer_norm": channel_rules.layer_norm,
    "cat": channel_rules.concatenation,
    "pad": map_rules.padding,
    "constant_pad_nd": map_rules.padding,
    "avg_pool2d": map_rules.average_pool,
    "adaptive_avg_pool2d": map_rules.adaptive_average_pool,
    "mean": map_rules.mean,
    "max_pool2d": map_rules.max_pool,
    **dict.fromkeys(_REARRANGEMENTS, map_rules.rearrangement),
    **dict.fromkeys(_IDENTITIES, _unchanged),
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
        return rule(context, node, list(args))
    except KernelTooLargeError:
        where = context.network.place(node)
        return without_edges(inputs, f"{where} ({name}: its kernels would take too much memory)")
