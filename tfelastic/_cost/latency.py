"""`LatencyTable`: prices a plan that is not built yet, from operations that were measured on a device.

Measuring is apart from costing: `tflite_export.profile_ops` writes a table, this module reads one. A table knows
*operations*: a layer's kind with its geometry (window, stride, image size), measured at a grid of channel counts. The
latency of a plan is the sum over what the pruned model still runs, each operation looked up in its grid. Kernels work
in tiles of channels, so latency rises in steps: between neighbouring points of a fine grid nothing is interpolated.
Where the grid is coarse, work grows with the product of the channel counts, and a multilinear interpolation in the
counts follows that exactly.
"""

import json
import os
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tfelastic._cost.geometry import (
    Geometry,
    TimedStep,
    as_tuples,
    channel_count,
    find_timed,
    weights_of,
)
from tfelastic._plan import Selection
from tfelastic.errors import CostError
from tfelastic.files import write_atomically

TABLE_FORMAT = 1
"""The format number of a measured table (`runtime/SPEC.md`, section 6)."""


@dataclass(frozen=True)
class MeasuredOperation:
    """One operation, measured at every point of a grid of channel counts.

    Attributes:
        geometry: Which operation.
        grid: The channel counts that were measured, ascending: of the input and the output where the operation makes
            new channels, of the output alone elsewhere.
        p50_us: The median latency at each point in microseconds, the last axis of the grid running fastest.
        step: How far apart, in channels, neighbours of a fine grid are. Between points no farther apart than this, a
            count takes the latency of the next larger point.

    Raises:
        CostError: The grid does not ascend, or does not match the latencies.
    """

    geometry: Geometry
    grid: tuple[tuple[int, ...], ...]
    p50_us: tuple[float, ...]
    step: int = 1

    def __post_init__(self) -> None:
        for axis in self.grid:
            if not axis or any(b <= a for a, b in zip((0, *axis), axis, strict=False)):
                raise CostError(f"{self.geometry}: expected ascending channel counts, got {axis}")
        points = prod(map(len, self.grid))
        if len(self.p50_us) != points:
            raise CostError(
                f"{self.geometry}: expected one latency for each of the grid's {points} points, got {len(self.p50_us)}"
            )
        if not all(0 <= latency < float("inf") for latency in self.p50_us):
            raise CostError(f"{self.geometry}: a latency is negative, infinite or not a number")

    @cached_property
    def _p50_us(self) -> np.ndarray:
        return np.array(self.p50_us).reshape([len(axis) for axis in self.grid])

    def latency_us(self, channels: tuple[int, ...]) -> float:
        """Return the latency at these channel counts, interpolated only where the grid is coarse.

        Raises:
            CostError: They lie outside of the grid.
        """
        values = self._p50_us
        for axis, count in zip(self.grid, channels, strict=True):
            if not axis[0] <= count <= axis[-1]:
                raise CostError(
                    f"{self.geometry} was measured with {axis[0]} to {axis[-1]} channels, not with {count}"
                )
            low = max(0, bisect_left(axis, count) - 1)
            high = min(low + 1, len(axis) - 1)
            part = (count - axis[low]) / max(axis[high] - axis[low], 1)
            if part > 0 and axis[high] - axis[low] <= self.step:
                part = 1.0
            values = values[low] * (1 - part) + values[high] * part
        return float(values)

    def to_json(self) -> dict[str, Any]:
        """Return the operation as plain data."""
        return {
            "geometry": self.geometry.to_json(),
            "grid": [list(axis) for axis in self.grid],
            "p50_us": list(self.p50_us),
            "step": self.step,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "MeasuredOperation":
        """Return the operation that `to_json` gave."""
        return cls(
            Geometry.from_json(data["geometry"]),
            as_tuples(data["grid"]),
            as_tuples(data["p50_us"]),
            data["step"],
        )


@dataclass(frozen=True)
class LatencyTable:
    """Measured operations of one device; `Budget(latency_us=..., latency=table)` prices plans with it.

    Attributes:
        device: What is known of the device.
        scheme: The quantization scheme of the measured files.
        threads: Threads that one inference used.
        overhead_us: What every inference takes, however little it computes, in microseconds; it is contained in each
            operation's latency, and counted once in a plan's.
        operations: The measured operations.
        factor: What each operation's latency is multiplied by, so that sums come to what whole networks take.
        weight_us: What each weight takes on top that in a whole network is not in the cache, in microseconds.
        cached_weights: How many weights of a network stay in the cache; 0 where each has its price.
        runtime: Name and version of what ran the operations; None where unknown.
        kernels: The set of kernels; None where unknown.
    """

    device: Mapping[str, str | int | float]
    scheme: str
    threads: int
    overhead_us: float
    operations: tuple[MeasuredOperation, ...]
    factor: float = 1.0
    weight_us: float = 0.0
    cached_weights: int = 0
    runtime: str | None = None
    kernels: str | None = None

    def __post_init__(self) -> None:
        if len(self._by_geometry) < len(self.operations):
            raise CostError("the latency table holds two measurements of the same operation")

    @cached_property
    def _by_geometry(self) -> dict[Geometry, MeasuredOperation]:
        return {operation.geometry: operation for operation in self.operations}

    def latency_us(self, selection: Selection) -> float:
        """Return the predicted latency of one inference of a graph under a plan, in microseconds.

        Raises:
            CostError: The table lacks an operation of the plan, or its channel counts.
        """
        return self.overhead_us + sum(latency for _, latency in self.latencies_us(selection))

    def latencies_us(self, selection: Selection) -> list[tuple[str, float]]:
        """Return, for each layer that takes time, its path and its predicted latency in microseconds."""
        timed = find_timed(selection)
        weights = [weights_of(selection, each.step) if self.weight_us else 0 for each in timed]
        # The weights that do not stay in the cache are taken from all layers alike.
        price_us = self.weight_us * max(0.0, 1 - self.cached_weights / max(1, sum(weights)))
        return [
            (each.step.path, self.factor * self._net_us(selection, each) + price_us * count)
            for each, count in zip(timed, weights, strict=True)
        ]

    def _net_us(self, selection: Selection, timed: TimedStep) -> float:
        path, operation = timed.step.path, self._by_geometry.get(timed.geometry)
        if operation is None:
            raise CostError(
                f"the latency table lacks {timed.geometry}, which is layer {path!r}; measure a model that has such a "
                "layer"
            )
        try:
            gross = operation.latency_us(
                tuple(channel_count(selection, tensor) for tensor in timed.counted)
            )
        except CostError as error:
            raise CostError(f"the latency table cannot price layer {path!r}: {error}") from error
        return max(gross - self.overhead_us, 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain data: the keys of every measured table, and `operations`."""
        return {
            "format": TABLE_FORMAT,
            "device": dict(self.device),
            "runtime": self.runtime,
            "kernels": self.kernels,
            "scheme": self.scheme,
            "threads": self.threads,
            "overhead_us": self.overhead_us,
            "factor": self.factor,
            "weight_us": self.weight_us,
            "cached_weights": self.cached_weights,
            "operations": [operation.to_json() for operation in self.operations],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LatencyTable":
        """Return the table that `to_json` gave.

        Raises:
            CostError: A field is missing or malformed.
        """
        try:
            if data["format"] != TABLE_FORMAT:
                raise CostError(
                    f"the table has format {data['format']!r}, this reader knows {TABLE_FORMAT}: measure anew"
                )
            operations = tuple(MeasuredOperation.from_json(each) for each in data["operations"])
            fields = {name: data[name] for name in ("device", "scheme", "threads", "overhead_us")}
            known: dict[str, Any] = {name: data.get(name) for name in ("runtime", "kernels")}
            fitted = {"factor": 1.0, "weight_us": 0.0, "cached_weights": 0}
            known |= {name: data.get(name, default) for name, default in fitted.items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise CostError(
                f"this is no table of operations, as profile_ops measures it: {error!r}"
            ) from error
        return cls(**fields, operations=operations, **known)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to a JSON file, as a whole or not at all."""
        write_atomically(path, json.dumps(self.to_json()) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LatencyTable":
        """Read the file that `save` wrote.

        Raises:
            CostError: The file is no table of operations; the message names it.
            OSError: The file cannot be read.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_text("utf-8")))
        except (CostError, ValueError) as error:
            raise CostError(f"{path}: {error}") from error

    def __str__(self) -> str:
        lines = [f"{'p50 us':>10}  operation at its most channels"]
        for operation in sorted(self.operations, key=lambda each: -each.p50_us[-1]):
            widest = " to ".join(str(axis[-1]) for axis in operation.grid)
            lines.append(f"{operation.p50_us[-1]:>10,.1f}  {operation.geometry}, {widest} channels")
        return "\n".join(lines)
