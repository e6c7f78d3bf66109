"""Scratch of the kernel libraries, worked out by hand from their published formulas."""

import pytest

import tflite_export as tx
from tests.support.tflite_builder import Cell, Node, tflite_file
from tflite_export.arena import KERNELS, get_kernels
from tflite_export.tflite import read_graph

SAME, VALID = 0, 1


def _asked(library: str, tflite: bytes) -> tuple[int, ...]:
    graph = read_graph(tflite)
    return tuple(get_kernels(library).scratch(graph, graph.operators[0]))


def _convolution(
    taken: tuple[int, int, int],
    kernel: tuple[int, int],
    outputs: int,
    *,
    stride: int = 1,
    padding: int = SAME,
    dtype: str = "int8",
) -> bytes:
    height, width, channels = taken
    grown = padding == VALID
    given = [
        -(-(n - grown * (k - 1)) // stride) for n, k in zip((height, width), kernel, strict=True)
    ]
    cells = [
        Cell(dtype, (1, *taken)),
        Cell("int8", (outputs, *kernel, channels)),
        Cell(dtype, (1, *given, outputs)),
    ]
    options = {"strideH": stride, "strideW": stride, "padding": padding}
    node = Node("CONV_2D", (0, 1), (2,), "Conv2DOptions", options)
    return tflite_file(cells, [node], inputs=[0, 1], outputs=[2])


def _depthwise(taken: tuple[int, int, int], kernel: int, *, multiplier: int = 1) -> bytes:
    height, width, channels = taken
    outputs = channels * multiplier
    cells = [
        Cell("int8", (1, *taken)),
        Cell("int8", (1, kernel, kernel, outputs)),
        Cell("int8", (1, height, width, outputs)),
    ]
    options = {"strideH": 1, "strideW": 1, "padding": SAME, "depthMultiplier": multiplier}
    node = Node("DEPTHWISE_CONV_2D", (0, 1), (2,), "DepthwiseConv2DOptions", options)
    return tflite_file(cells, [node], inputs=[0, 1], outputs=[2])


# The arguments of a convolution, and what it asks of CMSIS-NN with DSP, with Helium, and of ESP-NN.
CONVOLUTIONS = [
    # 5x5 over 8 channels: two columns of 200 int16; four of 208 int8; the window is row by row 40 wide.
    (
        ((12, 12, 8), (5, 5), 8),
        800,
        832,
        16 * 16 * 8 + 25 * 16 * 8 + 48 * 5 * 8 + 16 * 16 * 8 + 64 + 32,
    ),
    # 3x3 over 3: 27 values are padded to 28 and to 32; ESP-NN gathers, for a row is shorter than 16.
    (((16, 16, 3), (3, 3), 8), 2 * 2 * 28, 4 * 32, 4 * 8 + 16 + 8 * 32 + 16 + 32 + 64),
    # 1x1: nothing; ESP-NN copies a kernel and, of 12 channels, the padded input.
    (((8, 8, 16), (1, 1), 8), None, None, 16 * 8 + 2 * 8 * 16 + 64),
    (((8, 8, 12), (1, 1), 8), None, None, 64 * 16 + 16 * 8 + 2 * 8 * 16 + 64),
    # One row: Helium keeps a window with its padding instead of columns.
    (((1, 32, 8), (1, 3), 8), 2 * 2 * 24, 24 + 8, 34 * 8 + 3 * 16 * 8 + 32 * 8 + 34 * 8 + 64 + 32),
]


@pytest.mark.parametrize(("arguments", "dsp", "mve", "esp"), CONVOLUTIONS)
def test_what_convolutions_ask_for(arguments, dsp, mve, esp) -> None:
    tflite = _convolution(*arguments)
    wanted = {"reference": None, "cmsis-nn": dsp, "cmsis-nn-mve": mve, "esp-nn": esp}
    assert {name: _asked(name, tflite) for name in wanted} == {
        name: () if size is None else (size,) for name, size in wanted.items()
    }


def test_int16_and_float_convolutions_ask_for_their_own() -> None:
    tflite = _convolution((12, 12, 8), (5, 5), 8, dtype="int16")
    assert _asked("cmsis-nn", tflite) == (2 * 200 * 2,)
    assert _asked("cmsis-nn-mve", tflite) == (4 * 200 * 2,)
    floats = _convolution((12, 12, 8), (5, 5), 8, dtype="float32")
    assert all(_asked(name, floats) == () for name in KERNELS)


@pytest.mark.parametrize(
    ("arguments", "dsp", "mve", "esp"),
    [
        # 3x3 has a kernel of its own with DSP; ESP-NN pads the input of 16 channels, 18x18.
        (((16, 16, 16), 3), None, 4 * 124 * 9, 9 * 16 + 18 * 18 * 16 + 16),
        (((16, 16, 16), 5), 2 * 16 * 25, 4 * 124 * 25, 2 * (25 * 16 + 4096) + 32),
        # Too large for that: three rows at a time.
        (((64, 64, 16), 3), None, 4 * 124 * 9, 9 * 16 + 66 * 3 * 16 + 16),
        (((16, 16, 8), 3), None, 4 * 124 * 9, 2 * (9 * 8 + 2048) + 32),
    ],
)
def test_what_depthwise_convolutions_ask_for(arguments, dsp, mve, esp) -> None:
    tflite = _depthwise(*arguments)
    wanted = {"cmsis-nn": dsp, "cmsis-nn-mve": mve, "esp-nn": esp}
    assert {name: _asked(name, tflite) for name in wanted} == {
        name: () if size is None else (size,) for name, size in wanted.items()
    }


def test_an_unknown_library_is_named_with_those_there_are() -> None:
    with pytest.raises(tx.SchemeError, match="unknown kernels 'tuned'; known: reference, cmsis-nn"):
        tx.ConversionOptions(kernels="tuned")
