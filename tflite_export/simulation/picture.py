"""The picture of a simulation; matplotlib is imported when it is drawn."""

import io
import os
from pathlib import Path

from tfelastic_runtime.files import write_atomically

from tflite_export.simulation.report import SimulationReport


def draw(report: SimulationReport, path: str | os.PathLike[str]) -> None:
    """Draw slowdown, latencies against the budget, and the variant of each run.

    Args:
        report: The simulation.
        path: The file to write; its ending decides the format (`.svg`, `.png`, `.pdf`).

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: The ending is of no format that matplotlib writes.
        OSError: The file cannot be written; what stood there stays.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    policy = report["policy"]
    budget_ms = report.budget_us / 1000
    # A fixed salt, so that equal simulations give equal bytes.
    with mpl.rc_context({"svg.hashsalt": "tfelastic", "font.size": 9}):
        figure = Figure(figsize=(9, 6), layout="constrained")
        load, latency, variant = figure.subplots(3, 1, sharex=True)
        load.plot(report.slowdown, linewidth=1, color="tab:gray")
        load.set_ylabel("slowdown")
        load.set_title(
            f"{report.trace}, budget {budget_ms:g} ms: policy {policy.misses:.1%} misses, "
            f"{policy.switches} switches"
        )
        taken_ms = policy.latencies_us / 1000
        over = taken_ms > budget_ms
        runs = range(len(taken_ms))
        latency.scatter(runs, taken_ms, s=1, color="tab:blue")
        latency.scatter(
            [run for run in runs if over[run]], taken_ms[over], s=5, color="tab:red", label="over"
        )
        latency.axhline(budget_ms, linewidth=1, color="black")
        latency.set_ylim(0, 2 * budget_ms)
        latency.set_ylabel("latency, ms")
        for name, color in (("oracle", "tab:green"), ("policy", "tab:blue")):
            variant.step(
                runs, report[name].chosen, where="post", linewidth=1, color=color, label=name
            )
        variant.set_yticks(range(len(report.table)), [each.name for each in report.table])
        variant.invert_yaxis()
        variant.set_xlabel("run")
        variant.legend(loc="upper right")
        drawn, ending = io.BytesIO(), Path(path).suffix[1:]
        figure.savefig(drawn, format=ending, metadata={"Date": None} if ending == "svg" else None)
    write_atomically(Path(path), drawn.getvalue())
