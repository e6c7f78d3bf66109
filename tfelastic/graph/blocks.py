"""Finds residual parts that can be removed."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import keras

from tfelastic.graph.layer_graph import Block, Step
from tfelastic.graph.site import Tensor


def find_blocks(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[Block, ...]:
    """Return the residual parts: an addition whose one operand is computed from the other, of the same shape.

    Removing such a part puts the shortcut, the operand that the part starts from, in the place of the sum.
    """
    maker = {tensor.index: step for step in steps for tensor in step.outputs}
    users: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        for tensor in step.inputs:
            users[tensor.index].append(step)
    calls = Counter(id(step.op) for step in steps)
    kept = {tensor.index for tensor in outputs}
    blocks = []
    for step in steps:
        if not _adds(step) or calls[id(step.op)] > 1:
            continue
        for shortcut in (0, 1):
            start, branch = step.inputs[shortcut], step.inputs[1 - shortcut]
            part = _between(start, branch, maker)
            if part is None:
                continue
            alone = _only_used_by(step, part, users, kept)
            if alone:
                layers = tuple(s.path for s in steps if s in alone)
                blocks.append(
                    Block(step.path, layers, start.index, step.outputs[0].index, shortcut)
                )
    return tuple(blocks)


def _adds(step: Step) -> bool:
    adds = isinstance(step.op, keras.layers.Add) or type(step.op).__name__ == "Add"
    return adds and len(step.inputs) == 2 and step.inputs[0].shape == step.inputs[1].shape


def _between(start: Tensor, end: Tensor, maker: dict[int, Step]) -> set[Step] | None:
    """Return the steps that lead from `start` to `end`, or `None` where `end` has other origins too."""
    if start.index == end.index:
        return None
    part: set[Step] = set()
    open_tensors = [end]
    while open_tensors:
        tensor = open_tensors.pop()
        if tensor.index == start.index:
            continue
        if tensor.index not in maker:
            return None
        step = maker[tensor.index]
        if step not in part:
            part.add(step)
            open_tensors.extend(step.inputs)
    return part


def _only_used_by(
    end: Step, part: set[Step], users: dict[int, list[Step]], kept: set[int]
) -> set[Step]:
    """Return the steps of `part` that nothing needs once `end` no longer does."""
    alone = set(part)
    while True:
        needed = {
            step
            for step in alone
            for tensor in step.outputs
            if tensor.index in kept
            or any(user not in alone and user is not end for user in users[tensor.index])
        }
        if not needed:
            return alone
        alone -= needed
