"""Microbenchmarks of a model's operations: one small .tflite for each, at each point of a grid of channel counts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfelastic._cost import (
    Geometry,
    channel_axis,
    channels_of,
    geometry_of,
    makes_channels,
    timed_steps,
)
from tfelastic._plan import KeepPlan, Selection
from tfelastic.graph import LayerGraph, Step, Tensor, trace
from tflite_export.errors import ConversionError
from tflite_export.keras_models import require_tensorflow_backend
from tflite_export.quantize.post_training import QuantizationSettings, run_converter
from tflite_export.quantize.scheme import Scheme
from tflite_export.stderr import capture_stderr
from tflite_export.tflite import split

if TYPE_CHECKING:
    from tflite_export._profile.host import Progress

# How much is converted in one go: weights, and benchmarks.
VALUES_PER_CONVERSION = 20_000_000
BENCHMARKS_PER_CONVERSION = 200

# Up to how many multiples of the rounding a grid holds every one, and how much larger than the one before each is
# above that. Tiles of kernels are 8 to 32 channels: their steps matter where they are a large part of the whole.
FINE_MULTIPLES = 8
COARSE_RATIO = 1.5

# The settings that hold a layer's number of channels.
_RESIZABLE = frozenset(("filters", "units", "groups", "projection_dim"))

# Operators, which may have been given a number in the place of one tensor.
_BINARY = frozenset(
    ["Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power"]
)


@dataclass(frozen=True)
class BenchmarkPoint:
    """An operation at given channel counts: of input and output, or of the output alone."""

    geometry: Geometry
    channels: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Microbenchmark:
    """A layer to convert on its own.

    Attributes:
        point: What it stands for.
        layer: The layer, with weights of its own.
        inputs: The shape of each input, without the batch.
    """

    point: BenchmarkPoint
    layer: Any
    inputs: tuple[tuple[int, ...], ...]

    @property
    def values(self) -> int:
        """How many weights it has."""
        return sum(int(np.prod(weight.shape)) for weight in getattr(self.layer, "weights", ()))


OVERHEAD = BenchmarkPoint(Geometry("overhead", ((None,),), ()), (1,))
"""Stands for a file that computes next to nothing: one number, rectified."""


def microbenchmarks(
    model: keras.Model,
    *,
    round_to: int,
    scheme: Scheme,
    progress: "Progress | None" = None,
) -> dict[BenchmarkPoint, bytes]:
    """Return a .tflite for each operation of `model` at each point of its grid, and one for `OVERHEAD`.

    Raises:
        BackendError: Keras does not run on TensorFlow here.
        ConversionError: A layer cannot be converted on its own.
        GraphError: The model cannot be traced.
    """
    require_tensorflow_backend()
    found = _all_benchmarks(trace(model), round_to)
    files: dict[BenchmarkPoint, bytes] = {}
    for batch in _batches(found):
        files.update(convert_benchmarks(batch, scheme))
        if progress is not None:
            progress("convert", len(files), len(found))
    return files


def _all_benchmarks(graph: LayerGraph, round_to: int) -> list[Microbenchmark]:
    """Return what to measure, each point of each geometry once."""
    selection = Selection(graph)
    steps: dict[Geometry, list[Step]] = defaultdict(list)
    for step in _ever_timed(graph):
        steps[geometry_of(selection, step)].append(step)
    found = [Microbenchmark(OVERHEAD, keras.layers.ReLU(), ((1,),))]
    for geometry, alike in steps.items():
        counts = [_counts(selection, step, round_to) for step in alike]
        grid = [sorted(set().union(*axis)) for axis in zip(*counts, strict=True)]
        found += [
            _benchmark(selection, alike[0], BenchmarkPoint(geometry, channels))
            for channels in product(*grid)
        ]
    return found


def _ever_timed(graph: LayerGraph) -> Iterator[Step]:
    """Yield every step that takes time in the network or without one of its blocks.

    Where a block goes, what was fused into its addition becomes an operation of its own.
    """
    plans = [KeepPlan(graph.fingerprint, removed=(block.name,)) for block in graph.blocks]
    selections = [Selection(graph, plan) for plan in (None, *plans)]
    yield from dict.fromkeys(step for each in selections for step in timed_steps(each))


def _counts(selection: Selection, step: Step, round_to: int) -> list[set[int]]:
    """Return, for each axis of a step's grid, the channel counts to measure."""
    tensors = (step.inputs[0], step.outputs[0])
    ends = tensors if makes_channels(selection, step) else tensors[1:]
    fields = {size.field for size in selection.graph.facts_of(step).sizes.values()}
    counts = []
    for tensor, count in zip(ends, channels_of(selection, step), strict=True):
        unit = _unit(step) if tensor is step.outputs[0] else 1
        points = {count}
        if fields <= _RESIZABLE and _shrinks(selection.graph, tensor):
            points |= {unit, *(round_up(each, unit) for each in grid_below(count, round_to))}
        counts.append(points)
    return counts


def grid_below(count: int, round_to: int) -> list[int]:
    """Return which channel counts below `count` to measure, ascending.

    Every multiple of `round_to` (halved in narrow layers, as `tfelastic.plan` does) up to eight of them, then each
    half as large again as the one before, to the next multiple, unless that comes near to `count`.

    Examples:
        >>> grid_below(16, 8), grid_below(64, 8)
        ([4, 8, 12], [8, 16, 24, 32, 40, 48, 56])
        >>> grid_below(512, 8)
        [8, 16, 24, 32, 40, 48, 56, 64, 96, 144, 216, 328]
    """
    step = round_to
    while step > 1 and step > count // 4:
        step //= 2
    last_fine = min(count - 1, FINE_MULTIPLES * step)
    found = list(range(step, last_fine + 1, step))
    while found and (point := round_up(COARSE_RATIO * found[-1], step)) * COARSE_RATIO <= count:
        found.append(point)
    return found


def round_up(count: float, step: int) -> int:
    """Return the least multiple of `step` that is at least `count`."""
    return int(-(-count // step) * step)


def _unit(step: Step) -> int:
    """Return how many output channels come and go together, or must be there at least."""
    if isinstance(step.op, keras.layers.Concatenate):
        return len(step.inputs)
    if getattr(step.op, "groups", 1) > 1:
        return int(step.op.filters // step.op.groups)
    separable = hasattr(step.op, "pointwise_kernel")
    return 1 if separable else int(getattr(step.op, "depth_multiplier", 1))


def _shrinks(graph: LayerGraph, tensor: Tensor) -> bool:
    owners = {int(owner) for owner in graph.unit_of[tensor.labels.reshape(-1), 0]}
    return any(owner >= 0 and not graph.groups[owner].frozen for owner in owners)


def _benchmark(selection: Selection, step: Step, point: BenchmarkPoint) -> Microbenchmark:
    """Return a step's layer at other channel counts, with random weights."""
    config = dict(step.op.get_config())
    facts = selection.graph.facts_of(step)
    # TensorFlow mistakes the scales of some kernels with a single output channel: two must stand for it.
    outputs = max(point.channels[-1], 2 if makes_channels(selection, step) else 1)
    for size in facts.sizes.values():
        if size.field in _RESIZABLE:
            config[size.field] = outputs // _unit(step) if size.field == "groups" else outputs
    # Where it pads in a padding layer's place, by what the geometry says and not the layer.
    settings = dict(point.geometry.settings)
    config |= {name: settings[name] for name in ("padding",) if name in settings}
    counts = _input_counts(selection, step, point)
    inputs = tuple(
        tuple(count if length is None else length for length in shape)
        for shape, count in zip(point.geometry.shapes, counts, strict=True)
    )
    layer = type(step.op).from_config(config)
    try:
        _call(layer, [keras.Input(shape) for shape in inputs])
    except (TypeError, ValueError) as error:
        raise ConversionError(
            f"layer {step.path!r} ({point.geometry}) cannot be measured on its own: {error}"
        ) from error
    # Fresh factors of one and shifts of zero would be optimized away.
    generator = np.random.default_rng(0)
    for weight in getattr(layer, "weights", ()):
        weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return Microbenchmark(point, layer, inputs)


def _input_counts(selection: Selection, step: Step, point: BenchmarkPoint) -> list[int]:
    """Return how many channels each input has; those of a merged tensor keep their proportions."""
    if makes_channels(selection, step):
        return [point.channels[0]]
    shapes = [selection.shape(tensor) for tensor in step.inputs]
    before = [shape[channel_axis(t)] or 1 for shape, t in zip(shapes, step.inputs, strict=True)]
    share = point.channels[0] / channels_of(selection, step)[0]
    if isinstance(step.op, keras.layers.Concatenate):
        ends = [max(i, round(share * end)) for i, end in enumerate(accumulate(before), start=1)]
        return [end - start for start, end in pairwise([0, *ends])]
    return [max(1, round(share * count)) for count in before]


def _call(layer: Any, tensors: list[Any]) -> Any:
    """Call a layer on tensors in the way that its kind is called."""
    if isinstance(layer, keras.Layer) or type(layer).__name__ in ("Concatenate", "Stack"):
        return layer(tensors if len(tensors) > 1 else tensors[0])
    if type(layer).__name__ in _BINARY and len(tensors) == 1:
        return layer(tensors[0], 0.5)
    return layer(*tensors)


def _batches(found: Sequence[Microbenchmark]) -> Iterator[list[Microbenchmark]]:
    """Yield the benchmarks in runs that are not too much for one conversion."""
    batch: list[Microbenchmark] = []
    for benchmark in found:
        full = sum(each.values for each in (*batch, benchmark)) > VALUES_PER_CONVERSION
        if batch and (full or len(batch) == BENCHMARKS_PER_CONVERSION):
            yield batch
            batch = []
        batch.append(benchmark)
    yield batch


def convert_benchmarks(
    batch: Sequence[Microbenchmark], scheme: Scheme
) -> dict[BenchmarkPoint, bytes]:
    """Convert benchmarks side by side in one file, and take that apart.

    Raises:
        ConversionError: They cannot be converted.
    """
    import tensorflow as tf

    specs = [
        [
            tf.TensorSpec((1, *shape), tf.float32, name=f"benchmark{number}_{place}")
            for place, shape in enumerate(benchmark.inputs)
        ]
        for number, benchmark in enumerate(batch)
    ]

    @tf.function(input_signature=[spec for group in specs for spec in group])
    def serve(*tensors: Any) -> list[Any]:
        rest = iter(tensors)
        return [
            tf.identity(_call(benchmark.layer, [next(rest) for _ in benchmark.inputs]))
            for benchmark in batch
        ]

    samples = _samples([spec.shape for group in specs for spec in group])
    with capture_stderr():
        function = serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    tflite = run_converter(
        converter,
        QuantizationSettings.of(scheme),
        # The opposite values too: a rectified value that no sample makes positive would have no range.
        samples=lambda: [samples, [-each for each in samples]],
        what="the operations of the model, one by one,",
    )
    parts = split(tflite, inputs=r"benchmark(\d+)_")
    return {batch[number].point: part for number, part in parts.items()}


def _samples(shapes: Sequence[Sequence[int]]) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=tuple(shape)).astype(np.float32) for shape in shapes]
