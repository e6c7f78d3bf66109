"""The picture of measured tables: score against latency; matplotlib is imported when it is drawn."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

from tfelastic_runtime import Bundle
from tfelastic_runtime.files import write_atomically

from tflite_export._profile.measurement import MeasuredProfile


def draw_profiles(
    bundle: Bundle, tables: Sequence[MeasuredProfile], path: str | os.PathLike[str]
) -> None:
    """Draw each variant's score against its latency: a line per table, from the median to the 90th percentile.

    Args:
        bundle: The measured bundle.
        tables: Its tables.
        path: The file to write; its ending decides the format (`.svg`, `.png`, `.pdf`).

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: The ending is of no format that matplotlib writes.
        OSError: The file cannot be written; what stood there stays.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    scores = [variant.score for variant in bundle.variants]
    # A fixed salt, so that equal tables give equal bytes.
    with mpl.rc_context({"svg.hashsalt": "tfelastic", "font.size": 9}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for table in tables:
            found = [table.latencies[variant.name].device for variant in bundle.variants]
            p50_ms = [each.p50_us / 1000 for each in found]
            beyond_ms = [(each.p90_us - each.p50_us) / 1000 for each in found]
            axes.errorbar(
                p50_ms,
                scores,
                xerr=([0.0] * len(found), beyond_ms),
                marker="o",
                markersize=4,
                capsize=2,
                linewidth=1,
                label=_label(table),
            )
        for variant in bundle.variants:
            first = tables[0].latencies[variant.name].device
            axes.annotate(
                variant.name,
                (first.p50_us / 1000, variant.score),
                textcoords="offset points",
                xytext=(4, -10),
            )
        axes.set_xlabel("latency, ms: median, and what nine runs of ten keep")
        axes.set_ylabel(bundle.manifest.score.metric)
        axes.set_xlim(left=0)
        axes.legend()
        drawn, ending = io.BytesIO(), Path(path).suffix[1:]
        figure.savefig(drawn, format=ending, metadata={"Date": None} if ending == "svg" else None)
    write_atomically(Path(path), drawn.getvalue())


def _label(table: MeasuredProfile) -> str:
    mask = f", cores {table.device['cpu_mask']}" if "cpu_mask" in table.device else ""
    return f"{table.device['name']}, threads {table.threads}{mask}"
