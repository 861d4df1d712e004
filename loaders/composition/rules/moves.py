"""Rules for moving elements about: views, permutations, slices, and tensors put side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from circuitkb.loaders.composition.linear_form import LinearForm, Part
from circuitkb.loaders.composition.rules.context import RuleContext, argument, forms_in, shape_of
from circuitkb.loaders.composition.rules.rearrangement import element_numbers, rearranged


def rearrangement(context: RuleContext, node: Node, args: list[Any]) -> object:
    """Views, permutations, slices, splits: the operation runs on element numbers itself."""
    form = args[0]
    if not isinstance(form, LinearForm) or len(forms_in(tree_leaves(args))) > 1:
        return context.unknown(node, args, "by a computed index")
    numbers = element_numbers(form)
    if numbers is None or numbers.shape != shape_of(node.all_input_nodes[0]):
        return _of_unknown_axes(context, node, args)
    # Contiguous, because a copy that a later view relies on is skipped as an identity.
    operation: Any = node.target
    moved = operation(numbers.contiguous(), *args[1:], **node.kwargs)
    constant: Any = None
    if form.constant is not None:
        constant = operation(form.constant.contiguous(), *args[1:], **node.kwargs)
    if isinstance(moved, Tensor):
        return rearranged(form, moved, constant)
    constants = constant if constant is not None else [None] * len(moved)
    return [rearranged(form, m, c) for m, c in zip(moved, constants, strict=True)]


def _of_unknown_axes(context: RuleContext, node: Node, args: list[Any]) -> object:
    value = node.meta["val"]
    result = context.untracked(node, args, args)
    if isinstance(value, Tensor):
        return result
    operation: Any = node.target
    constant = args[0].constant
    constants = [None] * len(value)
    if constant is not None:
        constants = operation(constant, *args[1:], **node.kwargs)
    return [replace(result, constant=one) for one in constants]


def concatenation(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``cat`` along channels; along positions the kernels differ from place to place."""
    values, axis = list(args[0]), int(argument(args, 1, 0))
    forms = [value for value in values if isinstance(value, LinearForm)]
    operands = [operand for operand in node.args[0] if isinstance(operand, Node)]  # type: ignore[union-attr]
    shape = shape_of(node)
    layouts = {form.layout for form in forms if form.placed}
    layout = layouts.pop() if len(layouts) == 1 else None
    if layout is None or shape[0] != 1:
        return context.untracked(node, values, args)
    sized = next(form for form in forms if form.placed)
    same = {(form.rows, form.columns) for form in forms if form.placed}
    if layout[axis % len(layout)] != "c" or len(same) > 1:
        size = dict(zip(layout, shape, strict=True))
        places = size.get("y", size.get("t", 1)), size.get("x", 1)
        like = LinearForm(size["c"], *places, layout) if "c" in size else None
        return context.untracked(node, values, args, like)
    parts: list[Part] = []
    start = 0
    for operand, value in zip(operands, values, strict=True):
        channels = shape_of(operand)[axis]
        if isinstance(value, LinearForm):
            place = torch.arange(start, start + channels)
            parts += [moved for part in value.parts if (moved := part.select(place)) is not None]
        start += channels
    return LinearForm(
        start,
        sized.rows,
        sized.columns,
        layout,
        tuple(parts),
        context.constant(node, args),
        frozenset[str]().union(*(form.missing for form in forms)),
        untracked=frozenset[str]().union(*(form.untracked for form in forms)),
    )
