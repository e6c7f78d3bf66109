"""Measured latencies with the statistics that a report wants beside those that a selector needs.

The device's own types (`tfelastic_runtime.latency`) carry what the selection policy reads: p50, p90
and the number of runs. Here they are extended, not repeated: a table measured by the exporter is a
table that a `Selector` takes, and a reader that knows only the device's statistics ignores the
others.
"""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tfelastic_runtime import latency as runtime

from tflite_export.errors import ProfileError


@dataclass(frozen=True)
class Latency(runtime.Latency):
    """What one variant took on one device.

    Attributes:
        p50_us: Median latency in microseconds.
        p90_us: Latency in microseconds that nine runs of ten kept.
        runs: How many runs were timed.
        mean_us: Mean latency in microseconds, to a tenth.
        min_us: Shortest latency in microseconds.
    """

    mean_us: float
    min_us: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.min_us <= self.p50_us or not self.min_us <= self.mean_us:
            raise ProfileError(
                "min_us must lie between 1 and both the median and the mean, got "
                f"min_us={self.min_us}, p50_us={self.p50_us}, mean_us={self.mean_us}"
            )

    @classmethod
    def of(cls, samples_us: Iterable[int]) -> Self:
        """Sum up single runs: the percentiles are nearest ranks, so they did occur."""
        samples = [max(sample, 1) for sample in samples_us]
        device = runtime.Latency.of(samples)
        return cls(
            p50_us=device.p50_us,
            p90_us=device.p90_us,
            runs=device.runs,
            mean_us=round(sum(samples) / len(samples), 1),
            min_us=min(samples),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as plain data, those that the device reads among them."""
        return {**super().to_json(), "mean_us": self.mean_us, "min_us": self.min_us}

    @classmethod
    def from_json(cls, data: object, *, where: str = "latency") -> Self:
        """Read what `to_json` wrote."""
        device = runtime.Latency.from_json(data, where=where)
        if not isinstance(data, Mapping) or not {"mean_us", "min_us"} <= data.keys():
            raise ProfileError(f"{where}: expected mean_us and min_us beside the percentiles")
        return cls(device.p50_us, device.p90_us, device.runs, data["mean_us"], data["min_us"])


@dataclass(frozen=True)
class Profile(runtime.Profile):
    """The latencies of a bundle's variants on one device, as `profile` measured them.

    It is the runtime's `Profile`, so `Selector.open(bundle, profile=...)` takes it as it is.
    """

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ProfileError: A statistic is missing or impossible. (What the device's part finds wrong
                is raised as its own `tfelastic_runtime` error, likewise a ValueError.)
        """
        table = runtime.Profile.from_json(data)
        checked: Any = data
        latencies = {
            name: Latency.from_json(latency, where=f"latencies[{name!r}]")
            for name, latency in checked["latencies"].items()
        }
        return cls(table.device, table.threads, latencies)

    def __str__(self) -> str:
        lines = [f"{'variant':<12}{'p50 us':>10}{'p90 us':>10}{'mean us':>10}{'runs':>8}"]
        for name, latency in self.latencies.items():
            mean = f"{latency.mean_us:.1f}" if isinstance(latency, Latency) else ""
            lines.append(
                f"{name:<12}{latency.p50_us:>10,}{latency.p90_us:>10,}{mean:>10}{latency.runs:>8,}"
            )
        return "\n".join(lines)


def describe_host() -> dict[str, str | int]:
    """Return what is known of this machine, for a profile's `device`."""
    return {
        "kind": "host",
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "litert": importlib.metadata.version("ai-edge-litert"),
    }


def _processor() -> str:
    # Linux leaves platform.processor() empty and tells the name here instead.
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
