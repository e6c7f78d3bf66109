"""Measured latencies with the statistics that a report wants beside those that a selector needs.

The device's own types (`tfelastic_runtime.latency`) carry what `runtime/SPEC.md`, section 6, defines. They are parts of
the types here, and both have one form as JSON: a reader that knows only the device's statistics ignores the others.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfelastic_runtime import Latency, Profile

from tflite_export.errors import ProfileError


@dataclass(frozen=True, kw_only=True)
class MeasuredLatency:
    """What one variant took on one device.

    Attributes:
        device: The statistics that the selection policy reads.
        mean_us: Mean latency in microseconds, to a tenth.
        min_us: Shortest latency in microseconds.
        half_width: How far the 95 % interval of the median reaches from it, as a share of it; None where unknown.
    """

    device: Latency
    mean_us: float
    min_us: int
    half_width: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.min_us <= self.device.p50_us or not self.min_us <= self.mean_us:
            raise ProfileError(
                "min_us must lie between 1 and both the median and the mean, got "
                f"min_us={self.min_us}, p50_us={self.device.p50_us}, mean_us={self.mean_us}"
            )

    @classmethod
    def of(
        cls, samples_us: Iterable[int], *, half_width: float | None = None, **known: int | None
    ) -> MeasuredLatency:
        """Sum up single runs: the percentiles are nearest ranks, so they did occur.

        Args:
            samples_us: The runs' latencies in microseconds.
            half_width: As the attribute.
            known: `first_us`, `switch_us` and `peak_rss_bytes`, as `Latency` has them.
        """
        samples = [max(sample, 1) for sample in samples_us]
        return cls(
            device=Latency.of(samples, **known),
            mean_us=round(sum(samples) / len(samples), 1),
            min_us=min(samples),
            half_width=None if half_width is None else round(half_width, 4),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as plain data, those that the device reads among them."""
        known = {} if self.half_width is None else {"half_width": self.half_width}
        return {**self.device.to_json(), "mean_us": self.mean_us, "min_us": self.min_us, **known}

    @classmethod
    def from_json(cls, data: object, *, where: str = "latency") -> MeasuredLatency:
        """Read what `to_json` wrote."""
        device = Latency.from_json(data, where=where)
        if not isinstance(data, Mapping) or not {"mean_us", "min_us"} <= data.keys():
            raise ProfileError(f"{where}: expected mean_us and min_us beside the percentiles")
        return cls(
            device=device,
            mean_us=data["mean_us"],
            min_us=data["min_us"],
            half_width=data.get("half_width"),
        )


@dataclass(frozen=True)
class MeasuredProfile:
    """The latencies of a bundle's variants on one device, as a profiler measured them.

    Attributes:
        device: What is known of the device: its name, processor, system.
        threads: How many threads the interpreters used.
        latencies: One latency per variant name.
        runtime: Name and version of what ran the variants; None where unknown.
        kernels: The set of kernels, such as `xnnpack`; None where unknown.
        bundle_sha256: The SHA-256 of the measured bundle's payload; None where unknown.
        conditions: What held meanwhile, such as the CPU mask, the governor and the temperature.
    """

    device: Mapping[str, str | int | float]
    threads: int
    latencies: Mapping[str, MeasuredLatency]
    runtime: str | None = None
    kernels: str | None = None
    bundle_sha256: str | None = None
    conditions: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The runtime's own constructor checks what both hold.
        _ = self.table

    @property
    def table(self) -> Profile:
        """What `Selector.open(bundle, profile=...)` takes."""
        latencies = {name: latency.device for name, latency in self.latencies.items()}
        return Profile(
            self.device, self.threads, latencies, self.runtime, self.kernels, self.bundle_sha256
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data, as `profile.json` holds them."""
        latencies = {name: latency.to_json() for name, latency in self.latencies.items()}
        known = {"conditions": dict(self.conditions)} if self.conditions else {}
        return {**self.table.to_json(), **known, "latencies": latencies}

    @classmethod
    def from_json(cls, data: object) -> MeasuredProfile:
        """Read what `to_json` wrote.

        Raises:
            ProfileError: A statistic is missing or impossible. (What the device's part finds wrong
                is raised as its own `tfelastic_runtime` error, likewise a ValueError.)
        """
        table = Profile.from_json(data)
        checked: Any = data
        latencies = {
            name: MeasuredLatency.from_json(latency, where=f"latencies[{name!r}]")
            for name, latency in checked["latencies"].items()
        }
        return cls(
            table.device,
            table.threads,
            latencies,
            table.runtime,
            table.kernels,
            table.bundle_sha256,
            checked.get("conditions") or {},
        )

    def __str__(self) -> str:
        lines = [f"{'variant':<12}{'p50 us':>10}{'p90 us':>10}{'mean us':>10}{'runs':>8}"]
        for name, each in self.latencies.items():
            lines.append(
                f"{name:<12}{each.device.p50_us:>10,}{each.device.p90_us:>10,}{each.mean_us:>10.1f}"
                f"{each.device.runs:>8,}"
            )
        return "\n".join(lines)


def describe_host() -> dict[str, str | int]:
    """Return what is known of this machine, for a profile's `device`."""
    return {
        "name": _processor(),
        "kind": "host",
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "litert": litert_version(),
    }


def litert_version() -> str:
    """Return the version of the LiteRT that is installed here."""
    return importlib.metadata.version("ai-edge-litert")


def _processor() -> str:
    # Linux leaves platform.processor() empty and has the name here instead.
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
