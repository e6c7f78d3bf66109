"""Measures a model's operations one by one, so that `tfelastic` can price plans that are not built yet.

Every layer that takes time becomes a tiny file of its own at each point of a grid of channel counts; layers of equal
geometry are measured once. What is measured is what a device runs: the layer as Keras builds it and TensorFlow
converts it, through LiteRT. A few whole networks are measured beside them, since a sum is not a whole.
"""

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
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

Name = TypeVar("Name", bound=Hashable)


def profile_ops(
    model: "keras.Model",
    *,
    scheme: str = "int8",
    round_to: int = 8,
    threads: int = 1,
    runs: int = 50,
    measure: "Callable[..., Mapping[BenchmarkPoint, float]] | None" = None,
    progress: Progress | None = None,
) -> "LatencyTable":
    """Measure every operation of a model on this machine, at a grid of channel counts.

    Args:
        model: A functional or sequential model.
        scheme: The quantization scheme to measure in.
        round_to: What the channel counts of plans are multiples of, as in `tfelastic.plan`. Every multiple is measured
            up to eight of them, above that each half as large again as the one before, and always the fewest channels
            that a layer can have, so that every plan lies inside the grid.
        threads: Threads that one inference may use.
        runs: Timed runs of each point, rounded up to whole turns of ten.
        measure: What measures the files instead of `measure_files`, called with `threads`, `runs` and `progress`.
        progress: Called as `progress(what, done, total)` after each conversion and each round.

    Returns:
        A table for `tfelastic.Budget(latency_us=..., latency=table)`.

    Raises:
        BackendError: Keras does not run on TensorFlow here.
        ConversionError: A layer cannot be converted on its own.
        GraphError: The model cannot be traced.
        ProfileError: A number is out of range.
        SchemeError: The scheme is unknown.

    Examples:
        >>> table = profile_ops(model)
        >>> plan = te.plan(model, budget=te.Budget(latency_us=0.5, latency=table))
    """
    from tfelastic import trace
    from tflite_export._profile.microbenchmarks import microbenchmarks
    from tflite_export._profile.whole_networks import convert_networks, fitted, whole_networks

    if threads < 1 or runs < 1 or round_to < 1:
        raise ProfileError(
            "expected at least 1 thread, 1 run, and channel counts that are multiples of 1 or more, got "
            f"threads={threads!r}, runs={runs!r}, round_to={round_to!r}"
        )
    found = get_scheme(scheme)
    files = microbenchmarks(model, round_to=round_to, scheme=found, progress=progress)
    graph = trace(model)
    plans = whole_networks(graph, round_to=round_to)
    files |= convert_networks(model, plans, scheme=found)
    p50_us = dict((measure or measure_files)(files, threads=threads, runs=runs, progress=progress))
    wholes = [(plan, p50_us.pop(point)) for point, plan in plans.items()]
    table = table_of(p50_us, scheme=scheme, threads=threads, round_to=round_to)
    return fitted(table, graph, wholes)


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

    Args:
        files: The files by name.
        threads: Threads that one inference may use.
        runs: Timed runs of each file, rounded up to whole turns of ten.
        seed: Seed of the order.
        progress: Called as `progress("measure", done, total)` after each round.
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
    p50_us: "Mapping[BenchmarkPoint, float]", *, scheme: str, threads: int, round_to: int = 8
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
            step=round_to,
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
