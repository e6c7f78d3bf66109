"""Every operator that may write where it reads does so in TFLM, with equal outputs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from tests.support.tflite_builder import Cell, Node, tflite_file
from tflite_export.arena.allocations import allocations
from tflite_export.arena.in_place import IN_PLACE, oldest, youngest
from tflite_export.arena.placement import height, search
from tflite_export.arena.planning import check_plan
from tflite_export.errors import ConversionError
from tflite_export.runtimes.tflm import infer
from tflite_export.tflite import read_graph, with_memory_plan

SHAPE = (1, 3, 5, 7)
# What tflite-micro runs: the operators by the types that their reference kernels take.
TYPES = {
    (
        "int8",
        "int16",
        "float32",
        "int32",
    ): "ADD MAXIMUM MINIMUM MUL RESHAPE SQUARED_DIFFERENCE SQUEEZE SUB",
    ("int8", "int16", "float32"): "ABS EXPAND_DIMS LEAKY_RELU LOGISTIC PRELU RELU RELU6 TANH",
    ("int8", "float32", "int32"): "DIV",
    ("int8", "float32"): "ELU HARD_SWISH",
    ("int8", "int16"): "QUANTIZE",
    ("float32",): "CEIL COS EXP FLOOR LOG NEG ROUND RSQRT SIN SQRT SQUARE",
}
BINARY = {
    "ADD": "AddOptions",
    "DIV": "DivOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MUL": "MulOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "SUB": "SubOptions",
}
SHAPES = {"RESHAPE": (1, 105), "EXPAND_DIMS": (1, *SHAPE), "SQUEEZE": SHAPE[1:]}
CONSTANTS = {"RESHAPE": np.array([1, 105]), "EXPAND_DIMS": np.array([0])}
FIXED_OUTPUT = {
    ("LOGISTIC", "int8"): (1 / 256, -128),
    ("LOGISTIC", "int16"): (1 / 32768, 0),
    ("TANH", "int8"): (1 / 128, 0),
    ("TANH", "int16"): (1 / 32768, 0),
}


@dataclass(frozen=True)
class _Case:
    """One operator of one type, its second input as large as the first, a row of channels, or one number."""

    name: str
    dtype: str
    other: tuple[int, ...] | None = None

    def cells(self) -> list[Cell]:
        quantized, zero = self.dtype in ("int8", "int16"), 3 if self.dtype == "int8" else 0
        taken = (1 / 128, 0) if self.name == "TANH" else (0.05, zero) if quantized else (None, 0)
        given = FIXED_OUTPUT.get((self.name, self.dtype), taken)
        found = [Cell(self.dtype, SHAPE, *taken)]
        if self.other is not None:
            narrow = "int8" if (self.name, self.dtype) == ("PRELU", "int16") else self.dtype
            found.append(Cell(narrow, self.other, *taken))
        if (constant := CONSTANTS.get(self.name)) is not None:
            found.append(Cell("int32", constant.shape, values=constant))
        return [*found, Cell(self.dtype, SHAPES.get(self.name, SHAPE), *given)]


def _cases() -> Iterator[_Case]:
    for types, names in TYPES.items():
        for name in names.split():
            for dtype in types:
                if name in BINARY:
                    yield from (_Case(name, dtype, other) for other in (SHAPE, (1, 1, 1, 7), (1,)))
                else:
                    yield _Case(name, dtype, (1, 1, 7) if name == "PRELU" else None)


def _file(cases: list[_Case]) -> bytes:
    """Return one file with an operator for each case; none depends on another."""
    cells: list[Cell] = []
    nodes = []
    for case in cases:
        own = case.cells()
        numbers = range(len(cells), len(cells) + len(own))
        cells += own
        options, values = BINARY.get(case.name, ""), {}
        if case.name == "LEAKY_RELU":
            options, values = "LeakyReluOptions", {"alpha": 0.3}
        nodes.append(Node(case.name, tuple(numbers[:-1]), (numbers[-1],), options, values))
    inputs = [i for node in nodes for i in node.inputs if cells[i].values is None]
    return tflite_file(cells, nodes, inputs=inputs, outputs=[node.outputs[0] for node in nodes])


def _inputs(tflite: bytes) -> list[np.ndarray]:
    graph, rng, found = read_graph(tflite), np.random.default_rng(1), []
    for number in graph.inputs:
        tensor = graph.tensors[number]
        shape = (2, *tensor.shape[1:])
        if tensor.dtype == "float32":
            found.append(rng.uniform(0.1, 3, shape).astype("float32"))
        else:
            limits = np.iinfo(tensor.dtype)
            low, high = (1, 1000) if tensor.dtype == "int32" else (limits.min, limits.max)
            found.append(rng.integers(low, high, shape).astype(tensor.dtype))
    return found


@pytest.mark.parametrize("prefer", [youngest, oldest])
def test_every_operator_in_place_computes_the_same(prefer) -> None:
    tflite = _file(list(_cases()))
    graph, inputs = read_graph(tflite), _inputs(tflite)
    found = allocations(graph, in_place=prefer)
    layout, offsets = search(found), [-1] * len(graph.tensors)
    for each, offset in zip(found, layout, strict=True):
        for tensor in each.tensors:
            offsets[tensor] = offset
    over = {
        operator.name
        for operator in graph.operators
        if offsets[operator.outputs[0]] in [offsets[i] for i in operator.inputs]
    }
    assert over == IN_PLACE
    expected, received = infer(tflite, inputs), infer(with_memory_plan(tflite, offsets), inputs)
    for operator, one, other in zip(
        graph.operators, expected.outputs, received.outputs, strict=True
    ):
        np.testing.assert_array_equal(one, other, err_msg=operator.name)
        assert len(np.unique(one)) > 1
    assert received.activation_bytes == height(found, layout) < expected.activation_bytes


def test_a_broadcast_input_a_live_one_and_an_output_are_not_written_over() -> None:
    tensor, row = Cell("float32", SHAPE), Cell("float32", (1, 1, 1, 7))
    # 0 is read again by the second operator, 2 is returned; the row holds fewer values than the sum.
    nodes = [
        Node("ADD", (0, 1), (2,), "AddOptions"),
        Node("MUL", (0, 1), (3,), "MulOptions"),
        Node("ADD", (2, 3), (4,), "AddOptions"),
    ]
    tflite = tflite_file([tensor, row, *[tensor] * 3], nodes, inputs=[0, 1], outputs=[2, 4])
    joined = {each.tensors for each in allocations(read_graph(tflite), in_place=youngest)}
    assert joined == {(1,), (2,), (0, 3, 4)}


def test_a_kernel_that_reads_what_it_has_overwritten_is_found_out() -> None:
    tensor = Cell("float32", SHAPE)
    pooling = {"strideW": 1, "strideH": 1, "filterWidth": 3, "filterHeight": 3}
    node = Node("MAX_POOL_2D", (0,), (1,), "Pool2DOptions", pooling)
    tflite = tflite_file([tensor, tensor], [node], inputs=[0], outputs=[1])
    with pytest.raises(ConversionError, match="other outputs on 2 random samples by the memory"):
        check_plan(tflite, with_memory_plan(tflite, [0, 0]), limit_bytes=432)
    apart = with_memory_plan(tflite, [0, 432])
    check_plan(tflite, apart, limit_bytes=864)
    with pytest.raises(
        ConversionError, match="takes 864 bytes of activations by a memory plan of 8"
    ):
        check_plan(tflite, apart, limit_bytes=848)
