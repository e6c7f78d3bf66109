"""Measuring how long a bundle's variants take on a device.

Measuring writes a table; costing a plan that is not built yet reads one (`tfelastic/_cost`).
"""

import os
from collections.abc import Callable

from tflite_export._profile.host import Progress, profile_host
from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile, describe_host
from tflite_export._profile.operations import measure_files, profile_ops
from tflite_export.errors import ProfileError

__all__ = [
    "MeasuredLatency",
    "MeasuredProfile",
    "describe_host",
    "measure_files",
    "profile",
    "profile_host",
    "profile_ops",
]

PROFILERS: dict[str, Callable[..., MeasuredProfile]] = {"host": profile_host}
"""What `on=` names: each measures a bundle on one kind of device."""


def profile(
    path: str | os.PathLike[str],
    *,
    on: str = "host",
    threads: int = 1,
    runs: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> MeasuredProfile:
    """Measure every variant of a bundle.

    Args:
        path: The bundle.
        on: The kind of device: `"host"` is this machine.
        threads: Threads that one inference may use.
        runs: Timed runs of each variant.
        seed: Decides the image's pixels and the order in which the variants take turns.
        progress: Called as `progress(what, done, total)` from time to time.

    Returns:
        One latency per variant; `to_json` is what `profile.json` and a manifest's `profiles` hold.

    Raises:
        ProfileError: The kind of device is unknown, or a number is not positive.
        BundleError: The bundle cannot be read.

    Example:
        >>> table = profile("model.elastic", on="host", threads=1)
    """
    if on not in PROFILERS:
        raise ProfileError(f"unknown device kind {on!r}; known: {', '.join(PROFILERS)}")
    return PROFILERS[on](path, threads=threads, runs=runs, seed=seed, progress=progress)
