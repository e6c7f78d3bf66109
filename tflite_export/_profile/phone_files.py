"""Measures single .tflite files on a phone, and so a model's operations."""

import hashlib
import os
import shutil
import statistics
import tempfile
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tflite_export._profile import adb
from tflite_export._profile.android import existing_tool, journal_of, name_of_tool
from tflite_export._profile.benchmark_tool import BenchmarkRun
from tflite_export._profile.host import Progress
from tflite_export._profile.operations import profile_ops
from tflite_export._profile.phone_session import PhoneConfigurations, PhonePace, Session, Task
from tflite_export.errors import DeviceError

if TYPE_CHECKING:
    import keras

    from tfelastic._cost import LatencyTable
    from tflite_export._profile.microbenchmarks import BenchmarkPoint

QUICK = PhonePace(rounds=3, seconds=0.1, cool_down_s=0.0)
"""The usual pace of single files: there are hundreds, and each is small."""

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class PhoneLatencies(Generic[Name]):
    """What `measure_files_on_phone` found.

    Attributes:
        device: What is known of the phone.
        runtime: The tool, by its kind and its SHA-256.
        p50_us: The median time of one inference of each file in microseconds; of the mean times of the calls where the
            tool prints no medians.
    """

    device: Mapping[str, str | int | float]
    runtime: str
    p50_us: Mapping[Name, float]


def measure_files_on_phone(
    files: Mapping[Name, bytes],
    *,
    benchmark_model: str | os.PathLike[str],
    serial: str | None = None,
    threads: int = 1,
    xnnpack: bool = True,
    pace: PhonePace = QUICK,
    journal: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> PhoneLatencies[Name]:
    """Return the median time of one inference of each file on a phone that is attached through adb.

    Args:
        files: The files by name.
        benchmark_model: TensorFlow Lite's or LiteRT's tool of that name, built for the phone.
        serial: The phone; it may be left out where one alone is attached.
        threads: Threads that one inference may use.
        xnnpack: Whether XNNPACK's kernels run, as by default.
        pace: How long is measured, and how long the phone rests.
        journal: A folder that keeps what was measured until all is: the same call resumes. None keeps nothing.
        progress: Called as `progress("measure", done, total)` after each call of the tool.

    Raises:
        DeviceError: There is no adb, no phone or more than one, or it cannot be used.
        ProfileError: An option is out of range, or there is no such tool.
    """
    tool, client = existing_tool(benchmark_model), adb.find_adb()
    chosen = adb.choose(client, () if serial is None else (serial,))
    if len(chosen) != 1:
        raise DeviceError(f"{len(chosen)} phones are attached, {', '.join(chosen)}: give a serial")
    kept = None if journal is None else Path(journal)
    graphs = {hashlib.sha256(tflite).hexdigest()[:32]: tflite for tflite in files.values()}
    with tempfile.TemporaryDirectory() as folder:
        paths = {f"{name}.tflite": Path(folder, f"{name}.tflite") for name in graphs}
        for name, tflite in graphs.items():
            paths[f"{name}.tflite"].write_bytes(tflite)
        task = Task(
            bundle_sha256="",
            files={name_of_tool(tool): tool, **paths},
            graphs={name: f"{name}.tflite" for name in graphs},
            tool=name_of_tool(tool),
            configurations=PhoneConfigurations(threads=(threads,), xnnpack=xnnpack),
            pace=pace,
        )

        def say(_: str, done: int, total: int) -> None:
            if progress is not None:
                progress("measure", done, total)

        phone = adb.Phone(client, chosen[0])
        device, found = Session(phone, task, journal_of(kept, chosen[0]), say).measure()
    runtime = ""
    medians: dict[str, list[float]] = {name: [] for name in graphs}
    for step, measured in found.items():
        run = BenchmarkRun.from_json(measured["run"])
        runtime = task.runtime(run)
        medians[step.variant].append(run.mean_us if run.median_us is None else run.median_us)
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    return PhoneLatencies(
        device,
        runtime,
        {
            name: statistics.median(medians[hashlib.sha256(tflite).hexdigest()[:32]])
            for name, tflite in files.items()
        },
    )


def profile_ops_on_phone(
    model: "keras.Model",
    *,
    scheme: str = "int8",
    round_to: int = 8,
    threads: int = 1,
    progress: Progress | None = None,
    **options: Any,
) -> "LatencyTable":
    """Measure every operation of a model on a phone, at the grid of channel counts of `profile_ops`.

    Args:
        model: A functional or sequential model.
        scheme: The quantization scheme to measure in.
        round_to: What the channel counts of plans are multiples of, as for `profile_ops`.
        threads: Threads that one inference may use.
        progress: Called as `progress(what, done, total)` after each conversion and each call of the tool.
        **options: The other options of `measure_files_on_phone`: `benchmark_model`, `serial`, `pace`, `journal` and
            `xnnpack`.

    Returns:
        A table for `tfelastic.Budget(latency_us=..., latency=table)`.

    Raises:
        DeviceError: There is no adb, no phone or more than one, or it cannot be used.
        ConversionError: A layer cannot be converted on its own.
        GraphError: The model cannot be traced.
        ProfileError: An option is out of range, or there is no such tool.
        SchemeError: The scheme is unknown.
    """
    found: list[PhoneLatencies[BenchmarkPoint]] = []

    def measure(
        files: "Mapping[BenchmarkPoint, bytes]", **_: Any
    ) -> "Mapping[BenchmarkPoint, float]":
        found.append(measure_files_on_phone(files, threads=threads, progress=progress, **options))
        return found[0].p50_us

    table = profile_ops(
        model,
        scheme=scheme,
        round_to=round_to,
        threads=threads,
        measure=measure,
        progress=progress,
    )
    kernels = "xnnpack" if options.get("xnnpack", True) else "builtin"
    return replace(table, device=found[0].device, runtime=found[0].runtime, kernels=kernels)
