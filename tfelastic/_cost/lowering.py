"""What TensorFlow Lite's converter makes of a graph: the operations that a device runs, and the values between them.

The converter is not asked: its habits are written down here, so that a plan is priced before anything is built, and
without TensorFlow. In short:

- Layers that only matter in training (Dropout, noise) vanish.
- BatchNorm, or any other factor and shift per channel, is folded into the convolution or dense layer right before
  it, if nothing else reads that layer's output. Elsewhere it becomes a MUL and an ADD; a factor without a shift is
  folded into a convolution that follows.
- ReLU and ReLU6 are fused into the operation right before them, under the same condition; what is rectified already,
  as where a block was removed between two of them, is not rectified again.
- A padding layer goes where the convolutions that read it can pad by "same" in its place (`padding`); elsewhere it
  stays a PAD with a value of its own. So do Rescaling and Normalization, as a MUL and an ADD.
- Of equal activations and poolings of one tensor the first is kept.
- Flatten and Reshape become a RESHAPE; an addition of n tensors becomes n - 1 ADDs.
- A layer over one axis is its two-dimensional twin between two RESHAPEs; a RESHAPE that undoes the one before it goes.
- Branches run in the order of their layers' names (`order`).

What a layer becomes on its own is listed in `layer_operations`. One that is not there is taken for one operation that
reads its inputs and makes its outputs. That is a guess, and so said (`Lowered.guessed`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from tfelastic._cost.duplicates import duplicates
from tfelastic._cost.layer_operations import (
    ACTIVATIONS,
    AFFINE,
    FOLDING,
    FUSED,
    FUSING,
    KINDS,
    KNOWN,
    ONE_AXIS,
    PAIRWISE,
    PARTS,
    RESIZING,
    VANISHING,
    Part,
    activation_name,
    adds_shift,
    kind_of,
    parts_of,
    row_factor,
)
from tfelastic._cost.order import converted_order
from tfelastic._cost.padding import is_empty, is_padding, is_same
from tfelastic._plan import Selection
from tfelastic.graph import Step, Tensor


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of the file.

    Attributes:
        kind: TensorFlow Lite's name for it, such as `CONV_2D`; a Keras class name where that is not known.
        step: The call that it carries out, or a part of it.
        reads: The numbers of the values that it reads.
        makes: The numbers of the values that it makes.
        absorbed: The calls that are folded or fused into it, in execution order.
    """

    kind: str
    step: Step
    reads: tuple[int, ...]
    makes: tuple[int, ...]
    absorbed: list[Step] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Lowered:
    """A graph under a plan as a device runs it.

    Attributes:
        operations: What it runs, in order.
        sizes: How many numbers each value holds, per sample.
        inputs: The values that enter.
        outputs: The values that leave.
    """

    operations: tuple[Operation, ...]
    sizes: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def guessed(self) -> frozenset[str]:
        """The paths of the layers of which it is not known what the converter makes of them."""
        return frozenset(each.step.path for each in self.operations if each.kind not in KNOWN)


def lower(selection: Selection) -> Lowered:
    """Return the operations that a device runs for a graph under a plan."""
    return _Lowering(selection).run()


class _Lowering:
    """Walks the steps once and remembers which value carries each tensor."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._sources = selection.sources
        order = converted_order(selection)
        self._duplicates = duplicates(order, self._sources)
        self._steps = [step for step in order if step.outputs[0].index not in self._duplicates]
        self._readers: dict[int, list[Step | None]] = defaultdict(list)
        for step in self._steps:
            for tensor in step.inputs:
                self._readers[self._source(tensor)].append(step)
        for tensor in selection.graph.outputs:
            self._readers[self._source(tensor)].append(None)
        self._carrier: dict[int, int] = {}
        self._sizes: list[int] = []
        self._inputs: list[int] = []
        self._operations: list[Operation] = []
        self._maker: dict[int, Operation] = {}
        # For what a layer over one axis makes: the value inside, before its last axis is dropped.
        self._inside: dict[int, int] = {}
        # By which activation each value was rectified by the operation that makes it.
        self._rectified: dict[int, str] = {}

    def run(self) -> Lowered:
        for step in self._steps:
            self._lower(step)
        outputs = tuple(self._value(tensor) for tensor in self._selection.graph.outputs)
        return Lowered(tuple(self._operations), tuple(self._sizes), tuple(self._inputs), outputs)

    def _lower(self, step: Step) -> None:
        kind = kind_of(step)
        reads = tuple(self._read(step, tensor) for tensor in step.inputs)
        if kind in VANISHING or self._pads_elsewhere(step):
            makes = reads
        elif kind in AFFINE:
            makes = self._scale(step, reads[0], kind)
        elif kind in ACTIVATIONS:
            makes = self._activate(step, reads)
        else:
            makes = self._compute(step, kind, reads)
            # What no rule describes, such as an LSTM, is one operation with its activation inside.
            if not step.opaque and len(makes) == 1:
                makes = self._activate(step, makes)
        self._carrier |= {t.index: v for t, v in zip(step.outputs, makes, strict=True)}

    def _read(self, step: Step, tensor: Tensor) -> int:
        """Return the value that a step reads; a convolution that pads by itself reads what a PAD before it reads."""
        value = self._value(tensor)
        maker = self._maker.get(value)
        if maker is not None and maker.kind == "PAD" and is_padding(maker.step.op):
            return maker.reads[0] if is_same(self._selection, maker.step, step) else value
        return value

    def _pads_elsewhere(self, step: Step) -> bool:
        """Return whether a step is a padding layer that adds nothing, or all whose readers pad in its place."""
        if not is_padding(step.op):
            return False
        readers = self._readers[self._source(step.outputs[0])]
        return is_empty(step.op) or all(is_same(self._selection, step, each) for each in readers)

    def _compute(self, step: Step, kind: str, reads: tuple[int, ...]) -> tuple[int, ...]:
        """Emit what a layer does before its activation."""
        name = KINDS.get(kind, kind)
        if kind in ONE_AXIS:
            return self._compute_on_one_axis(step, kind, reads[0])
        resizing = RESIZING.get((kind, getattr(step.op, "interpolation", "")))
        if resizing:
            # Resizing has an operation of its own; only repeating rows and columns takes several.
            return self._emit(resizing, step, reads, [self._size(step.outputs[0])])
        if kind in PARTS:
            return self._emit_parts(step, parts_of(step, kind), reads[0])
        if name not in PAIRWISE or len(reads) < 2:
            return self._emit(name, step, reads, [self._size(tensor) for tensor in step.outputs])
        makes = reads[:1]
        for other in reads[1:]:
            makes = self._emit(name, step, (*makes, other), [self._size(step.outputs[0])])
        return self._scale(step, makes[0], kind) if kind == "Average" else makes

    def _compute_on_one_axis(self, step: Step, kind: str, value: int) -> tuple[int, ...]:
        """Emit a layer over one axis: its operation in two dimensions, between two RESHAPEs."""
        if getattr(step.op, "padding", "") == "causal":
            (value,) = self._emit("PAD", step, (value,), [self._sizes[value]])
        before = self._inside.get(value)
        if before is not None and self._undo_reshape(step, value):
            value = before
        else:
            (value,) = self._emit("RESHAPE", step, (value,), [self._sizes[value]])
        size = self._size(step.outputs[0])
        for name, length in ONE_AXIS[kind]:
            sizes = [size if length == "out" else self._wide(step)]
            (value,) = self._emit(name, step, (value,), sizes)
        (result,) = self._emit("RESHAPE", step, (value,), [size])
        self._inside[result] = value
        return (result,)

    def _undo_reshape(self, step: Step, value: int) -> bool:
        """Leave out the RESHAPE that made a value, if only `step` reads it, and say whether it was left out."""
        maker = self._maker.get(value)
        if maker is None or maker.kind != "RESHAPE":
            return False
        if maker.step is not step and len(self._readers[self._source(maker.step.outputs[0])]) > 1:
            return False
        self._operations.remove(maker)
        self._sizes[value] = 0
        return True

    def _activate(self, step: Step, makes: tuple[int, ...]) -> tuple[int, ...]:
        """Fuse a step's activation into the operation before it, or emit it."""
        name = activation_name(step.op)
        if name == "linear":
            return makes
        if self._rectified.get(makes[0]) == name:
            return makes
        if name in FUSED and self._absorb(step, makes[0], FUSING):
            self._rectified[makes[0]] = name
            return makes
        parts = PARTS.get(name, ((KINDS.get(name, name.upper()), (0,), "out"),))
        return self._emit_parts(step, parts, makes[0])

    def _scale(self, step: Step, value: int, kind: str) -> tuple[int, ...]:
        """Fold a factor and shift per channel into a convolution beside it, or emit them."""
        shifts = kind != "Average" and adds_shift(step.op)
        only = self._only_reader(step)
        padded = only is not None and self._pads_elsewhere(only)
        if only is not None and padded:
            only = self._only_reader(only)
        follows = only is not None and KINDS.get(type(only.op).__name__) in FOLDING
        # One number added everywhere is folded too, where no margin of zeros comes between.
        padding = getattr(only.op, "padding", "") if only is not None and not padded else ""
        if follows and kind == "Rescaling" and padding == "valid":
            return (value,)
        if self._absorb(step, value, FOLDING) or (follows and not shifts):
            return (value,)
        parts = "affine" if shifts else "factor"
        return self._emit_parts(
            step, PARTS["normalization" if kind == "Normalization" else parts], value
        )

    def _only_reader(self, step: Step) -> Step | None:
        """Return the step that alone reads what a step makes, if it is one."""
        readers = self._readers[self._source(step.outputs[0])]
        return readers[0] if len(readers) == 1 else None

    def _absorb(self, step: Step, value: int, kinds: frozenset[str]) -> bool:
        """Let the operation that made `value` take a step up, if it can and nothing else sees the value."""
        maker = self._maker.get(self._inside.get(value, value))
        if maker is None or maker.kind not in kinds or value in self._rectified:
            return False
        if maker.step is not step:
            if len(self._readers[self._source(step.inputs[0])]) > 1:
                return False
            maker.absorbed.append(step)
        return True

    def _emit_parts(self, step: Step, parts: Sequence[Part], value: int) -> tuple[int, ...]:
        sizes = {"in": self._sizes[value], "out": self._size(step.outputs[0])}
        sizes["rows"] = sizes["in"] * row_factor(step.op)
        sizes["position"] = sizes["out"] // (self._selection.shape(step.outputs[0])[-1] or 1)
        values = [value]
        for kind, reads, size in parts:
            length = sizes[size] if size in sizes else self._wide(step)
            values += self._emit(kind, step, tuple(values[i] for i in reads), [length])
        return (values[-1],)

    def _emit(
        self, kind: str, step: Step, reads: tuple[int, ...], sizes: Sequence[int]
    ) -> tuple[int, ...]:
        if kind == "RESHAPE":
            # Two in a row are one.
            source = self._maker.get(reads[0])
            if source is not None and self._undo_reshape(step, reads[0]):
                reads = source.reads
        operation = Operation(kind, step, reads, tuple(self._new(size) for size in sizes))
        self._operations.append(operation)
        self._maker |= dict.fromkeys(operation.makes, operation)
        return operation.makes

    def _value(self, tensor: Tensor) -> int:
        """Return the value that carries a tensor; a tensor that no step makes enters from outside."""
        source = self._source(tensor)
        if source not in self._carrier:
            self._carrier[source] = self._new(self._size(tensor))
            self._inputs.append(self._carrier[source])
        return self._carrier[source]

    def _source(self, tensor: Tensor) -> int:
        source = self._sources.get(tensor.index, tensor.index)
        return self._duplicates.get(source, source)

    def _new(self, size: int) -> int:
        self._sizes.append(size)
        return len(self._sizes) - 1

    def _size(self, tensor: Tensor) -> int:
        return prod(length or 0 for length in self._selection.shape(tensor)[1:])

    def _wide(self, step: Step) -> int:
        """Return the size of what lies between the two halves of a separable convolution."""
        before, after = (self._selection.shape(t) for t in (step.inputs[0], step.outputs[0]))
        channel = 1 if step.op.data_format == "channels_first" else -1
        filters, inputs = after[channel] or 1, before[channel] or 0
        return self._size(step.outputs[0]) // filters * inputs * step.op.depth_multiplier
