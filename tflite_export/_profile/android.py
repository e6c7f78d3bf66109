"""Measures a bundle's variants on Android phones, with the user's `benchmark_model`, over adb; phones in parallel."""

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tfelastic_runtime import Bundle

from tflite_export._profile import adb
from tflite_export._profile.host import Progress
from tflite_export._profile.journal import Journal
from tflite_export._profile.measurement import MeasuredProfile
from tflite_export._profile.phone_session import PhoneConfigurations, PhonePace, Session, Task
from tflite_export.errors import DeviceError, ProfileError


@dataclass(frozen=True)
class AndroidReport:
    """What `profile_android` measured.

    Attributes:
        tables: One for each phone, number of threads and set of cores.
        failures: Why a phone was not measured to the end, by its serial.
    """

    tables: tuple[MeasuredProfile, ...]
    failures: Mapping[str, str] = field(default_factory=dict)


def profile_android(
    path: str | os.PathLike[str],
    *,
    benchmark_model: str | os.PathLike[str],
    serials: Sequence[str] = (),
    configurations: PhoneConfigurations | None = None,
    pace: PhonePace | None = None,
    journal: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> AndroidReport:
    """Measure every variant of a bundle on phones that are attached through adb.

    Args:
        path: The bundle.
        benchmark_model: TensorFlow Lite's or LiteRT's tool of that name, built for the phones.
        serials: The phones; by default all that are attached.
        configurations: Threads, sets of cores, kernels.
        pace: How long is measured, and how long the phone rests.
        journal: A folder that keeps what was measured until all is: the same call resumes. None keeps nothing.
        progress: Called as `progress(serial, done, total)` after each call of the tool, from several threads in turn.

    Returns:
        The tables of all phones that were measured to the end, and why others were not.

    Raises:
        DeviceError: There is no adb, no phone, or one that was asked for cannot be used.
        ProfileError: An option is out of range, or there is no such tool.
        BundleError: The bundle cannot be read.
    """
    tool = existing_tool(benchmark_model)
    client = adb.find_adb()
    chosen = adb.choose(client, tuple(serials))
    kept = None if journal is None else Path(journal)
    lock = threading.Lock()

    def say(serial: str, done: int, total: int) -> None:
        if progress is not None:
            with lock:
                progress(serial, done, total)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(chosen)) as pool:
        task = Task(
            *_files(path, tool, Path(folder)),
            configurations or PhoneConfigurations(),
            pace or PhonePace(),
        )
        sessions = {
            serial: pool.submit(
                Session(adb.Phone(client, serial), task, journal_of(kept, serial), say).run
            )
            for serial in chosen
        }
        tables: list[MeasuredProfile] = []
        failures: dict[str, str] = {}
        for serial, session in sessions.items():
            try:
                tables += session.result()
            except (DeviceError, ProfileError) as error:
                failures[serial] = str(error)
    if kept is not None and not failures:
        shutil.rmtree(kept, ignore_errors=True)
    return AndroidReport(tuple(tables), failures)


def existing_tool(benchmark_model: str | os.PathLike[str]) -> Path:
    """Return the path of the user's tool.

    Raises:
        ProfileError: There is no such file.
    """
    tool = Path(benchmark_model)
    if not tool.is_file():
        raise ProfileError(
            f"there is no file {tool}: give the path of a benchmark_model that was built for the phone, such as "
            "android_aarch64_benchmark_model of TensorFlow Lite"
        )
    return tool


def name_of_tool(tool: Path) -> str:
    """Return the name that a tool has on the phone, by its SHA-256."""
    return f"benchmark_model-{hashlib.sha256(tool.read_bytes()).hexdigest()[:16]}"


def _files(
    path: str | os.PathLike[str], tool: Path, folder: Path
) -> tuple[str, dict[str, Path], dict[str, str], str]:
    """Return the payload's SHA-256, the files to push, each variant's among them, and the tool's."""
    bundle = Bundle.open(path)
    tool_name = name_of_tool(tool)
    files, graphs = {tool_name: tool}, {}
    for variant in bundle.variants:
        graphs[variant.name] = name = f"{variant.sha256[:32]}.tflite"
        files[name] = folder / name
        files[name].write_bytes(bundle.model(variant.name))
    return bundle.payload_sha256, files, graphs, tool_name


def journal_of(folder: Path | None, serial: str) -> Journal | None:
    """Return a phone's journal in a folder, if there is one."""
    plain = "".join(each if each.isalnum() else "-" for each in serial)
    return None if folder is None else Journal(folder / f"{plain}.jsonl")
