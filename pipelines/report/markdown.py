"""A run's results as a section of Markdown, for a page of results."""

from pipelines.report import numbers
from pipelines.report.content import Content
from pipelines.report.metrics import Metrics


def section(metrics: Metrics, content: Content) -> str:
    """Return the run's heading, its circumstances and its tables.

    Args:
        metrics: A finished run's figures.
        content: The same as people read them.
    """
    data = metrics.data
    lines = [
        f"## {metrics.name}",
        "",
        f"{data.name}, {data.train:,} examples to train and {data.test:,} to test, seed "
        f"{metrics.seed}. The stand-alone baseline reaches {_reached(metrics)}.",
        "",
        "```",
        metrics.command,
        "```",
        "",
    ]
    for each in content.sections:
        if each.lines and not each.machine_bound:
            lines += [f"### {each.title}", "", *each.lines, ""]
    return "\n".join(lines)


def _reached(metrics: Metrics) -> str:
    """Return the baseline's score; accuracy needs no name."""
    metric = metrics.metric
    shown = numbers.score(metric, metrics.baseline.score)
    return shown if metric.name == "accuracy" else f"a {metric.title} of {shown}{metric.direction}"
