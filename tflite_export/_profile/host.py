"""Measures a bundle's variants on this machine, through LiteRT, the way the selector runs them."""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tfelastic_runtime.bundle import Bundle
from tfelastic_runtime.interface import InputSpec
from tfelastic_runtime.policy import Row, Slowdown, choose
from tfelastic_runtime.runner import Runner

from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile, describe_host
from tflite_export.errors import ProfileError
from tflite_export.stderr import capture_stderr

RUNS_PER_TURN = 10

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)`."""


def profile_host(
    path: str | os.PathLike[str],
    *,
    threads: int = 1,
    runs: int = 200,
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
    outputs.

    Args:
        path: The bundle.
        threads: Threads that one inference may use.
        runs: Timed runs of each variant, rounded up to whole turns.
        warmup: Runs of each variant before anything is timed.
        seed: Decides the inputs' numbers and the order of the turns.
        progress: Called as `progress(what, done, total)` after each round.

    Returns:
        The latencies of all variants, and this machine's description.

    Raises:
        ProfileError: A number of runs or threads is not positive.
        BundleError: The bundle cannot be read.
    """
    for name, value, least in (("threads", threads, 1), ("runs", runs, 1), ("warmup", warmup, 0)):
        if value < least:
            raise ProfileError(f"{name} must be at least {least}, got {value!r}")
    bundle = Bundle.open(path)
    inputs = _random_inputs(bundle.manifest.inputs, seed)
    with capture_stderr():
        runners = {
            variant.name: Runner(bundle, variant.name, threads=threads)
            for variant in bundle.variants
        }
        for runner in runners.values():
            for _ in range(warmup):
                runner.run(inputs[0])
    rounds = -(-runs // RUNS_PER_TURN)
    samples = _take_turns(runners, inputs, rounds=rounds, seed=seed, progress=progress)
    latencies = {name: MeasuredLatency.of(found) for name, found in samples.items()}
    return MeasuredProfile(device=describe_host(), threads=threads, latencies=latencies)


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


def _take_turns(
    runners: Mapping[str, Runner],
    inputs: Sequence[Mapping[str, np.ndarray]],
    *,
    rounds: int,
    seed: int,
    progress: Progress | None,
) -> dict[str, list[int]]:
    """Return every variant's latencies over `rounds` turns, in microseconds, rounded up."""
    samples: dict[str, list[int]] = {name: [] for name in runners}
    order = list(runners)
    shuffle = random.Random(seed).shuffle
    table = [Row(0, 1, 1)] * len(runners)
    for done in range(1, rounds + 1):
        shuffle(order)
        for name in order:
            run = runners[name].run
            run(inputs[0])
            slowdown = Slowdown()
            for given in inputs:
                choose(table, budget_us=1, slowdown=slowdown)
                start = time.perf_counter_ns()
                run(given)
                latency_us = -(-(time.perf_counter_ns() - start) // 1000)
                slowdown = slowdown.observe(table[0], latency_us)
                samples[name].append(latency_us)
        if progress is not None:
            progress("profile", done, rounds)
    return samples
