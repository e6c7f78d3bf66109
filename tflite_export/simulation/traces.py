"""Traces: how much slower than its table a device is, run by run."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tflite_export.errors import SimulationError

RUNS = 3_000
"""Runs of a trace that is not read from a file."""


def idle(runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return a device that nothing disturbs."""
    return np.ones(runs)


def step(runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return a load that doubles all latencies from a quarter of the trace to its 13/20."""
    slowdown = np.ones(runs)
    slowdown[runs // 4 : runs * 13 // 20] = 2.0
    return slowdown


def ramp(runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return a load that grows to three times the latency and falls again, over four fifths."""
    position = np.linspace(-1.25, 1.25, runs)
    return 1 + 2 * np.clip(1 - np.abs(position), 0, 1)


def throttle(runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return a device that grows hot: after a fifth it approaches 1.8 exponentially."""
    since = np.arange(runs) - runs // 5
    return 1 + 0.8 * (1 - np.exp(-np.maximum(since, 0) * 8 / runs))


def bursts(runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return loads of 15 to 60 runs and factors of 1.6 to 3, after pauses of 40 to 160 runs."""
    slowdown, start = np.ones(runs), 0
    while start < runs:
        start += int(rng.integers(40, 160))
        end = start + int(rng.integers(15, 60))
        slowdown[start:end] = rng.uniform(1.6, 3.0)
        start = end
    return slowdown


TRACES: Mapping[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "idle": idle,
    "step": step,
    "ramp": ramp,
    "throttle": throttle,
    "bursts": bursts,
}
"""The named traces."""


def trace_of(
    source: str | os.PathLike[str] | Sequence[float] | np.ndarray,
    *,
    runs: int = RUNS,
    seed: int = 0,
) -> np.ndarray:
    """Return the slowdown of each run, float64 `[runs]`.

    Args:
        source: The name of a trace, the path of a text file with one slowdown a line (blank lines
            and what follows a `#` are ignored), or the slowdowns themselves.
        runs: The length of a named trace.
        seed: Decides a random trace.

    Raises:
        SimulationError: The trace is unknown, empty, or has a slowdown that is not positive.
        OSError: The file cannot be read.
    """
    if isinstance(source, str) and source in TRACES:
        if runs < 1:
            raise SimulationError(f"runs must be at least 1, received {runs}")
        return TRACES[source](runs, np.random.default_rng(seed))
    if isinstance(source, str | os.PathLike):
        return _checked(_read(Path(source)), str(source))
    return _checked(source, "trace")


def _read(path: Path) -> list[float]:
    if path.is_dir():
        raise SimulationError(f"{path} is a folder; expected a file with one slowdown a line")
    if not path.is_file():
        raise SimulationError(
            f"unknown trace {str(path)!r}: expected {', '.join(TRACES)}, or the path of a file"
        )
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as cause:
        raise SimulationError(
            f"{path} is not text in UTF-8: expected one slowdown a line"
        ) from cause
    slowdowns = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                slowdowns.append(float(text))
            except ValueError as cause:
                raise SimulationError(
                    f"{path}, line {number}: expected one slowdown, received {text!r}"
                ) from cause
    return slowdowns


def _checked(slowdowns: Sequence[float] | np.ndarray, where: str) -> np.ndarray:
    found = np.asarray(slowdowns, np.float64)
    if found.ndim != 1 or not found.size:
        raise SimulationError(f"{where}: expected at least one slowdown, received {found.shape}")
    if not (np.isfinite(found) & (found > 0)).all():
        raise SimulationError(
            f"{where}: expected positive slowdowns, received {found[~(found > 0)][:1].tolist()}"
        )
    return found
