"""The selector while other processes load the cores, beside every static variant in the same run.

    python -m benchmarks.selector_under_load [BUNDLE] [--seconds 60 | --quick] [--budget-ms MS]
        [--json] [--write docs/profiling.md]

Without a bundle it makes one: MobileNetV2 in float32 for images of 160 by 160 pixels, with random weights, at three
widths, each of which counts as its variant's score. `--keep FILE` keeps it for further runs. A bundle of one's own
should have variants that need a millisecond or more: a load that takes turns with shorter runs on one core stalls a
few of them and slows down none. `--write` puts the table into that page, between its marks.

The bundle is measured on the quiet machine first. Then the cores are loaded in a known pattern: quiet, load on every
core, quiet, short loads. In Python the selector and every static variant take turns, one inference each, so that the
same load hits all of them alike. In C++, on the real LiteRT, each takes a process and meets the whole pattern on its
own. Printed are each one's share of runs over the budget and mean score, and what an inference costs beside encoding,
running and decoding, as the median over all of the selector's runs.

Needs g++ and the ai-edge-litert wheel, whose C library the C++ selector runs on. The figures of a machine that is busy
with something else say nothing; see `benchmarks.quiet_machine`.
"""

import argparse
import dataclasses
import itertools
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Thread

import ai_edge_litert
import numpy as np
from tfelastic_runtime import (
    Bundle,
    Profile,
    Runner,
    RunnerPool,
    ScoreSpec,
    Selector,
    blank_inputs,
    measure,
)

from benchmarks.measured_page import write
from benchmarks.quiet_machine import measured_quietly

CPP = Path(__file__).parents[1] / "runtime" / "cpp"
LITERT = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
SELECTOR = "selector"
PATTERN = ((0.25, False), (0.25, True), (0.2, False), *((0.05, True), (0.05, False)) * 3)
"""Shares of the time, and whether the cores are loaded in them."""
OVERHEAD_GOALS_US = {"Python": 20.0, "C++": 0.5}
QUICK_SECONDS = 20.0
MEASURING_LIMIT_S = 60.0
NET, PIXELS, WIDTHS = "mobilenet_v2", 160, (1.0, 0.75, 0.5)
"""The network of the bundle that is made."""


@dataclass(frozen=True)
class Competitor:
    """What the selector or a static variant did.

    Attributes:
        language: "Python" or "C++".
        name: `selector`, or the variant's name.
        runs: How often it ran.
        misses: Share of the runs over the budget.
        score: Mean score of the variants that ran.
        switches: How often another variant ran than in the run before.
        overhead_us: The selector's median time beside encoding, running and decoding; None for a variant.
    """

    language: str
    name: str
    runs: int
    misses: float
    score: float
    switches: int
    overhead_us: float | None = None


@dataclass(frozen=True)
class Run:
    """One inference: the variant, its latency, and what the selector took beside it."""

    variant: str
    latency_us: int
    overhead_ns: int = 0


class PairedClock:
    """A selector's clock, which is read before and after what is no overhead of its own."""

    def __init__(self) -> None:
        self.within_ns = 0
        self._first_ns: int | None = None

    def __call__(self) -> int:
        """Return the time in nanoseconds."""
        now_ns = time.perf_counter_ns()
        if self._first_ns is None:
            self._first_ns = now_ns
        else:
            self.within_ns += now_ns - self._first_ns
            self._first_ns = None
        return now_ns


def make_bundle(path: Path, *, net: str = NET, pixels: int = PIXELS) -> None:
    """Write a network of the zoo with random weights as a bundle whose scores are the widths."""
    import tfelastic as te
    from tflite_export import Interface, Variant, convert, write_bundle

    model = te.zoo.build(net, input_shape=(pixels, pixels, 3), classes=10)
    variants = []
    for rung in te.ladder(model, widths=WIDTHS).rungs:
        tflite = convert(te.prune(model, rung.plan), scheme="float32", strip=True)
        variants.append(
            Variant(
                name=rung.name,
                width=rung.width,
                params=0,
                macs=0,
                score=rung.width,
                scheme="float32",
                tflite=tflite,
            )
        )
    interface = Interface.of_tflite(variants[0].tflite)
    score = ScoreSpec("width", higher_is_better=True)
    write_bundle(path, variants, name=net, interface=dataclasses.replace(interface, score=score))


def in_a_process_of_its_own(make: Callable[[Path], None], path: Path) -> None:
    """Call it apart: TensorFlow's threads and objects would slow down what is measured here."""
    process = multiprocessing.get_context("spawn").Process(target=make, args=(path,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"no bundle was made: the process ended with {process.exitcode}")


def burn(running: Event) -> None:
    """Keep one core busy while the event is set."""
    work, value = bytes(range(256)) * 4096, 0
    while True:
        running.wait()
        while running.is_set():
            value ^= hash(work[value % 7 :])


@contextmanager
def loads() -> Iterator[Event]:
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


def pattern(running: Event, seconds: float) -> Iterator[None]:
    """Load the cores in the pattern, and yield as long as it lasts."""
    try:
        for share, is_loaded in PATTERN:
            (running.set if is_loaded else running.clear)()
            end = time.monotonic() + share * seconds
            while time.monotonic() < end:
                yield
    finally:
        running.clear()


def profile_of(bundle: Bundle, runners: Mapping[str, Runner]) -> Profile:
    """Measure the variants in turns."""
    inputs = blank_inputs(bundle.manifest.inputs)
    for runner in runners.values():
        runner.run(inputs)
    taken = measure(
        list(runners),
        lambda name: timed(runners[name], inputs),
        rounds=20,
        runs=10,
        limit_s=MEASURING_LIMIT_S,
    )
    return Profile({"name": "this machine"}, 1, taken)


def timed(runner: Runner, inputs: Mapping[str, np.ndarray]) -> int:
    """Return a run's latency in microseconds, rounded up."""
    start_ns = time.perf_counter_ns()
    runner.run(inputs)
    return -(-(time.perf_counter_ns() - start_ns) // 1000)


def compete_in_python(
    bundle: Bundle, profile: Profile, budget_us: int, seconds: float, running: Event
) -> dict[str, list[Run]]:
    """Return the runs of the selector and of each variant, which take turns."""
    inputs, clock = blank_inputs(bundle.manifest.inputs), PairedClock()
    runners = {variant.name: Runner(bundle, variant.name) for variant in bundle.variants}
    pool = RunnerPool(bundle, resident=len(runners))
    taken: dict[str, list[Run]] = {name: [] for name in (SELECTOR, *runners)}
    for name, runner in runners.items():
        runner.run(inputs)
        pool.get(name, inputs)
    with Selector(pool, budget_us=budget_us, profile=profile, clock=clock) as selector:
        for _ in pattern(running, seconds):
            clock.within_ns, start_ns = 0, time.perf_counter_ns()
            result = selector.run(inputs)
            overhead_ns = time.perf_counter_ns() - start_ns - clock.within_ns
            taken[SELECTOR].append(Run(result.variant, result.latency_us, overhead_ns))
            for name, runner in runners.items():
                taken[name].append(Run(name, timed(runner, inputs)))
    return taken


def compile_selector(folder: Path) -> Path:
    """Compile the C++ selector that prints its runs as lines of JSON."""
    program = folder / "selector"
    source = CPP / "benchmarks" / "selector.cc"
    options = ["-std=c++17", "-O2", "-pthread", f"-I{CPP / 'include'}"]
    subprocess.run(["g++", *options, str(source), "-o", str(program), "-ldl"], check=True)
    return program


def run_in_cpp(command: Sequence[str], seconds: float, running: Event) -> list[Run]:
    """Return the runs of one C++ process under the pattern, which begins with its first run."""
    lines: list[str] = []
    # LiteRT's notes matter where it ends early.
    with (
        tempfile.TemporaryFile("w+") as notes,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=notes, text=True) as process,
    ):
        assert process.stdout is not None
        lines.append(process.stdout.readline())
        # The pipe is emptied on the side: a full one would stop the runs.
        reader = Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        for _ in pattern(running, seconds):
            time.sleep(0.01)
        if process.poll() is not None:
            notes.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended early:\n{notes.read()}")
        process.terminate()
        reader.join()
    # The last line may be cut.
    complete = [line for line in lines if line.endswith("}\n")]
    keys = [field.name for field in dataclasses.fields(Run)]
    return [Run(*map(json.loads(line).__getitem__, keys)) for line in complete]


def compete_in_cpp(
    bundle: Path, names: Sequence[str], budget_us: int, seconds: float, running: Event
) -> dict[str, list[Run]]:
    """Return the runs of the selector, which measures its own table first, and of each variant."""
    with tempfile.TemporaryDirectory() as folder:
        program = compile_selector(Path(folder))
        common = [str(program), str(bundle), str(LITERT), "--budget-us", str(budget_us)]
        # It is ended when the pattern ends.
        common += ["--seconds", str(math.ceil(2 * seconds) + 60), "--resident", str(len(names))]
        return {
            name: run_in_cpp([*common, *options], seconds, running)
            for name, options in (
                (SELECTOR, []),
                *((name, ["--variant", name]) for name in names),
            )
        }


def compare(
    path: Path, *, seconds: float, budget_us: int | None = None
) -> tuple[int, list[Competitor]]:
    """Return the budget in microseconds, and what everyone did, the selector of each language first.

    Args:
        path: The bundle.
        seconds: How long the pattern lasts: once in Python, and in C++ once per competitor.
        budget_us: The budget; None takes 1.3 times the 90 % latency of the widest variant.
    """
    bundle = Bundle.open(path)
    scores = {variant.name: variant.score for variant in bundle.variants}
    profile = profile_of(bundle, {name: Runner(bundle, name) for name in scores})
    if budget_us is None:
        budget_us = math.ceil(1.3 * profile.latencies[bundle.variants[0].name].p90_us)
    with loads() as running:
        taken = {
            "Python": compete_in_python(bundle, profile, budget_us, seconds, running),
            "C++": compete_in_cpp(path, list(scores), budget_us, seconds, running),
        }
    return budget_us, [
        competitor_of(language, name, runs, budget_us, scores)
        for language, found in taken.items()
        for name, runs in found.items()
    ]


def competitor_of(
    language: str, name: str, runs: Sequence[Run], budget_us: int, scores: Mapping[str, float]
) -> Competitor:
    """Sum up one competitor's runs."""
    overheads = [run.overhead_ns / 1000 for run in runs]
    return Competitor(
        language=language,
        name=name,
        runs=len(runs),
        misses=statistics.mean(run.latency_us > budget_us for run in runs),
        score=statistics.mean(scores[run.variant] for run in runs),
        switches=sum(a.variant != b.variant for a, b in itertools.pairwise(runs)),
        overhead_us=statistics.median(overheads) if name == SELECTOR else None,
    )


def goals_of(found: Sequence[Competitor], bundle: Bundle) -> dict[str, bool]:
    """Return which of the goals each language's selector reaches, by what they say."""
    better = 1 if bundle.manifest.score.higher_is_better else -1
    goals: dict[str, bool] = {}
    for language, overhead_us in OVERHEAD_GOALS_US.items():
        mine = {each.name: each for each in found if each.language == language}
        selector = mine[SELECTOR]
        widest, narrowest = (mine[bundle.variants[at].name] for at in (0, -1))
        assert selector.overhead_us is not None
        goals |= {
            f"{language}: fewer runs over the budget than {widest.name}": (
                selector.misses < widest.misses
            ),
            f"{language}: a better score than {narrowest.name}": (
                better * selector.score > better * narrowest.score
            ),
            f"{language}: at most {overhead_us:g} us an inference": (
                selector.overhead_us <= overhead_us
            ),
        }
    return goals


def table(budget_us: int, found: Sequence[Competitor], metric: str) -> list[str]:
    """Return the lines of a table, a row for each competitor."""
    lines = [
        f"Budget {budget_us:,} us.",
        "",
        f"| language | what runs | runs | over the budget | mean {metric} | switches | overhead, us |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for each in found:
        overhead = "" if each.overhead_us is None else f"{each.overhead_us:.2f}"
        lines.append(
            f"| {each.language} | {each.name} | {each.runs:,} | {each.misses:.2%} | {each.score:.4f} "
            f"| {each.switches:,} | {overhead} |"
        )
    return lines


def main() -> None:
    """Measure, compete, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--keep", type=Path, help="where to put the bundle that is made")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the load's pattern")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} seconds")
    parser.add_argument("--budget-ms", type=float, help="default: 1.3 times the full net's p90")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    options = parser.parse_args()
    budget_us = round(options.budget_ms * 1000) if options.budget_ms else None
    seconds = QUICK_SECONDS if options.quick else options.seconds
    with tempfile.TemporaryDirectory() as folder:
        path = options.bundle or options.keep or Path(folder) / f"{NET}.elastic"
        if options.bundle is None:
            in_a_process_of_its_own(make_bundle, path)
        budget_us, found = measured_quietly(
            lambda: compare(path, seconds=seconds, budget_us=budget_us)
        )
        bundle = Bundle.open(path)
    goals = goals_of(found, bundle)
    lines = table(budget_us, found, bundle.manifest.score.metric)
    lines += ["", *(f"- {'reached' if done else 'MISSED'}: {goal}" for goal, done in goals.items())]
    if options.json:
        competitors = [dataclasses.asdict(each) for each in found]
        report = {"budget_us": budget_us, "competitors": competitors, "goals": goals}
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        print("\n".join(lines))
    if options.write:
        write(options.write, "\n".join(lines))


if __name__ == "__main__":
    main()
