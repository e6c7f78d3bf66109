"""Measured latencies: what one variant took, and the table of all of them on one device.

Every profiler writes one format (`runtime/SPEC.md`, section 6; `runtime/profile.schema.json`). A table
may come from `profile.json`, from a bundle's manifest, or from `measure`, which times the variants in
turns, so that a drift of the clock speed hits all of them alike.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tfelastic_runtime.errors import ProfileError
from tfelastic_runtime.row import MICROSECONDS_MAX, Row
from tfelastic_runtime.schema import COUNT_MAX, Schema

_check = Schema(ProfileError)
_SHA256 = re.compile("[0-9a-f]{64}")

TABLE_FORMAT = 1
"""The format number of a measured table."""


@dataclass(frozen=True)
class Latency:
    """What one variant took on one device.

    Attributes:
        p50_us: Median latency in microseconds.
        p90_us: Latency in microseconds that nine runs of ten kept.
        runs: How many runs were timed.
        p99_us: Latency in microseconds that 99 runs of 100 kept; None where unknown.
        first_us: Latency of the first inference after opening; None where unknown.
        switch_us: Time to make the variant ready, in microseconds, without its first inference; None
            where unknown.
        peak_rss_bytes: Largest resident memory of the process with this variant open; None where
            unknown.
    """

    p50_us: int
    p90_us: int
    runs: int
    p99_us: int | None = None
    first_us: int | None = None
    switch_us: int | None = None
    peak_rss_bytes: int | None = None

    def __post_init__(self) -> None:
        _check.integer(self.p50_us, "p50_us", low=1, high=MICROSECONDS_MAX)
        _check.integer(self.p90_us, "p90_us", low=self.p50_us, high=MICROSECONDS_MAX)
        _check.integer(self.runs, "runs", low=1)
        for name, low, high in (
            ("p99_us", self.p90_us, MICROSECONDS_MAX),
            ("first_us", 1, MICROSECONDS_MAX),
            ("switch_us", 0, MICROSECONDS_MAX),
            ("peak_rss_bytes", 1, COUNT_MAX),
        ):
            if getattr(self, name) is not None:
                _check.integer(getattr(self, name), name, low=low, high=high)

    @classmethod
    def of(
        cls,
        samples_us: Iterable[int],
        *,
        first_us: int | None = None,
        switch_us: int | None = None,
        peak_rss_bytes: int | None = None,
    ) -> Latency:
        """Sum up single runs' latencies; the percentiles are nearest ranks, so they did occur."""
        ordered = sorted(max(sample, 1) for sample in samples_us)
        if not ordered:
            raise ProfileError("no run was timed: expected at least one latency")
        count = len(ordered)
        p50_us, p90_us, p99_us = (
            ordered[-(-count * percent // 100) - 1] for percent in (50, 90, 99)
        )
        return cls(p50_us, p90_us, count, p99_us, first_us, switch_us, peak_rss_bytes)

    def row(self, score_order: int) -> Row:
        """Return the policy's row; switching takes opening and the first inference."""
        switch_us = (self.switch_us or 0) + (self.first_us or 0 if self.switch_us else 0)
        return Row(score_order, self.p50_us, self.p90_us, min(switch_us, MICROSECONDS_MAX))

    def to_json(self) -> dict[str, int]:
        """Return the fields as plain data, without what is unknown."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_json(cls, data: object, *, where: str = "latency") -> Latency:
        """Read what `to_json` wrote; further statistics are ignored, fractions are rounded up."""
        found = _check.fields(data, ("p50_us", "p90_us", "runs"), where)

        def rounded(key: str) -> int | None:
            if found.get(key) is None and key not in ("p50_us", "p90_us"):
                return None
            return math.ceil(
                _check.number(found[key], f"{where}.{key}", low=0, high=MICROSECONDS_MAX)
            )

        latencies: dict[str, Any] = {key: rounded(key) for key in _LATENCIES}
        try:
            return cls(
                runs=found["runs"],
                switch_us=found.get("switch_us"),
                peak_rss_bytes=found.get("peak_rss_bytes"),
                **latencies,
            )
        except ProfileError as cause:
            raise ProfileError(f"{where}.{cause}") from cause


_LATENCIES = ("p50_us", "p90_us", "p99_us", "first_us")


@dataclass(frozen=True)
class Profile:
    """A measured table: the latencies of a bundle's variants on one device.

    Attributes:
        device: What is known of the device, texts and numbers; a table in a file has a `name`.
        threads: How many threads the interpreters used.
        latencies: One latency per variant name.
        runtime: Name and version of what ran the variants, such as `LiteRT 2.3.0`; None where
            unknown.
        kernels: The set of kernels, such as `xnnpack` or `cmsis-nn`; None where unknown.
        bundle_sha256: The SHA-256 of the measured bundle's payload, 64 lower-case hexadecimal digits;
            None where unknown.
    """

    device: Mapping[str, str | int | float]
    threads: int
    latencies: Mapping[str, Latency]
    runtime: str | None = None
    kernels: str | None = None
    bundle_sha256: str | None = None

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
        for name in ("runtime", "kernels"):
            if getattr(self, name) is not None:
                _check.text(getattr(self, name), name)
        if self.bundle_sha256 is not None and not (
            isinstance(self.bundle_sha256, str) and _SHA256.fullmatch(self.bundle_sha256)
        ):
            raise ProfileError(
                "bundle_sha256: expected 64 lower-case hexadecimal digits, "
                f"received {self.bundle_sha256!r}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain data, without what is unknown."""
        known = {
            "runtime": self.runtime,
            "kernels": self.kernels,
            "bundle_sha256": self.bundle_sha256,
        }
        return {
            "format": TABLE_FORMAT,
            "device": dict(self.device),
            **{name: value for name, value in known.items() if value is not None},
            "threads": self.threads,
            "latencies": {name: latency.to_json() for name, latency in self.latencies.items()},
        }

    @classmethod
    def from_json(cls, data: object) -> Profile:
        """Read what `to_json` wrote; further keys are ignored.

        A table within a manifest may leave out what is not known, and its format number.

        Raises:
            ProfileError: A value is missing or impossible, or the format is not known.
        """
        found = _check.fields(data, ("device", "threads", "latencies"), "profile")
        _check.constants({"format": TABLE_FORMAT, **found}, {"format": TABLE_FORMAT}, "profile")
        latencies = _check.fields(found["latencies"], (), "latencies")
        return cls(
            found["device"],
            found["threads"],
            {
                str(name): Latency.from_json(value, where=f"latencies[{name!r}]")
                for name, value in latencies.items()
            },
            **{key: found.get(key) for key in ("runtime", "kernels", "bundle_sha256")},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a table's file, such as `profile.json`.

        Raises:
            ProfileError: The file is no measured table; the message names it.
            OSError: The file cannot be opened.
        """
        try:
            data = _check.parse(Path(path).read_bytes(), "the file")
            found = _check.fields(data, ("format", "device"), "the file")
            table = cls.from_json(data)
            name = _check.fields(found["device"], ("name",), "device")["name"]
            _check.text(name, "device['name']")
            return table
        except ProfileError as cause:
            raise ProfileError(f"{path}: {cause}") from cause


def measure(
    names: Sequence[str],
    run: Callable[[str], int | None],
    *,
    rounds: int = 5,
    runs: int = 4,
    limit_s: float = 5.0,
) -> dict[str, Latency]:
    """Time variants in turns: `rounds` times over, `runs` runs of each.

    Args:
        names: The variants' names.
        run: Runs the named variant once and returns its latency in microseconds; None where it does
            not run, which leaves the variant out.
        rounds: How often all the variants take their turn.
        runs: Runs per turn; the first of a turn finds cold caches, as it does when the selector
            switches.
        limit_s: After so many seconds no further round begins, and each variant of the present one
            runs at least once.

    Returns:
        One latency per name, over `rounds * runs` runs each where the time suffices.
    """
    samples: dict[str, list[int]] = {name: [] for name in names}
    end_s = time.monotonic() + limit_s
    for _ in range(rounds):
        for name, found in list(samples.items()):
            for _ in range(runs):
                took_us = run(name)
                if took_us is None:
                    del samples[name]
                    break
                found.append(took_us)
                if time.monotonic() >= end_s:
                    break
        if time.monotonic() >= end_s:
            break
    return {name: Latency.of(found) for name, found in samples.items()}
