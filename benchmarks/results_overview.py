"""The head of the page of results: one table and one picture over all runs, and the papers' figures beside ours."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.experiments.block_removal.metrics import BlockRemovalMetrics
from pipelines.experiments.complexity.metrics import ComplexityMetrics
from pipelines.experiments.complexity.report import TITLES
from pipelines.experiments.elastic.comparison import GROWN, INDEPENDENT, JOINT
from pipelines.experiments.elastic.metrics import ElasticMetrics
from pipelines.report import Metrics, Table
from pipelines.report.numbers import difference, kilobytes, percent, score
from pipelines.stages import MetricDescription, PairedDifference

#: The normal distribution's quantile for a two-sided interval of 95 %.
_Z = 1.959964


_STATES = ("there", "in part", "not run yet")


@dataclass(frozen=True)
class Net:
    """One net of a run, and the same net trained alone where the run has it.

    Attributes:
        name: The rung's name, or how the net was pruned.
        tflite_bytes: The size of its file.
        latency_us: The median latency of a run of that file; `None` where it was not measured.
        ours: The score in Keras and of the file.
        alone: The same of the net trained alone, in Keras and of its file.
        lead: Ours less the other's, paired over the test examples.
        grown: The score in Keras and of the file by prune-and-grow.
    """

    name: str
    tflite_bytes: int
    latency_us: float | None
    ours: tuple[float, float]
    alone: tuple[float, float] | None = None
    lead: PairedDifference | None = None
    grown: tuple[float, float] | None = None


def nets_of(metrics: Metrics) -> tuple[Net, ...]:
    """Return the nets of a run, the largest first."""
    if isinstance(metrics, ElasticMetrics):
        return tuple(_rungs(metrics))
    if isinstance(metrics, ComplexityMetrics):
        return tuple(_pruned_by_complexity(metrics))
    assert isinstance(metrics, BlockRemovalMetrics)
    return tuple(
        Net(
            each.name,
            each.tflite_bytes,
            None,
            (each.score_keras, each.score_tflite),
            lead=each.against_baseline if each.name != "baseline" else None,
        )
        for each in metrics.nets
    )


def _rungs(metrics: ElasticMetrics) -> Iterator[Net]:
    compared = {rung.name: rung.methods for rung in metrics.comparison or ()}
    for each in metrics.variants:
        methods = compared.get(each.name, {})
        scores = {name: (found.score_keras, found.score_tflite) for name, found in methods.items()}
        yield Net(
            each.name,
            each.tflite_bytes,
            each.p50_us,
            (each.score_keras, each.score_tflite),
            scores.get(INDEPENDENT),
            methods[JOINT].against_independent if JOINT in methods else None,
            scores.get(GROWN),
        )


def _pruned_by_complexity(metrics: ComplexityMetrics) -> Iterator[Net]:
    first = metrics.original
    scores = (first.score_keras, first.score_tflite)
    yield Net("original", first.tflite_bytes, first.latency_us, scores)
    for comparison in metrics.comparisons:
        limits = ", ".join(f"{name}={value:g}" for name, value in comparison.budget.given.items())
        for row in comparison.rows:
            yield Net(
                f"{TITLES[row.method]}, {limits}",
                row.tflite_bytes,
                row.latency_us,
                (row.score_keras, row.score_tflite),
                lead=row.against_ranked,
            )


@dataclass(frozen=True)
class PlannedRun:
    """A run that the page should have.

    Attributes:
        command: What carries it out.
        departures: The settings in which the run that is there is another; `None` where there is none.
    """

    command: str
    departures: tuple[str, ...] | None

    @property
    def state(self) -> str:
        """Whether it is there, in words."""
        if self.departures is None:
            return "not run yet"
        if not self.departures:
            return "there"
        return f"in part: with {', '.join(f'`{each}`' for each in self.departures)}"


def overview(runs: Mapping[str, Metrics], planned: Mapping[str, PlannedRun], picture: str) -> str:
    """Return the page's opening.

    Args:
        runs: The runs' figures by name.
        planned: The runs that the page should have, by name.
        picture: The picture's file, relative to the page.
    """
    lines = [*_table(runs), "", f"![Score against latency and against bytes]({picture})", ""]
    if planned:
        counts = [sum(run.state.startswith(state) for run in planned.values()) for state in _STATES]
        listed = ", ".join(f"{count} {state}" for count, state in zip(counts, _STATES, strict=True))
        rows = tuple((name, run.state, f"`{run.command}`") for name, run in planned.items())
        lines += ["## Runs", "", f"Of {len(planned)} runs: {listed}.", ""]
        lines += [*Table(("run", "state", "command"), rows).markdown(), ""]
    published = list(_published(runs))
    if published:
        lines += ["## Beside the papers", ""]
        headings = ("net", "source", "published", "ours", "what differs")
        lines += [*Table(headings, tuple(published)).markdown(), ""]
    return "\n".join(lines)


def _table(runs: Mapping[str, Metrics]) -> Iterator[str]:
    headings = (
        *("run", "data", "net", ".tflite (kB)", "latency (µs)"),
        *("ours", "alone", "ours less alone", "grown", "ours, file", "alone, file"),
    )
    rows = []
    for name, metrics in runs.items():
        metric, tested = metrics.metric, metrics.data.test
        for net in nets_of(metrics):
            rows.append(
                (
                    f"[{name}](#{name})",
                    metrics.data.name,
                    net.name,
                    kilobytes(net.tflite_bytes),
                    "–" if net.latency_us is None else f"{net.latency_us:,.0f}",
                    _with_interval(metric, net.ours[0], tested),
                    "–" if net.alone is None else _with_interval(metric, net.alone[0], tested),
                    "–" if net.lead is None else difference(metric, net.lead),
                    "–" if net.grown is None else _with_interval(metric, net.grown[0], tested),
                    _with_interval(metric, net.ours[1], tested),
                    "–" if net.alone is None else _with_interval(metric, net.alone[1], tested),
                )
            )
    yield from Table(headings, tuple(rows)).markdown()


def _with_interval(metric: MetricDescription, value: float, examples: int) -> str:
    """Return a score; of a share of right answers with half its 95 % interval, the normal approximation's."""
    if metric.name != "accuracy":
        return score(metric, value)
    half = 100 * _Z * math.sqrt(value * (1 - value) / examples)
    return f"{100 * value:.2f} ± {half:.2f}"


@dataclass(frozen=True)
class Published:
    """What a paper states of a net.

    Attributes:
        source: The paper.
        experiment: The kind of our runs that it is set beside.
        model: The network's name in recipes.
        figures: What it states.
        differs: What differs from our run.
    """

    source: str
    experiment: str
    model: str
    figures: str
    differs: str


_GROWN = "grown by the paper's method there, jointly and grown here; pretrained weights and epochs differ"
_PUBLISHED = (
    Published(
        *("arXiv 2505.11569", "elastic", "resnet20"),
        "original 91.50; 83.03 / 82.31 / 80.71 / 76.02 %",
        f"CIFAR-10 lossless there; {_GROWN}",
    ),
    Published(
        *("arXiv 2505.11569", "elastic", "resnet56"),
        "original 86.50; 80.13 / 78.65 / 75.77 / 71.80 %",
        f"Imagenette at 32 in both; {_GROWN}",
    ),
    Published(
        *("arXiv 2505.11569", "elastic", "vgg16_cifar"),
        "original 93.94; 88.02 / 86.79 / 85.99 / 85.87 %",
        f"CIFAR-10 there, other data here; {_GROWN}",
    ),
    Published(
        *("arXiv 2505.11569", "elastic", "alexnet_cifar"),
        "original 90.16; 86.25 / 85.67 / 82.86 / 76.48 %",
        f"CIFAR-10 at 224 px there, other data here; {_GROWN}",
    ),
    Published(
        *("SR-init, a relative of arXiv 2312.16904", "block_removal", "resnet56"),
        "-0.56 points at 64.0 % fewer parameters",
        "lossless CIFAR-10 there; the baseline differs",
    ),
    Published(
        *("arXiv 2208.12816", "complexity", "mobilenet_v2_cifar"),
        "about 70 % fewer parameters, 50 % fewer FLOPs, 50 % less memory; 60 % less training time",
        "CIFAR-10 and -100 there, other data here",
    ),
)


def _published(runs: Mapping[str, Metrics]) -> Iterator[tuple[str, ...]]:
    for name, metrics in runs.items():
        for each in _PUBLISHED:
            if (each.experiment, each.model) == (
                metrics.experiment,
                metrics.recipe["model"]["name"],
            ):
                ours = f"{metrics.data.name}: {_in_short(metrics)}"
                yield f"[{name}](#{name})", each.source, each.figures, ours, each.differs


def _in_short(metrics: Metrics) -> str:
    metric = metrics.metric
    shown = f"original {score(metric, metrics.baseline.score)}; "
    if isinstance(metrics, ElasticMetrics):
        jointly = " / ".join(f"{metric.scale * v.score_keras:.2f}" for v in metrics.variants)
        grown = [net.grown[0] for net in nets_of(metrics) if net.grown]
        parts = f"jointly {jointly}"
        if grown:
            parts += f", grown {' / '.join(f'{metric.scale * each:.2f}' for each in grown)}"
        return shown + parts
    if isinstance(metrics, BlockRemovalMetrics):
        full, pruned = metrics.nets[0], metrics.nets[-1]
        fewer = percent(1 - pruned.params / full.params, 1)
        return f"{shown}{difference(metric, pruned.against_baseline)} at {fewer} fewer parameters"
    assert isinstance(metrics, ComplexityMetrics)
    *direct, ranked = metrics.comparisons[0].rows
    times = ", ".join(f"{TITLES[row.method]} {row.seconds / ranked.seconds:.2f}x" for row in direct)
    return f"{shown}training time against train-prune-fine-tune: {times}"


def draw(runs: Mapping[str, Metrics]) -> bytes:
    """Return the picture, an SVG: the files' scores against their latencies and against their sizes."""
    import io

    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "results", "font.size": 8}):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        panels: Any = figure.subplots(1, 2, sharey=True)
        for number, (name, metrics) in enumerate(runs.items()):
            _draw_run(panels, name, metrics, f"C{number % 10}")
        for axes, what in zip(panels, ("median latency, µs", "bytes of the .tflite"), strict=True):
            axes.set_xscale("log")
            axes.set_xlabel(what)
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("score of the file")
        handles = panels[1].get_legend_handles_labels()
        if handles[0]:
            figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _draw_run(panels: Any, name: str, metrics: Metrics, color: str) -> None:
    nets, scale = nets_of(metrics), metrics.metric.scale
    lines = {"ours": [(net, net.ours[1]) for net in nets]}
    if any(net.alone for net in nets):
        lines["each net alone"] = [(net, net.alone[1]) for net in nets if net.alone]
    joined = isinstance(metrics, ElasticMetrics)
    for kind, points in lines.items():
        style: dict[str, Any] = {
            "color": color,
            "marker": "o" if kind == "ours" else "x",
            "linestyle": ("-" if kind == "ours" else "--") if joined else "none",
            "label": f"{name}, {kind}",
        }
        timed = [(net.latency_us, scale * value) for net, value in points if net.latency_us]
        sized = [(net.tflite_bytes, scale * value) for net, value in points]
        for axes, drawn in zip(panels, (timed, sized), strict=True):
            if drawn:
                axes.plot(*zip(*drawn, strict=True), **style)
