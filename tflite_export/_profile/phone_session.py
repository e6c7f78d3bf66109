"""Measures a bundle's variants on one phone.

Each call of `benchmark_model` measures one variant; the variants take turns, in an order shuffled anew in every round,
so that a phone that warms up slows all of them alike. Between the calls the phone cools down.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

from tflite_export._profile import adb, benchmark_tool, phone_state
from tflite_export._profile.benchmark_tool import BenchmarkRun
from tflite_export._profile.journal import Journal
from tflite_export._profile.measurement import MeasuredProfile
from tflite_export._profile.phone_state import Warmth
from tflite_export.errors import DeviceError, ProfileError

FOLDER = "/data/local/tmp/tfelastic"
"""Where files go on the phone, under the names of their SHA-256."""
CLUSTERS = "clusters"
"""Stands for the masks of each of a phone's clusters of cores."""

_MASK = re.compile("[0-9a-f]{1,16}")
_WARMER_C = 3.0
_LONGEST_CALL_S = 600.0


@dataclass(frozen=True, kw_only=True)
class PhoneConfigurations:
    """What is measured: each variant with each number of threads on each set of cores.

    Attributes:
        threads: Numbers of threads.
        cpu_masks: Sets of cores in hexadecimal, as `taskset` takes them; None for all cores, `clusters` for each of the
            phone's own clusters.
        xnnpack: Whether XNNPACK's kernels run, as by default.
    """

    threads: tuple[int, ...] = (1,)
    cpu_masks: tuple[str | None, ...] = (None,)
    xnnpack: bool = True

    def __post_init__(self) -> None:
        if not self.threads or min(self.threads) < 1:
            raise ProfileError(f"threads must be at least 1, got {self.threads!r}")
        for mask in self.cpu_masks:
            if mask not in (None, CLUSTERS) and not _MASK.fullmatch(mask or ""):
                raise ProfileError(
                    f"CPU mask {mask!r}: expected lower-case hexadecimal digits, such as f0 for the cores 4 to 7, or "
                    f"{CLUSTERS!r}"
                )


@dataclass(frozen=True, kw_only=True)
class PhonePace:
    """How long is measured, and how long the phone rests.

    Attributes:
        rounds: Calls of the tool for each variant in each configuration; from 6 on the median has a 95 % interval.
        seconds: Timed seconds of each call, at least.
        cool_down_s: Seconds between two calls.
        longest_cool_down_s: Seconds to wait where the phone is throttled, or 3 degrees warmer than at first.
    """

    rounds: int = 6
    seconds: float = 0.5
    cool_down_s: float = 2.0
    longest_cool_down_s: float = 120.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or not self.seconds > 0:
            raise ProfileError(
                f"expected at least 1 round of more than 0 seconds, got {self.rounds!r} of {self.seconds!r}"
            )
        if not 0 <= self.cool_down_s <= self.longest_cool_down_s:
            raise ProfileError(
                "expected a cool-down of at least 0 seconds, and at most the longest, got "
                f"{self.cool_down_s!r} and {self.longest_cool_down_s!r}"
            )


@dataclass(frozen=True)
class Task:
    """What every phone measures.

    Attributes:
        bundle_sha256: That of the bundle's payload.
        files: What lies on the phone: the variants and the tool, by the names that they have there.
        graphs: The name of each variant's file, by the variant's name.
        tool: The name of the tool's file.
        configurations: Threads, sets of cores, kernels.
        pace: How long is measured, and how long the phone rests.
    """

    bundle_sha256: str
    files: Mapping[str, Path]
    graphs: Mapping[str, str]
    tool: str
    configurations: PhoneConfigurations
    pace: PhonePace

    def runtime(self, run: BenchmarkRun) -> str:
        """Return what ran the variants: the kind of the tool, and the beginning of its SHA-256."""
        return f"{run.tool} {self.tool.rpartition('-')[2]}"


@dataclass(frozen=True)
class Step:
    """One call of the tool.

    Attributes:
        round: Its round, from 0.
        variant: What is measured, a name of `Task.graphs`.
        threads: Its number of threads.
        mask: Its set of cores; None for all.
    """

    round: int
    variant: str
    threads: int
    mask: str | None


class Session:
    """Measures on one phone."""

    def __init__(
        self,
        phone: adb.Phone,
        task: Task,
        journal: Journal | None,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._phone, self._task, self._journal = phone, task, journal
        self._progress = progress
        self._first_celsius: float | None = None
        self._called = False

    def run(self) -> list[MeasuredProfile]:
        """Measure everything, and return a table for each number of threads on each set of cores."""
        device, found = self.measure()
        governors = phone_state.governors(self._phone)
        tables: dict[tuple[int, str | None], dict[Step, dict[str, Any]]] = {}
        for step in sorted(found, key=lambda each: (each.mask or "", each.threads)):
            tables.setdefault((step.threads, step.mask), {})[step] = found[step]
        return [
            self._table({**device, **({"cpu_mask": mask} if mask else {})}, governors, rows)
            for (_, mask), rows in tables.items()
        ]

    def measure(self) -> tuple[dict[str, str | int | float], dict[Step, dict[str, Any]]]:
        """Push what is missing, and measure what was not measured yet.

        Returns:
            What is known of the phone; and for each call of the tool its `run`, as JSON, and how warm the phone was.
        """
        device = phone_state.describe(self._phone)
        steps = list(self._steps())
        self._push()
        found = {}
        for done, step in enumerate(steps, start=1):
            found[step] = self._measured(step, device)
            self._progress(self._phone.serial, done, len(steps))
        return device, found

    def _steps(self) -> Iterator[Step]:
        asked = self._task.configurations
        masks: list[str | None] = []
        for mask in asked.cpu_masks:
            masks += phone_state.clusters(self._phone) if mask == CLUSTERS else [mask]
        if not masks:
            raise DeviceError(
                f"phone {self._phone.serial} does not tell its cores' frequencies: give CPU masks in hexadecimal"
            )
        everything = list(itertools.product(self._task.graphs, asked.threads, dict.fromkeys(masks)))
        shuffle = random.Random(0).shuffle
        for number in range(self._task.pace.rounds):
            shuffle(everything)
            for configuration in everything:
                yield Step(number, *configuration)

    def _push(self) -> None:
        output, code = self._phone.shell(f"mkdir -p {FOLDER} && ls {FOLDER}")
        if code:
            raise DeviceError(
                f"phone {self._phone.serial}: cannot make the folder {FOLDER}: {output.strip()}"
            )
        there = set(output.split())
        for name, file in self._task.files.items():
            if name not in there:
                self._phone.push(file, f"{FOLDER}/{name}")

    def _measured(self, step: Step, device: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's findings: those of the journal, or of a call now."""
        pace, asked = self._task.pace, self._task.configurations
        key = "|".join(
            map(
                str,
                (
                    *(device.get("fingerprint"), self._task.tool, self._task.graphs[step.variant]),
                    *(step.round, step.threads, step.mask, asked.xnnpack, pace.seconds),
                ),
            )
        )
        kept = None if self._journal is None else self._journal.get(key)
        if kept is None:
            before = self._cool_down()
            run = self._call(step)
            kept = {"run": run.to_json(), "celsius": before.celsius, "status": before.status}
            if self._journal is not None:
                self._journal.put(key, kept)
        return kept

    def _call(self, step: Step) -> BenchmarkRun:
        asked, name = self._task.configurations, f"variant {step.variant}"
        command = benchmark_tool.command_line(
            f"{FOLDER}/{self._task.tool}",
            f"{FOLDER}/{self._task.graphs[step.variant]}",
            threads=step.threads,
            cpu_mask=step.mask,
            xnnpack=asked.xnnpack,
            seconds=self._task.pace.seconds,
        )
        output, code = self._phone.shell(command, timeout_s=_LONGEST_CALL_S)
        if code:
            words = " ".join(output.split())[-300:]
            raise DeviceError(
                f"phone {self._phone.serial}, {name}: benchmark_model {adb.exit_reason(code)}; it said {words!r}"
            )
        if not asked.xnnpack and "unrecognized commandline flag" in output:
            raise DeviceError(
                f"phone {self._phone.serial}: this benchmark_model cannot run without XNNPACK; use the classic one"
            )
        try:
            return benchmark_tool.parse(output)
        except ProfileError as error:
            raise ProfileError(f"phone {self._phone.serial}, {name}: {error}") from error

    def _cool_down(self) -> Warmth:
        """Rest between two calls, longer where the phone is warm, and return how warm it is."""
        pace, waited = self._task.pace, 0.0
        while True:
            if self._called:
                sleep(pace.cool_down_s)
                waited += max(pace.cool_down_s, 1.0)
            self._called = True
            now = phone_state.warmth(self._phone)
            if self._first_celsius is None:
                self._first_celsius = now.celsius
            limit = None if self._first_celsius is None else self._first_celsius + _WARMER_C
            warm = now.celsius is not None and limit is not None and now.celsius > limit
            if not (now.throttled or warm) or waited >= pace.longest_cool_down_s:
                return now

    def _table(
        self,
        device: Mapping[str, str | int | float],
        governors: str,
        found: Mapping[Step, Mapping[str, Any]],
    ) -> MeasuredProfile:
        runs: dict[str, list[BenchmarkRun]] = {name: [] for name in self._task.graphs}
        for step, kept in found.items():
            runs[step.variant].append(BenchmarkRun.from_json(kept["run"]))
        every = [run for each in runs.values() for run in each]
        conditions: dict[str, str | int | float] = {
            "rounds": self._task.pace.rounds,
            "percentiles_from": benchmark_tool.percentiles_of(every),
        }
        if governors:
            conditions["governor"] = governors
        celsius = [kept["celsius"] for kept in found.values() if kept["celsius"] is not None]
        if celsius:
            conditions |= {"coolest_celsius": min(celsius), "warmest_celsius": max(celsius)}
        status = [kept["status"] for kept in found.values() if kept["status"] is not None]
        if status:
            conditions["worst_thermal_status"] = max(status)
        return MeasuredProfile(
            device=device,
            threads=next(iter(found)).threads,
            latencies={name: benchmark_tool.combine(each) for name, each in runs.items()},
            runtime=self._task.runtime(every[0]),
            kernels="xnnpack" if self._task.configurations.xnnpack else "builtin",
            bundle_sha256=self._task.bundle_sha256,
            conditions=conditions,
        )
