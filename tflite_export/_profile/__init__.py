"""Measuring how long a bundle's variants take on a device.

Measuring writes a table; costing a plan that is not built yet reads one (`tfelastic/_cost`). Every profiler writes the
table of `runtime/SPEC.md`, section 6.
"""

import os
from collections.abc import Callable
from typing import Any

from tflite_export._profile.adb import AttachedPhone, attached_phones, find_adb
from tflite_export._profile.android import AndroidReport, profile_android
from tflite_export._profile.host import Progress, profile_host
from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile, describe_host
from tflite_export._profile.operations import measure_files, profile_ops
from tflite_export._profile.phone_files import (
    PhoneLatencies,
    measure_files_on_phone,
    profile_ops_on_phone,
)
from tflite_export._profile.phone_session import PhoneConfigurations, PhonePace
from tflite_export._profile.picture import draw_profiles
from tflite_export._profile.redundancy import TimedVariant, redundant, time_in_turns
from tflite_export._profile.serial_line import profile_serial
from tflite_export._profile.stopping import StoppingRule
from tflite_export.errors import DeviceError, ProfileError

__all__ = [
    "AndroidReport",
    "AttachedPhone",
    "MeasuredLatency",
    "MeasuredProfile",
    "PhoneConfigurations",
    "PhoneLatencies",
    "PhonePace",
    "Progress",
    "StoppingRule",
    "TimedVariant",
    "attached_phones",
    "describe_host",
    "draw_profiles",
    "find_adb",
    "measure_files",
    "measure_files_on_phone",
    "profile",
    "profile_android",
    "profile_host",
    "profile_ops",
    "profile_ops_on_phone",
    "profile_serial",
    "redundant",
    "time_in_turns",
]


def profile(path: str | os.PathLike[str], *, on: str = "host", **options: Any) -> MeasuredProfile:
    """Measure every variant of a bundle on one device, in one configuration.

    Args:
        path: The bundle.
        on: The kind of device: `"host"` is this machine, `"android"` a phone, `"serial"` a board.
        options: Those of `profile_host`, `profile_android` or `profile_serial`.

    Returns:
        One latency per variant; `to_json` is what `profile.json` and a manifest's `profiles` hold.

    Raises:
        ProfileError: The kind of device is unknown, or an option is out of range.
        DeviceError: A phone or board cannot be used.
        BundleError: The bundle cannot be read.

    Examples:
        >>> table = profile("model.elastic", stop=StoppingRule(half_width=0.1, limit_s=5))
    """
    if on not in PROFILERS:
        raise ProfileError(f"unknown device kind {on!r}; known: {', '.join(PROFILERS)}")
    return PROFILERS[on](path, **options)


def _profile_phone(path: str | os.PathLike[str], **options: Any) -> MeasuredProfile:
    report = profile_android(path, **options)
    if report.failures:
        raise DeviceError("; ".join(report.failures.values()))
    if len(report.tables) != 1:
        raise ProfileError(
            f"{len(report.tables)} tables were measured, one for each phone, number of threads and set of cores: "
            "profile_android returns them all"
        )
    return report.tables[0]


PROFILERS: dict[str, Callable[..., MeasuredProfile]] = {
    "host": profile_host,
    "android": _profile_phone,
    "serial": profile_serial,
}
"""What `on=` names: each measures a bundle on one kind of device."""
