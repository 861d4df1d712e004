"""Rules for norms: batch norm is linear, others are with their statistics held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.exactness import centre, only
from circuitkb.loaders.composition.linear_form import LinearForm
from circuitkb.loaders.composition.rules.channels import computed, convolved
from circuitkb.loaders.composition.rules.context import (
    Held,
    RuleContext,
    argument,
    by_element,
    operation_name,
    scaled,
    shape_of,
)


def batch_norm(context: RuleContext, node: Node, args: list[Any]) -> object:
    """Batch norm with fixed statistics; the functional form gives several tensors."""
    form, weight, bias, mean, variance = args[:5]
    several = operation_name(node) != "batch_norm"
    eps = args[-1] if several else args[7]
    training = not several and bool(args[5])
    if computed(args[1:]) or training or not isinstance(variance, Tensor):
        unknown = context.unknown(node, args, "its statistics or factors are computed")
        return [unknown] if several else unknown
    factor = (variance.double() + eps).rsqrt()
    if weight is not None:
        factor = factor * weight.double()
    constant = form.constant
    if constant is not None:
        constant = torch.nn.functional.batch_norm(
            constant, mean, variance, weight, bias, False, 0.0, eps
        )
    ndim = node.all_input_nodes[0].meta["val"].ndim
    spread = factor.float().reshape(-1, *[1] * (ndim - 2))
    result: LinearForm | None
    if form.layout in ("ncyx", "nc", "nct"):
        result = scaled(form, factor.float(), constant)
    else:
        result = by_element(form, spread, constant)
    if result is None:  # nothing is known of its axes but this: the second one has channels
        result = context.untracked(node, [form], args, _channels_second(node))
    return [result] if several else result


def _channels_second(node: Node) -> LinearForm | None:
    shape = shape_of(node.all_input_nodes[0])
    if shape[0] != 1 or len(shape) not in (3, 4):
        return None
    return LinearForm(
        shape[1], shape[2], shape[3] if len(shape) == 4 else 1, "ncyx" if len(shape) == 4 else "nct"
    )


def layer_norm(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Layer norm over channels, its denominator held at the centre of the reference image."""
    form = args[0]
    weight, bias, eps = argument(args, 2), argument(args, 3), argument(args, 4, 1e-5)
    if computed(args[2:]):
        return context.unknown(node, args, "its factors are computed")
    if len(args[1]) != 1:
        return context.unknown(node, [form], "over more than the last axis")
    size = int(args[1][0])
    read = node.all_input_nodes[0]
    reference = context.references[read]
    deviation = (reference.double().var(-1, correction=0, keepdim=True) + eps).sqrt()
    scale = torch.ones(size, dtype=torch.float64) if weight is None else weight.double()

    def held(value: Tensor) -> Tensor:
        centred = value - value.mean(-1, keepdim=True)
        return torch.mul(centred, (scale / deviation).to(value.dtype))

    context.held[node] = Held((read,), held)
    constant = form.constant
    if constant is not None:
        constant = held(constant)
        if isinstance(bias, Tensor):
            constant = constant + bias
    if form.layout is None or not form.layout.endswith("c"):
        return _held_anywhere(context, node, args, form, constant)
    by_place = deviation.reshape(form.rows, form.columns)
    middle = (centre(form.rows), centre(form.columns))
    factor = scale / by_place[middle]
    centring = torch.eye(size, dtype=torch.float64) - 1.0 / size
    matrix = (factor[:, None] * centring).float()
    result = gated(
        convolved(
            context,
            node,
            form,
            matrix[:, :, None, None],
            constant=constant,
            layout=form.layout,
        )
    )
    if bool((by_place == by_place[middle]).all()):
        return result
    narrow = (only(form.rows, middle[0]), only(form.columns, middle[1]))
    return replace(result, parts=tuple(part.narrowed(*narrow) for part in result.parts))


def _held_anywhere(
    context: RuleContext, node: Node, args: list[Any], form: LinearForm, constant: Tensor | None
) -> LinearForm:
    """A norm over the last axis of a tensor whose channels stand elsewhere, or nobody knows."""
    shape = shape_of(node)
    like = form if form.placed else None
    if like is None and shape[0] == 1 and len(shape) in (2, 3, 4):
        layout = {4: "nyxc", 3: "ntc", 2: "nc"}[len(shape)]
        size = dict(zip(layout, shape, strict=True))
        like = LinearForm(size["c"], size.get("y", size.get("t", 1)), size.get("x", 1), layout)
    return replace(context.untracked(node, [form], args, like), constant=constant)


def group_norm(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Group norm: mean and deviation of each group held at the reference image."""
    groups, weight, bias, eps = args[1], argument(args, 2), argument(args, 3), argument(args, 4)
    return _over_groups(context, node, args, int(groups), weight, bias, eps or 1e-5)


def instance_norm(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Instance norm: of each channel's own map, held at the reference, or with fixed statistics."""
    form, weight, bias, _, variance, from_map, _, eps = args[:8]
    if not from_map and not computed(args[1:]):
        factor = (variance.double() + eps).rsqrt()
        factor = factor if weight is None else factor * weight.double()
        if form.layout in ("ncyx", "nct"):
            return scaled(form, factor.float(), context.constant(node, args))
    channels = shape_of(node)[1]
    return _over_groups(context, node, args, channels, weight, bias, eps)


def _over_groups(
    context: RuleContext,
    node: Node,
    args: list[Any],
    groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> LinearForm:
    form, read = args[0], node.all_input_nodes[0]
    if isinstance(weight, LinearForm) or isinstance(bias, LinearForm):
        return context.unknown(node, args, "its factors are computed")
    reference = context.references[read].double()
    by_group = reference.reshape(len(reference), groups, -1)
    shape = (1, reference.shape[1], *[1] * (reference.ndim - 2))

    def spread(value: Tensor) -> Tensor:
        return value.repeat_interleave(reference.shape[1] // groups, dim=1).reshape(shape)

    deviation = spread((by_group.var(-1, correction=0) + eps).sqrt())
    mean = spread(by_group.mean(-1))
    factor = 1.0 / deviation
    if weight is not None:
        factor = factor * weight.double().reshape(shape)
    held_factor = factor.float()
    context.also_held.add("so are means and deviations of group and instance norms")
    context.held[node] = Held((read,), lambda value: value * held_factor)
    constant = form.constant
    if constant is not None:
        constant = ((constant.double() - mean) * factor).float()
        if bias is not None:
            constant = constant + bias.reshape(shape)
    result = by_element(form, held_factor, constant)
    if result is None:
        like = _channels_second(node)
        return replace(context.untracked(node, [form], args, like), constant=constant)
    return gated(result)


def gated(form: LinearForm) -> LinearForm:
    """Mark every part: from here on the map holds near the reference image only."""
    return replace(form, parts=tuple(replace(part, gated=True) for part in form.parts))
