"""Measures a model's operations one by one, so that `tfelastic` can price plans that are not built yet.

Every layer that takes time becomes a tiny file of its own at each point of a grid of channel counts; layers of equal
geometry are measured once. What is measured is what a device runs: the layer as Keras builds it and TensorFlow
converts it, through LiteRT.
"""

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from tflite_export._profile.host import RUNS_PER_TURN, Progress
from tflite_export._profile.measurement import describe_host, litert_version
from tflite_export.errors import ProfileError
from tflite_export.quantize.scheme import get_scheme
from tflite_export.runtimes import open_interpreter
from tflite_export.stderr import capture_stderr

if TYPE_CHECKING:
    import keras

    from tfelastic._cost import LatencyTable
    from tflite_export._profile.microbenchmarks import BenchmarkPoint

SHARES = (1.0, 0.75, 0.5, 0.25)

Name = TypeVar("Name", bound=Hashable)


def profile_ops(
    model: "keras.Model",
    *,
    scheme: str = "int8",
    shares: Sequence[float] = SHARES,
    threads: int = 1,
    runs: int = 50,
    measure: "Callable[..., Mapping[BenchmarkPoint, float]] | None" = None,
    progress: Progress | None = None,
) -> "LatencyTable":
    """Measure every operation of a model on this machine, at a grid of channel counts.

    Args:
        model: A functional or sequential model.
        scheme: The quantization scheme to measure in.
        shares: Which shares of each layer's channels to measure. The fewest channels that a layer can have are always
            measured too, so that every plan lies inside the grid.
        threads: Threads that one inference may use.
        runs: Timed runs of each point, rounded up to whole turns of ten.
        measure: What measures the files instead of `measure_files`, and takes its arguments.
        progress: Called as `progress(what, done, total)` after each conversion and each round.

    Returns:
        A table for `tfelastic.Budget(latency_us=..., latency=table)`.

    Raises:
        BackendError: Keras does not run on TensorFlow here.
        ConversionError: A layer cannot be converted on its own.
        GraphError: The model cannot be traced.
        ProfileError: A number is out of range.
        SchemeError: The scheme is unknown.

    Example:
        >>> table = profile_ops(model)
        >>> plan = te.plan(model, budget=te.Budget(latency_us=0.5, latency=table))
    """
    from tflite_export._profile.microbenchmarks import microbenchmarks

    if threads < 1 or runs < 1 or not shares or not all(0 < share <= 1 for share in shares):
        raise ProfileError(
            "expected at least 1 thread, 1 run, and shares above 0 and up to 1, got "
            f"threads={threads!r}, runs={runs!r}, shares={tuple(shares)!r}"
        )
    files = microbenchmarks(model, shares=shares, scheme=get_scheme(scheme), progress=progress)
    p50_us = (measure or measure_files)(files, threads=threads, runs=runs, progress=progress)
    return table_of(p50_us, scheme=scheme, threads=threads)


def measure_files(
    files: Mapping[Name, bytes],
    *,
    threads: int = 1,
    runs: int = 50,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[Name, float]:
    """Return the median time of one inference of each file, in microseconds, through LiteRT.

    The files take turns in an order that is shuffled anew in every round, so that a neighbour who comes and goes hits
    all of them alike; a turn is ten runs, after one that is not counted. Encoding and decoding are not timed.
    """
    interpreters = {
        name: open_interpreter(tflite, threads=threads) for name, tflite in files.items()
    }
    with capture_stderr():
        for interpreter in interpreters.values():
            interpreter.invoke()
    samples: dict[Name, list[int]] = {name: [] for name in files}
    order, shuffle = list(files), random.Random(seed).shuffle
    rounds = -(-runs // RUNS_PER_TURN)
    for done in range(1, rounds + 1):
        shuffle(order)
        for name in order:
            invoke = interpreters[name].invoke
            invoke()
            for _ in range(RUNS_PER_TURN):
                start = time.perf_counter_ns()
                invoke()
                samples[name].append(time.perf_counter_ns() - start)
        if progress is not None:
            progress("measure", done, rounds)
    return {name: statistics.median(found) / 1000 for name, found in samples.items()}


def table_of(
    p50_us: "Mapping[BenchmarkPoint, float]", *, scheme: str, threads: int
) -> "LatencyTable":
    """Return the table of what `measure_files` found for the files of `microbenchmarks`."""
    from tfelastic._cost import Geometry, LatencyTable, MeasuredOperation
    from tflite_export._profile.microbenchmarks import OVERHEAD

    measured: dict[Geometry, dict[tuple[int, ...], float]] = defaultdict(dict)
    for point, latency in p50_us.items():
        measured[point.geometry][point.channels] = latency
    overhead_us = measured.pop(OVERHEAD.geometry)[OVERHEAD.channels]
    operations = tuple(
        MeasuredOperation(
            geometry,
            tuple(tuple(sorted(set(axis))) for axis in zip(*found, strict=True)),
            tuple(found[channels] for channels in sorted(found)),
        )
        for geometry, found in measured.items()
    )
    return LatencyTable(
        describe_host(),
        scheme,
        threads,
        overhead_us,
        operations,
        runtime=f"LiteRT {litert_version()}",
        kernels="xnnpack",
    )
