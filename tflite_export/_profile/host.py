"""Measures a bundle's variants on this machine, through LiteRT, the way the selector runs them."""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from tfelastic_runtime.bundle import Bundle
from tfelastic_runtime.interface import InputSpec
from tfelastic_runtime.policy import Policy
from tfelastic_runtime.row import Row
from tfelastic_runtime.runner import Runner

from tflite_export._profile.measurement import (
    MeasuredLatency,
    MeasuredProfile,
    describe_host,
    litert_version,
)
from tflite_export._profile.stopping import StoppingRule, relative_half_width
from tflite_export.child_process import run_python
from tflite_export.errors import ProfileError
from tflite_export.stderr import capture_stderr

RUNS_PER_TURN = 10
OPENINGS = 5

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)`; the total is an estimate that may change."""

# Each variant in a process of its own, forked before LiteRT is loaded: the largest resident memory is the process'.
_PEAK_RSS = """
import os, sys
from tfelastic_runtime import Bundle, Runner, blank_inputs
path, threads, xnnpack = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
for name in sys.argv[4:]:
    if (child := os.fork()) == 0:
        bundle = Bundle.open(path)
        Runner(bundle, name, threads=threads, xnnpack=xnnpack).run(blank_inputs(bundle.manifest.inputs))
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        os.write(1, f"{name} {peak.split()[1]}\\n".encode())
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"the process of variant {name} failed")
"""


def profile_host(
    path: str | os.PathLike[str],
    *,
    threads: int = 1,
    xnnpack: bool = True,
    stop: StoppingRule | None = None,
    warmup: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> MeasuredProfile:
    """Measure every variant of a bundle on this machine.

    The variants take turns, in an order shuffled anew in every round, so that a drift of the clock
    speed, or a neighbour who comes and goes, hits all of them alike. A turn is ten runs in a row,
    after one that is not counted: it refills the caches that the variant before it has emptied.
    Between the runs of a turn the selector's own work is done, since it costs a small net some of its
    caches: back to back, the same variant would be measured faster than it ever runs.

    A latency is what the selector states: encoding the inputs, the inference, and decoding the
    outputs. What a switch costs is measured apart, as the median over five openings of each variant
    (fewer where they take longer than a quarter of the time limit): expanding it and opening its
    interpreter, then the first inference.

    Args:
        path: The bundle.
        threads: Threads that one inference may use.
        xnnpack: Whether XNNPACK's kernels run what they can, as by default in LiteRT.
        stop: When enough runs were timed; by default when every median is known within 2 %, or
            after a minute.
        warmup: Runs of each variant before anything is timed.
        seed: Decides the inputs' numbers and the order of the turns.
        progress: Called as `progress(what, done, total)` after each round.

    Returns:
        The latencies of all variants, and this machine's description.

    Raises:
        ProfileError: A number of runs or threads is not positive.
        BundleError: The bundle cannot be read.
    """
    for name, value, least in (("threads", threads, 1), ("warmup", warmup, 0)):
        if value < least:
            raise ProfileError(f"{name} must be at least {least}, got {value!r}")
    bundle = Bundle.open(path)
    inputs = _random_inputs(bundle.manifest.inputs, seed)

    def opened(name: str) -> Runner:
        return Runner(bundle, name, threads=threads, xnnpack=xnnpack)

    names = [variant.name for variant in bundle.variants]
    rule = stop or StoppingRule()
    peaks = _peak_rss(path, names, threads=threads, xnnpack=xnnpack)
    with capture_stderr():
        switching = _time_openings(names, opened, inputs[0], limit_s=rule.limit_s / 4)
        runners = {name: opened(name) for name in names}
        _warm_up(runners.values(), inputs[0], runs=warmup, limit_s=rule.limit_s / 4)
    turns = _take_turns(runners, inputs, stop=rule, seed=seed, progress=progress)
    latencies = {
        name: MeasuredLatency.of(
            (sample for turn in turns[name] for sample in turn),
            half_width=_half_width(turns[name]),
            switch_us=switching[name][0],
            first_us=switching[name][1],
            peak_rss_bytes=peaks.get(name),
        )
        for name in names
    }
    return MeasuredProfile(
        device=describe_host(),
        threads=threads,
        latencies=latencies,
        runtime=f"LiteRT {litert_version()}",
        kernels="xnnpack" if xnnpack else "builtin",
        bundle_sha256=bundle.payload_sha256,
        conditions=_load(),
    )


def _random_inputs(specs: Sequence[InputSpec], seed: int) -> list[dict[str, np.ndarray]]:
    """Return one turn's inputs: random pixels, and values of the standard normal distribution."""
    rng = np.random.default_rng(seed)
    return [
        {
            spec.name: rng.integers(0, 256, spec.shape[1:], dtype=np.uint8)
            if spec.kind == "image"
            else rng.standard_normal(spec.shape[1:], np.float32)
            for spec in specs
        }
        for _ in range(RUNS_PER_TURN)
    ]


def _warm_up(
    runners: Iterable[Runner], inputs: Mapping[str, np.ndarray], *, runs: int, limit_s: float
) -> None:
    """Run each variant so often, or as often as the time allows."""
    end = time.monotonic() + limit_s
    for _ in range(runs):
        for runner in runners:
            if time.monotonic() < end:
                runner.run(inputs)


def _time_openings(
    names: Sequence[str],
    opened: Callable[[str], Runner],
    inputs: Mapping[str, np.ndarray],
    *,
    limit_s: float,
) -> dict[str, tuple[int, int]]:
    """Return, for each variant, the median time of opening it and of its first inference, in microseconds."""
    taken: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    deadline = time.monotonic() + limit_s
    for opening in range(OPENINGS):
        if opening > 0 and time.monotonic() > deadline:
            break
        for name in names:
            start = time.perf_counter_ns()
            runner = opened(name)
            ready = time.perf_counter_ns()
            runner.run(inputs)
            end = time.perf_counter_ns()
            taken[name].append((_microseconds(ready - start), _microseconds(end - ready)))
    return {
        name: (
            statistics.median_low([opening for opening, _ in found]),
            statistics.median_low([first for _, first in found]),
        )
        for name, found in taken.items()
    }


def _take_turns(
    runners: Mapping[str, Runner],
    inputs: Sequence[Mapping[str, np.ndarray]],
    *,
    stop: StoppingRule,
    seed: int,
    progress: Progress | None,
) -> dict[str, list[list[int]]]:
    """Return the latencies of every variant's turns, in microseconds, rounded up."""
    turns: dict[str, list[list[int]]] = {name: [] for name in runners}
    order = list(runners)
    shuffle = random.Random(seed).shuffle
    table = [Row(0, 1, 1)] * len(runners)
    begin, done, total = time.monotonic(), 0, -(-stop.min_runs // len(inputs))
    while done < total and (done == 0 or time.monotonic() - begin < stop.limit_s):
        shuffle(order)
        for name in order:
            run, samples = runners[name].run, list[int]()
            run(inputs[0])
            policy = Policy(table)
            for given in inputs:
                policy.choose(1)
                start = time.perf_counter_ns()
                run(given)
                latency_us = _microseconds(time.perf_counter_ns() - start)
                policy.observe(latency_us)
                samples.append(latency_us)
            turns[name].append(samples)
        done += 1
        if done == total:
            total = max(_rounds_needed(found, stop.half_width) for found in turns.values())
        if progress is not None:
            progress("profile", min(done, total), total)
    return turns


def _rounds_needed(turns: list[list[int]], half_width: float | None) -> int:
    """Return about how many turns it takes for the median's interval to be as narrow as asked, at least those done."""
    done = len(turns)
    if half_width is None:
        return done
    found = _half_width(turns)
    if found is None:
        return done + 1
    if found <= half_width:
        return done
    # An interval shrinks with the square root of the observations; a guess is checked before it has doubled them, and
    # a step is worth the checking.
    needed = done * (found / half_width) ** 2
    return min(max(done + 1 + done // 16, round(needed)), max(2 * done, 8))


def _half_width(turns: Sequence[Sequence[int]]) -> float | None:
    return relative_half_width([statistics.median(turn) for turn in turns])


def _peak_rss(
    path: str | os.PathLike[str], names: Sequence[str], *, threads: int, xnnpack: bool
) -> dict[str, int]:
    """Return each variant's largest resident memory in bytes; nothing where the system does not tell it."""
    if not sys.platform.startswith("linux"):
        return {}
    ended = run_python(_PEAK_RSS, [str(path), str(threads), str(xnnpack), *names])
    if ended.failure:
        raise ProfileError(f"{path}: the process that measures memory {ended.failure}")
    rows = (line.split() for line in ended.output.decode().splitlines())
    return {name: int(kibibytes) * 1024 for name, kibibytes in rows}


def _load() -> dict[str, float]:
    """Return how many processes wanted to run in the last minute, where the system tells it."""
    return {"load_1min": round(os.getloadavg()[0], 2)} if hasattr(os, "getloadavg") else {}


def _microseconds(nanoseconds: int) -> int:
    return max(-(-nanoseconds // 1000), 1)
