"""Several runs side by side: what each net reaches and costs, as a table, a picture and a page."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines.report import figures, numbers
from pipelines.report.content import Content, NetSummary
from pipelines.report.metrics import Metrics
from pipelines.report.text import Table, to_html
from pipelines.stages import MetricDescription

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*X"


@dataclass(frozen=True)
class RunComparison:
    """Runs by their labels, and what keeps them from being compared.

    Attributes:
        metric: What scores the first run's nets.
        runs: The nets of each run.
        baselines: The score of each run's stand-alone net.
        remarks: In which respects runs differ, other than in what is compared.
        commands: The command line that does each run again.
    """

    metric: MetricDescription
    runs: dict[str, tuple[NetSummary, ...]]
    baselines: dict[str, float]
    remarks: tuple[str, ...]
    commands: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "metric": self.metric.to_json(),
            "remarks": list(self.remarks),
            "runs": [
                {
                    "run": label,
                    "command": self.commands[label],
                    "baseline_score": self.baselines[label],
                    "nets": [asdict(net) for net in nets],
                }
                for label, nets in self.runs.items()
            ],
        }

    def table(self) -> Table:
        """Return a row for each net, and one for each run's stand-alone net."""
        latencies = [net.latency_us for net in self._nets() if net.latency_us is not None]
        unit = numbers.TimeUnit.of(max(latencies, default=0))
        headings = ("run: net", self.metric.title, f"p50 ({unit.name})", ".tflite (kB)", "params")
        rows = []
        for label, nets in self.runs.items():
            alone = numbers.score(self.metric, self.baselines[label])
            rows.append((f"{label}: alone, float", alone, "–", "–", "–", "–"))
            rows += [
                (
                    f"{label}: {net.name}",
                    numbers.score(self.metric, net.score),
                    "–" if net.latency_us is None else unit.show(net.latency_us),
                    numbers.kilobytes(net.tflite_bytes),
                    f"{net.params:,}",
                    numbers.millions(net.macs),
                )
                for net in nets
            ]
        return Table((*headings, "MACs (M)"), tuple(rows))

    def page(self) -> str:
        """Return the comparison as HTML that needs no other file, no network and no script."""
        from pipelines.report.page import fill

        names = " and ".join(self.runs)
        picture = figures.picture(self._draw, name="comparison", label=f"{names} compared")
        return fill(
            "comparison.html",
            title=" against ".join(self.runs),
            remarks=self.remarks,
            picture=picture,
            table=to_html(self.table().markdown()),
            commands=self.commands,
        )

    def _nets(self) -> Iterator[NetSummary]:
        return itertools.chain.from_iterable(self.runs.values())

    def _draw(self) -> "Figure":
        unit = numbers.TimeUnit.of(max((net.latency_us or 0 for net in self._nets()), default=0))
        panels = [("tflite_bytes", ".tflite, kB", 1000)]
        if all(net.latency_us is not None for net in self._nets()):
            title = f"median latency on each run's machine, {unit.name}"
            panels.insert(0, ("latency_us", title, unit.microseconds))
        figure, axes_of = figures.canvas(7.2, 3.6, columns=len(panels))
        for axes, (field, title, scale) in zip(axes_of, panels, strict=True):
            for number, (label, nets) in enumerate(self.runs.items()):
                color = figures.COLORS[number % len(figures.COLORS)]
                marker = _MARKERS[number % len(_MARKERS)]
                reached = [self.metric.scale * net.score for net in nets]
                costs = [getattr(net, field) / scale for net in nets]
                axes.plot(costs, reached, f"{marker}-", color=color, label=label, markersize=6)
            axes.set_xlabel(title)
            axes.set_xlim(left=0)
            axes.margins(y=0.15)
            axes.grid(axis="y")
        axes_of[0].set_ylabel(self.metric.axis)
        handles = axes_of[0].get_legend_handles_labels()
        figure.legend(*handles, frameon=False, loc="outside upper center", ncols=3)
        return figure


def compare_runs(runs: Mapping[str, tuple[Metrics, Content]]) -> RunComparison:
    """Set the nets of finished runs side by side.

    Args:
        runs: The metrics and the report's content of each run, by the label that it shall have.
    """
    metrics = {label: found for label, (found, _) in runs.items()}
    first = next(iter(metrics.values()))
    return RunComparison(
        metric=first.metric,
        runs={label: content.nets for label, (_, content) in runs.items()},
        baselines={label: found.baseline.score for label, found in metrics.items()},
        remarks=tuple(_remarks(metrics)),
        commands={label: found.command for label, found in metrics.items()},
    )


def _remarks(metrics: Mapping[str, Metrics]) -> Iterator[str]:
    """Yield how runs differ from the first one in what scores compare only where it is the same."""
    first, *others = metrics
    for label in others:
        one, other = metrics[first], metrics[label]
        if one.metric != other.metric:
            yield (
                f"{first} is scored by {one.metric.title} and {label} by {other.metric.title}: their scores are not "
                "comparable"
            )
        if (one.data.name, one.data.test) != (other.data.name, other.data.test):
            yield (
                f"{first} is tested on {one.data.test:,} examples of {one.data.name} and {label} on "
                f"{other.data.test:,} of {other.data.name}"
            )
        elif one.data_sha256 != other.data_sha256 and one.data_sha256 and other.data_sha256:
            yield f"the examples of {first} and {label} differ (SHA-256), though their names do not"
        if one.profile.device != other.profile.device:
            yield f"{first} and {label} were timed on different machines: compare no latencies"
