"""Holds our formulas for ESP-NN's scratch buffers against its own functions, compiled for this machine.

    python -m benchmarks.esp_nn_scratch --tree ESP_NN [--count 20000]

TREE is a checkout of ESP-NN. The C sources of its ESP32-S3 kernels compile anywhere; only kernels that are called need
that chip. Random convolutions and depthwise convolutions, drawn from a fixed seed: kernels of 1 to 7, strides of 1 and
2, both paddings, channels that are and are not multiples of 4, 8 and 16. Prints how many were compared; one that
differs is printed and ends the benchmark with an error.
"""

import argparse
import ctypes
import random
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tflite_export.arena import get_kernels
from tflite_export.arena.kernels.convolution import Convolution
from tflite_export.tflite import Graph, GraphOperator, GraphTensor

SOURCES = (
    "src/convolution/esp_nn_conv_esp32s3.c",
    "src/convolution/esp_nn_depthwise_conv_s8_esp32s3.c",
)
SAME, VALID = 0, 1
CHANNELS = (1, 2, 3, 4, 5, 8, 12, 16, 24, 32, 40, 48, 64, 100)
ROWS = (1, 2, 3, 7, 8, 12, 16, 31, 32, 48, 96)


class Dims(ctypes.Structure):
    """`data_dims_t` of `esp_nn_defs.h`."""

    _fields_ = [(name, ctypes.c_int32) for name in ("width", "height", "channels", "extra")]


class Pair(ctypes.Structure):
    """`data_2d_t` and `act_params_t`."""

    _fields_ = [(name, ctypes.c_int32) for name in ("width", "height")]


_PAIRS = [(name, Pair) for name in ("stride", "padding", "dilation", "activation")]


class ConvolutionParams(ctypes.Structure):
    """`conv_params_t`."""

    _fields_ = [("in_offset", ctypes.c_int32), ("out_offset", ctypes.c_int32), *_PAIRS]


class DepthwiseParams(ctypes.Structure):
    """`dw_conv_params_t`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("in_offset", "out_offset", "ch_mult")),
        *_PAIRS,
    ]


def library(tree: Path, folder: Path) -> ctypes.CDLL:
    """Compile the sources that hold the functions, and load them; what the kernels call stays unresolved."""
    built = folder / "esp_nn.so"
    includes = [f"-I{tree / 'include'}", f"-I{tree / 'src/common'}"]
    sources = [str(tree / source) for source in SOURCES]
    command = ["gcc", "-shared", "-fPIC", "-w", "-O1", *includes, *sources, "-o", str(built)]
    subprocess.run(command, check=True)
    # A symbol is looked up when it is called, and none of the kernels is.
    return ctypes.CDLL(str(built), mode=1)


def draw(rng: random.Random) -> tuple[Graph, GraphOperator]:
    """Return a random convolution in int8, and the graph of nothing else."""
    height, width = rng.choice(ROWS), rng.choice(ROWS)
    kernel = [rng.choice((1, 1, 2, 3, 3, 5, 7)) for _ in range(2)]
    stride, padding = rng.choice((1, 1, 2)), rng.choice((SAME, VALID))
    if padding == VALID:
        kernel = [min(size, rows) for size, rows in zip(kernel, (height, width), strict=True)]
    grown = padding == VALID
    rows, columns = (
        -(-(n - grown * (k - 1)) // stride) for n, k in zip((height, width), kernel, strict=True)
    )
    taken, depthwise = rng.choice(CHANNELS), rng.random() < 0.5
    options = {"strideH": stride, "strideW": stride, "padding": padding}
    if depthwise:
        options["depthMultiplier"] = rng.choice((1, 1, 1, 2, 4))
    given = taken * options["depthMultiplier"] if depthwise else rng.choice(CHANNELS)
    shapes = [
        (1, height, width, taken),
        (1, *kernel, given) if depthwise else (given, *kernel, taken),
        (1, rows, columns, given),
    ]
    tensors = tuple(GraphTensor("int8", shape, constant=i == 1) for i, shape in enumerate(shapes))
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    operator = GraphOperator(name, (0, 1), (2,), options)
    return Graph(tensors, (operator,), inputs=(0,), outputs=(2,)), operator


def theirs(functions: ctypes.CDLL, graph: Graph, operator: GraphOperator) -> int:
    """Return what ESP-NN's function says of a convolution, called as esp-tflite-micro calls it."""
    dims = []
    for tensor in graph.tensors:
        _, height, width, channels = tensor.shape
        dims.append(ctypes.byref(Dims(width, height, channels, 1)))
    found = Convolution.of(graph, operator)
    assert found is not None
    padding, stride = found.padding, found.stride
    pairs = {"stride": Pair(stride[1], stride[0]), "padding": Pair(padding[1], padding[0])}
    if operator.name == "DEPTHWISE_CONV_2D":
        params = DepthwiseParams(ch_mult=found.multiplier, dilation=Pair(1, 1), **pairs)
        return functions.esp_nn_get_depthwise_conv_scratch_size_esp32s3(*dims, ctypes.byref(params))
    plain = ConvolutionParams(dilation=Pair(1, 1), **pairs)
    return functions.esp_nn_get_conv_scratch_size_esp32s3(*dims, ctypes.byref(plain))


def main(words: Sequence[str] | None = None) -> None:
    """Draw, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tree", type=Path, required=True, help="a checkout of ESP-NN")
    parser.add_argument("--count", type=int, default=20_000)
    arguments = parser.parse_args(words)
    rng, scratch = random.Random(0), get_kernels("esp-nn").scratch
    counts = dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), 0)
    with tempfile.TemporaryDirectory() as folder:
        functions = library(arguments.tree, Path(folder))
        for _ in range(arguments.count):
            graph, operator = draw(rng)
            expected, (found,) = theirs(functions, graph, operator), scratch(graph, operator)
            if found != expected:
                shapes = [tensor.shape for tensor in graph.tensors]
                raise SystemExit(
                    f"{operator.name} of {shapes}, {dict(operator.options)}: {found:,} bytes by our "
                    f"formula, {expected:,} by ESP-NN's function"
                )
            counts[operator.name] += 1
    print(", ".join(f"{name}: {count:,} equal" for name, count in counts.items()))


if __name__ == "__main__":
    main()
