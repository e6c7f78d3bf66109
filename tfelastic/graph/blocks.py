"""Finds residual parts that can be removed, and says of the others why they cannot."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import keras

from tfelastic.graph.elements import Block, Step
from tfelastic.graph.layer_call import Tensor
from tfelastic.graph.layer_graph import LayerGraph


def find_blocks(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[Block, ...]:
    """Return the residual parts: an addition whose one operand is computed from the other, of the same shape.

    Removing such a part puts the shortcut, the operand that the part starts from, in the place of the sum. Parts
    may lie within one another, and a plan may remove both.

    Source: Wu et al., arXiv 2312.16904, calls a block valid when its input and output have the same shape.
    """
    wiring = _Wiring(steps, outputs)
    return tuple(block for step in steps if (block := wiring.block_at(step)))


def residuals_kept(graph: LayerGraph) -> dict[str, str]:
    """Return the residual parts of a graph that are no blocks: for each addition's path the reason.

    A sum of tensors that have no origin in common is no residual part and is left out.
    """
    wiring = _Wiring(graph.steps, graph.outputs)
    return {
        step.path: reason
        for step in graph.steps
        if _adds(step) and not wiring.block_at(step) and (reason := wiring.reason_at(step))
    }


class _Wiring:
    """Who makes and who uses each tensor. Tensors are numbered in execution order, so origins have smaller numbers."""

    def __init__(self, steps: Sequence[Step], outputs: Sequence[Tensor]) -> None:
        self._steps = steps
        self._maker = {tensor.index: step for step in steps for tensor in step.outputs}
        self._users: dict[int, list[Step]] = defaultdict(list)
        for step in steps:
            for tensor in step.inputs:
                self._users[tensor.index].append(step)
        self._calls = Counter(id(step.op) for step in steps)
        self._kept = {tensor.index for tensor in outputs}

    def block_at(self, step: Step) -> Block | None:
        """Return the block that ends in the addition `step`, if one does."""
        if not _adds(step) or self._calls[id(step.op)] > 1 or not _alike(step):
            return None
        for shortcut, start, branch in _readings(step):
            part = self._between(start, branch)
            if part and (alone := self._only_used_by(step, part)):
                layers = self._own_layers(alone)
                return Block(step.path, layers, start.index, step.outputs[0].index, shortcut)
        return None

    def reason_at(self, step: Step) -> str | None:
        """Return why the addition `step` ends no block; `None` where its operands have no origin in common."""
        origins = [self._origins(tensor) for tensor in step.inputs]
        common = set.intersection(*origins)
        if not common:
            return None
        if self._calls[id(step.op)] > 1:
            return f"its addition is called {self._calls[id(step.op)]} times"
        if not _alike(step):
            shapes = " and ".join(str(tensor.shape[1:]) for tensor in step.inputs)
            return f"it adds tensors of shapes {shapes}; a block adds two of one shape"
        start = max(common)
        if _scales(step) and start == step.inputs[1].index:
            return "its shortcut is the operand that the addition scales"
        for _, shortcut, branch in _readings(step):
            if start == shortcut.index == branch.index:
                return "it adds a tensor to itself"
            if start == shortcut.index:
                others = ", ".join(self._other_origins(start, branch))
                return (
                    f"its part does not start from the shortcut alone, but also from {others}"
                    if others
                    else "all that it computes is needed elsewhere too"
                )
        return self._projection(step, start)

    def _projection(self, step: Step, start: int) -> str:
        before = self._shape(start)
        if before != step.outputs[0].shape[1:]:
            return f"it starts with shape {before} and ends with {step.outputs[0].shape[1:]}"
        ways = [self._between_index(start, tensor) for tensor in step.inputs]
        layers = [s.path for s in min(ways, key=len)]
        return f"its shortcut is no copy of what enters, but passes through {', '.join(layers)}"

    def _shape(self, index: int) -> tuple[int | None, ...]:
        tensors = (t for step in self._steps for t in (*step.inputs, *step.outputs))
        return next(tensor.shape[1:] for tensor in tensors if tensor.index == index)

    def _between(self, start: Tensor, end: Tensor) -> set[Step] | None:
        """Return the steps that lead from `start` to `end`, or `None` where `end` has other origins too."""
        part: set[Step] = set()
        open_tensors = [end.index]
        while open_tensors:
            index = open_tensors.pop()
            if index == start.index:
                continue
            if index < start.index or index not in self._maker:
                return None
            step = self._maker[index]
            if step not in part:
                part.add(step)
                open_tensors.extend(tensor.index for tensor in step.inputs)
        return part

    def _between_index(self, start: int, end: Tensor) -> list[Step]:
        """Return, in order, the steps on the ways from tensor number `start` to `end`."""
        from_start = self._reached_from(start)
        origins = self._origins(end)
        return [
            step
            for step in self._steps
            if any(t.index in origins and t.index in from_start for t in step.outputs)
        ]

    def _origins(self, end: Tensor) -> set[int]:
        """Return the numbers of `end` and of every tensor that it is computed from."""
        found: set[int] = set()
        open_tensors = [end.index]
        while open_tensors:
            index = open_tensors.pop()
            if index not in found:
                found.add(index)
                if index in self._maker:
                    open_tensors.extend(t.index for t in self._maker[index].inputs)
        return found

    def _reached_from(self, start: int) -> set[int]:
        """Return the numbers of the tensors that are computed from tensor number `start`."""
        reached = {start}
        for step in self._steps:
            if any(tensor.index in reached for tensor in step.inputs):
                reached.update(tensor.index for tensor in step.outputs)
        return reached - {start}

    def _other_origins(self, start: int, end: Tensor) -> Iterator[str]:
        """Yield who makes the tensors that join the way from `start` to `end` from outside."""
        inside = {start, *self._reached_from(start)}
        entering = {
            tensor.index: None
            for step in self._between_index(start, end)
            for tensor in step.inputs
            if tensor.index not in inside
        }
        for index in entering:
            yield self._maker[index].path if index in self._maker else "an input of the model"

    def _only_used_by(self, end: Step, part: set[Step]) -> set[Step]:
        """Return the steps of `part` that nothing needs once `end` no longer does."""
        alone = set(part)
        while True:
            needed = {
                step
                for step in alone
                for tensor in step.outputs
                if tensor.index in self._kept
                or any(user not in alone and user is not end for user in self._users[tensor.index])
            }
            if not needed:
                return alone
            alone -= needed

    def _own_layers(self, alone: set[Step]) -> tuple[str, ...]:
        """Return the paths of the layers that are called within `alone` only."""
        calls = Counter(id(step.op) for step in alone)
        own = (
            s.path for s in self._steps if s in alone and calls[id(s.op)] == self._calls[id(s.op)]
        )
        return tuple(dict.fromkeys(own))


def _adds(step: Step) -> bool:
    """Whether the step is an `Add` layer, `keras.ops.add`, `+` or a scaled addition, of two tensors or more."""
    # A subclass that adds in a way of its own has no rule.
    if step.opaque:
        return False
    operator = not isinstance(step.op, keras.Layer) and type(step.op).__name__ == "Add"
    adds = operator or isinstance(step.op, keras.layers.Add) or _scales(step)
    return adds and len(step.inputs) > 1


def _scales(step: Step) -> bool:
    """Whether the step is Inception-ResNet's addition, which multiplies its second operand by a constant."""
    kind = type(step.op)
    return f"{kind.__module__}.{kind.__name__}".endswith("inception_resnet_v2.CustomScaleLayer")


def _alike(step: Step) -> bool:
    return len(step.inputs) == 2 and step.inputs[0].shape == step.inputs[1].shape


def _readings(step: Step) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield how a sum can be read: which operand is the shortcut, that operand, and the other."""
    first, second = step.inputs
    yield 0, first, second
    if not _scales(step):
        yield 1, second, first
