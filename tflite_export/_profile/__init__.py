"""Measuring how long a bundle's variants take on a device.

Measuring writes a table; costing a plan that is not built yet reads one (`tfelastic/_cost`). Every profiler writes the
table of `runtime/SPEC.md`, section 6.
"""

import os
from collections.abc import Callable
from typing import Any

from tflite_export._profile.host import Progress, profile_host
from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile, describe_host
from tflite_export._profile.operations import measure_files, profile_ops
from tflite_export._profile.stopping import StoppingRule
from tflite_export.errors import ProfileError

__all__ = [
    "MeasuredLatency",
    "MeasuredProfile",
    "Progress",
    "StoppingRule",
    "describe_host",
    "measure_files",
    "profile",
    "profile_host",
    "profile_ops",
]

PROFILERS: dict[str, Callable[..., MeasuredProfile]] = {"host": profile_host}
"""What `on=` names: each measures a bundle on one kind of device."""


def profile(path: str | os.PathLike[str], *, on: str = "host", **options: Any) -> MeasuredProfile:
    """Measure every variant of a bundle on one device.

    Args:
        path: The bundle.
        on: The kind of device: `"host"` is this machine.
        options: Those of `profile_host`.

    Returns:
        One latency per variant; `to_json` is what `profile.json` and a manifest's `profiles` hold.

    Raises:
        ProfileError: The kind of device is unknown, or an option is out of range.
        BundleError: The bundle cannot be read.

    Example:
        >>> table = profile("model.elastic", on="host", threads=1)
    """
    if on not in PROFILERS:
        raise ProfileError(f"unknown device kind {on!r}; known: {', '.join(PROFILERS)}")
    return PROFILERS[on](path, **options)
