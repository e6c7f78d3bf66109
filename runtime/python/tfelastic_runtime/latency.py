"""Measured latencies: what one variant took, and the table of all of them on one device.

A table may come from `profile.json`, from a bundle's manifest, or from `measure`, which times the
variants in turns, so that a drift of the clock speed hits all of them alike.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfelastic_runtime.errors import ProfileError
from tfelastic_runtime.policy import MICROSECONDS_MAX
from tfelastic_runtime.schema import Schema

_check = Schema(ProfileError)


@dataclass(frozen=True)
class Latency:
    """What one variant took on one device.

    Attributes:
        p50_us: Median latency in microseconds.
        p90_us: Latency in microseconds that nine runs of ten kept.
        runs: How many runs were timed.
    """

    p50_us: int
    p90_us: int
    runs: int

    def __post_init__(self) -> None:
        _check.integer(self.p50_us, "p50_us", low=1, high=MICROSECONDS_MAX)
        _check.integer(self.p90_us, "p90_us", low=self.p50_us, high=MICROSECONDS_MAX)
        _check.integer(self.runs, "runs", low=1)

    @classmethod
    def of(cls, samples_us: Iterable[int]) -> Latency:
        """Sum up single runs' latencies; the percentiles are nearest ranks, so they did occur."""
        ordered = sorted(max(sample, 1) for sample in samples_us)
        if not ordered:
            raise ProfileError("no run was timed: expected at least one latency")
        count = len(ordered)
        return cls(ordered[-(-count // 2) - 1], ordered[-(-9 * count // 10) - 1], count)

    def to_json(self) -> dict[str, int]:
        """Return the fields as plain data."""
        return {"p50_us": self.p50_us, "p90_us": self.p90_us, "runs": self.runs}

    @classmethod
    def from_json(cls, data: object, *, where: str = "latency") -> Latency:
        """Read what `to_json` wrote; further statistics are ignored, fractions are rounded up."""
        found = _check.fields(data, ("p50_us", "p90_us", "runs"), where)
        p50_us, p90_us = (
            math.ceil(_check.number(found[key], f"{where}.{key}", low=0, high=MICROSECONDS_MAX))
            for key in ("p50_us", "p90_us")
        )
        try:
            return cls(p50_us, p90_us, found["runs"])
        except ProfileError as cause:
            raise ProfileError(f"{where}.{cause}") from cause


@dataclass(frozen=True)
class Profile:
    """The latencies of a bundle's variants on one device.

    Attributes:
        device: What is known of the device: its name, processor, system.
        threads: How many threads the interpreters used.
        latencies: One latency per variant name.
    """

    device: Mapping[str, str | int | float]
    threads: int
    latencies: Mapping[str, Latency]

    def __post_init__(self) -> None:
        _check.fields(self.device, (), "device")
        for key, value in self.device.items():
            if not isinstance(key, str) or not isinstance(value, str | int | float):
                raise ProfileError(
                    f"device: expected texts and numbers, received {key!r}: {value!r}"
                )
        _check.integer(self.threads, "threads", low=1, high=1024)
        if not _check.fields(self.latencies, (), "latencies"):
            raise ProfileError("latencies: expected at least one variant")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        latencies = {name: latency.to_json() for name, latency in self.latencies.items()}
        return {"device": dict(self.device), "threads": self.threads, "latencies": latencies}

    @classmethod
    def from_json(cls, data: object) -> Profile:
        """Read what `to_json` wrote; further keys are ignored."""
        found = _check.fields(data, ("device", "threads", "latencies"), "profile")
        latencies = _check.fields(found["latencies"], (), "latencies")
        return cls(
            found["device"],
            found["threads"],
            {
                str(name): Latency.from_json(value, where=f"latencies[{name!r}]")
                for name, value in latencies.items()
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a `profile.json`.

        Raises:
            ProfileError: The file is no latency table; the message names it.
            OSError: The file cannot be opened.
        """
        try:
            return cls.from_json(_check.parse(Path(path).read_bytes(), "the file"))
        except ProfileError as cause:
            raise ProfileError(f"{path}: {cause}") from cause


def measure(
    names: Sequence[str],
    run: Callable[[str], int],
    *,
    rounds: int = 5,
    runs: int = 4,
) -> dict[str, Latency]:
    """Time variants in turns: `rounds` times over, `runs` runs of each.

    Args:
        names: The variants' names.
        run: Runs the named variant once and returns its latency in microseconds.
        rounds: How often all the variants take their turn.
        runs: Runs per turn; the first of a turn finds cold caches, as it does when the selector
            switches.

    Returns:
        One latency per name, over `rounds * runs` runs each.
    """
    samples: dict[str, list[int]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            samples[name] += [run(name) for _ in range(runs)]
    return {name: Latency.of(found) for name, found in samples.items()}
