"""TensorFlow Lite's and LiteRT's `benchmark_model`: the command line of one measurement, and what its output says.

Two tools bear the name. The classic one sums up in a line of microseconds (`Inference timings in us: ...`), LiteRT's in
a block of milliseconds (`BENCHMARK RESULTS`). The statistics of the runs are printed by the class that both share
(`tensorflow/core/util/stats_calculator.h`), in microseconds: one line for warming up, then one for the timed runs.
"""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tfelastic_runtime import Latency

from tflite_export._profile.measurement import MeasuredLatency
from tflite_export._profile.stopping import relative_half_width
from tflite_export.errors import ProfileError

CLASSIC, LITERT = "TFLite benchmark_model", "LiteRT benchmark_model"

_NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_STATISTIC = re.compile(rf"\b(\w+)={_NUMBER}")
_OPENING = {
    CLASSIC: re.compile(rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}"),
    LITERT: re.compile(
        rf"Model initialization: +{_NUMBER} ms[\s\S]*?Warmup \(first\): +{_NUMBER} ms"
    ),
}
_UNIT_US = {CLASSIC: 1, LITERT: 1000}

# The standard normal distribution's quantiles at 90 and 95 %.
_Z90, _Z95 = 1.2816, 1.6449


@dataclass(frozen=True)
class BenchmarkRun:
    """What one call of the tool found, in microseconds.

    Attributes:
        tool: Which of the two printed it.
        runs: How many runs were timed.
        mean_us: Their mean.
        min_us: The shortest.
        max_us: The longest.
        std_us: Their standard deviation.
        median_us: Their median; None where the tool does not print it.
        p95_us: What 95 runs of 100 kept; None where the tool does not print it.
        open_us: Reading the file and allocating its tensors.
        first_us: The first inference.
    """

    tool: str
    runs: int
    mean_us: float
    min_us: float
    max_us: float
    std_us: float
    median_us: float | None
    p95_us: float | None
    open_us: float
    first_us: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "BenchmarkRun":
        """Read what `to_json` wrote."""
        return cls(**{field.name: data[field.name] for field in fields(cls)})


def command_line(
    tool: str, graph: str, *, threads: int, cpu_mask: str | None, xnnpack: bool, seconds: float
) -> str:
    """Return the shell command of one measurement.

    Args:
        tool: The tool's path on the device.
        graph: The .tflite file's.
        threads: Threads of an inference.
        cpu_mask: The cores to run on, in hexadecimal; None for all.
        xnnpack: Whether XNNPACK's kernels run, as by default.
        seconds: How long to measure at least; as long is warmed up.
    """
    pinned = ["taskset", cpu_mask] if cpu_mask else []
    # num_runs is a minimum of its own: a slow net would take as many runs however long that is.
    options = [
        f"--graph={graph}",
        f"--num_threads={threads}",
        "--num_runs=5",
        f"--min_secs={seconds:g}",
        "--warmup_runs=1",
        f"--warmup_min_secs={seconds:g}",
        *([] if xnnpack else ["--use_xnnpack=false"]),
    ]
    return shlex.join([*pinned, tool, *options])


def parse(output: str) -> BenchmarkRun:
    """Read the tool's output, of either kind, behind whatever log prefix.

    Raises:
        ProfileError: The output is not complete, or not that of a benchmark_model; the message quotes its end.
    """
    lines = [dict(_STATISTIC.findall(line)) for line in output.splitlines() if "count=" in line]
    found = [(tool, pattern.search(output)) for tool, pattern in _OPENING.items()]
    tool, opening = next(((tool, match) for tool, match in found if match), ("", None))
    if opening is None or len(lines) < 2:
        raise ProfileError(
            "expected the output of benchmark_model, with a line 'count=' for warming up, one for the timed runs and a "
            f"summary, received: ...{output.strip()[-300:]!r}"
        )
    timed = {name: float(value) for name, value in lines[-1].items()}
    if "avg" in timed and not {"min", "max", "std"} <= timed.keys():
        raise ProfileError(f"benchmark_model printed incomplete statistics: {lines[-1]}")
    # Where all runs took equally long, the tool prints one number: `count=5 curr=12(all same)`.
    equal = timed.get("curr", math.nan)
    found_run = BenchmarkRun(
        tool=tool,
        runs=int(timed.get("count", 0)),
        mean_us=_within(timed.get("avg", equal), timed.get("min", equal), timed.get("max", equal)),
        min_us=timed.get("min", equal),
        max_us=timed.get("max", equal),
        std_us=timed.get("std", 0.0),
        median_us=timed.get("median"),
        p95_us=timed.get("p95"),
        open_us=float(opening[1]) * _UNIT_US[tool],
        first_us=float(opening[2]) * _UNIT_US[tool],
    )
    if found_run.runs < 1 or not 0 < found_run.min_us <= found_run.mean_us <= found_run.max_us:
        raise ProfileError(f"benchmark_model printed impossible statistics: {timed}")
    return found_run


def combine(found: Sequence[BenchmarkRun]) -> MeasuredLatency:
    """Sum up several calls for one variant.

    The tools print neither single runs nor a 90th percentile. Where they print percentiles, the median is the median
    of the calls' medians, else of their means. The 90th percentile is where a normal distribution has it: one of the
    same median and 95th percentile, else of the same mean and deviation, and then never beyond the longest run.
    """
    runs = sum(each.runs for each in found)
    mean_us = sum(each.runs * each.mean_us for each in found) / runs
    medians = [each.mean_us if each.median_us is None else each.median_us for each in found]
    min_us = math.ceil(min(each.min_us for each in found))
    p50_us = max(math.ceil(_median(medians)), min_us)
    p90_us = _median([_p90(each) for each in found])
    return MeasuredLatency(
        device=Latency(
            p50_us,
            max(math.ceil(p90_us), p50_us),
            runs,
            switch_us=math.ceil(_median([each.open_us for each in found])),
            first_us=max(math.ceil(_median([each.first_us for each in found])), 1),
        ),
        mean_us=round(max(mean_us, min_us), 1),
        min_us=min_us,
        half_width=_rounded(relative_half_width(medians)),
    )


def percentiles_of(found: Sequence[BenchmarkRun]) -> str:
    """Return what the percentiles of `combine` were made from."""
    printed = all(each.p95_us is not None for each in found)
    return "median and p95" if printed else "mean and standard deviation"


def _within(mean_us: float, min_us: float, max_us: float) -> float:
    """Return a mean that was printed with six digits, as near as it can be to what it was."""
    nearest = min(max(mean_us, min_us), max_us)
    return nearest if math.isclose(mean_us, nearest, rel_tol=1e-5) else mean_us


def _p90(run: BenchmarkRun) -> float:
    if run.median_us is not None and run.p95_us is not None:
        return run.median_us + (run.p95_us - run.median_us) * _Z90 / _Z95
    return min(run.mean_us + _Z90 * run.std_us, run.max_us)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
