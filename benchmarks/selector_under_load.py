"""The selector while another process loads the cores, beside every static variant in the same run.

Usage: python benchmarks/selector_under_load.py BUNDLE [--seconds 60] [--budget-ms MS]

The bundle is measured on the quiet machine first. Then, in a known pattern (quiet, load on every core,
quiet, short loads), the selector and every static variant take turns, one inference each, so that the
same load hits all of them alike. Printed are the share of runs over the budget and the mean score of
each, and the time that one inference costs the policy itself: in Python, and in C++ where g++ is
installed. Figures of a machine that is busy with something else say nothing: its load is printed before
and after.
"""

import argparse
import itertools
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tfelastic_runtime import Bundle, Policy, Profile, Row, Runner, Selector, blank_inputs, measure

INCLUDE = Path(__file__).parents[1] / "runtime" / "cpp" / "include"
PATTERN = ((0.25, ""), (0.25, "load"), (0.2, ""), *((0.05, "load"), (0.05, "")) * 3)
"""Shares of the time, and whether the cores are loaded in them."""
OVERHEAD = """
#include <chrono>
#include <cstdio>
#include "tfelastic/policy.h"
int main() {
  const tfelastic::Row rows[] = {{4, 1000, 1080}, {3, 640, 691}, {2, 380, 411}, {1, 180, 195}};
  tfelastic::Policy policy;
  std::int64_t sum = 0, noise = 1;
  constexpr int kRuns = 2000000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRuns; ++i) {
    noise = noise * 1103515245 % 2147483647;
    const tfelastic::Choice choice = policy.Choose(rows, 4, 1150);
    policy.Observe(rows, rows[choice.index].p50_us * (94 + noise % 13) / 100);
    sum += choice.predicted_us;
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  std::printf("%.4f %lld\\n", took.count() / kRuns, static_cast<long long>(sum));
}
"""


def burn(running: "multiprocessing.synchronize.Event") -> None:
    """Keep one core busy while the event is set."""
    work = np.random.default_rng(0).random((256, 256))
    while True:
        running.wait()
        while running.is_set():
            work @ work


@contextmanager
def loads() -> Iterator["multiprocessing.synchronize.Event"]:
    """Start one process per core, which load it while the event is set."""
    context = multiprocessing.get_context("spawn")
    running = context.Event()
    workers = [
        context.Process(target=burn, args=(running,), daemon=True)
        for _ in range(os.cpu_count() or 1)
    ]
    for worker in workers:
        worker.start()
    try:
        yield running
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def profile_of(bundle: Bundle, runners: dict[str, Runner]) -> Profile:
    """Measure the variants in turns."""
    inputs = blank_inputs(bundle.manifest.inputs)

    def run(name: str) -> int:
        start = time.perf_counter_ns()
        runners[name].run(inputs)
        return -(-(time.perf_counter_ns() - start) // 1000)

    for runner in runners.values():
        runner.run(inputs)
    return Profile({"name": "this machine"}, 1, measure(list(runners), run, rounds=20, runs=10))


def compete(
    bundle: Bundle, selector: Selector, runners: dict[str, Runner], seconds: float
) -> dict[str, list[tuple[int, str]]]:
    """Return each competitor's latencies in microseconds, with the variant that ran."""
    inputs = blank_inputs(bundle.manifest.inputs)
    taken: dict[str, list[tuple[int, str]]] = {name: [] for name in ("selector", *runners)}
    with loads() as running:
        for share, kind in PATTERN:
            (running.set if kind else running.clear)()
            end = time.monotonic() + share * seconds
            while time.monotonic() < end:
                result = selector.run(inputs)
                taken["selector"].append((result.latency_us, result.variant))
                for name, runner in runners.items():
                    start = time.perf_counter_ns()
                    runner.run(inputs)
                    latency_us = -(-(time.perf_counter_ns() - start) // 1000)
                    taken[name].append((latency_us, name))
        running.clear()
    return taken


def python_overhead_us(runs: int = 20_000) -> float:
    """Return the median time of one choice and one observation in Python."""
    policy = Policy([Row(4, 1000, 1080), Row(3, 640, 691), Row(2, 380, 411), Row(1, 180, 195)])
    random = np.random.default_rng(0).lognormal(0, 0.06, runs).tolist()
    taken = []
    for factor in random:
        start = time.perf_counter_ns()
        index = policy.choose(1_150).index
        policy.observe(int(policy.table[index].p50_us * factor))
        taken.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(taken)


def cpp_overhead_us() -> float | None:
    """Return the mean time of one choice and one observation in C++, or None without g++."""
    if shutil.which("g++") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "overhead.cc", Path(folder) / "overhead"
        source.write_text(OVERHEAD)
        command = ["g++", "-std=c++17", "-O2", f"-I{INCLUDE}", str(source), "-o", str(program)]
        subprocess.run(command, check=True)
        told = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return float(told.split()[0])


def main() -> None:
    """Measure, compete, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--budget-ms", type=float, help="default: 1.3 times the full net's p90")
    options = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    bundle = Bundle.open(options.bundle)
    runners = {variant.name: Runner(bundle, variant.name) for variant in bundle.variants}
    profile = profile_of(bundle, runners)
    widest = profile.latencies[bundle.variants[0].name].p90_us
    budget_us = round(options.budget_ms * 1000) if options.budget_ms else round(1.3 * widest)
    scores = {variant.name: variant.score for variant in bundle.variants}
    with Selector.open(
        bundle, budget_us=budget_us, profile=profile, resident=len(runners)
    ) as selector:
        taken = compete(bundle, selector, runners, options.seconds)
    print(f"budget {budget_us:,} us, {len(taken['selector']):,} runs each")
    print(f"{'':<16}{'over budget':>12}{bundle.manifest.score.metric:>16}{'switches':>10}")
    for name, runs in taken.items():
        over = statistics.mean(latency_us > budget_us for latency_us, _ in runs)
        score = statistics.mean(scores[variant] for _, variant in runs)
        switches = sum(a[1] != b[1] for a, b in itertools.pairwise(runs))
        print(f"{name:<16}{over:>12.2%}{score:>16.4f}{switches:>10,}")
    print(f"policy in Python: {python_overhead_us():.1f} us an inference (goal: 20)")
    cpp_us = cpp_overhead_us()
    if cpp_us is not None:
        print(f"policy in C++: {cpp_us:.3f} us an inference (goal: 0.5)")
    print(f"load after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
