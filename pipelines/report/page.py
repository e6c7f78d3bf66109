"""Fill the page's template with a run's metrics."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from pipelines.workspace import read_metrics, write_atomically

PAGE = "report.html"


def render(metrics: Mapping[str, Any]) -> str:
    """Return the page, as HTML that needs no other file, no network and no script.

    Args:
        metrics: What `metrics.json` of a finished run holds.
    """
    import jinja2

    from pipelines.report import figures

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        percent=percent, ms=milliseconds, kb=kilobytes, millions=millions, seconds=seconds
    )
    template = (resources.files("pipelines.report") / "page.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        metrics=metrics,
        recipe_yaml=yaml.safe_dump(metrics["recipe"], sort_keys=False, default_flow_style=None),
        shades={variant["name"]: i for i, variant in enumerate(metrics["variants"])},
        trade_off=figures.trade_off(metrics),
        curves=figures.curves(metrics),
    )


def write_report(workspace: Path) -> Path:
    """Draw a finished run's page anew and return its path."""
    page = render(read_metrics(workspace))
    return write_atomically(workspace / PAGE, page.encode())


def percent(share: float, digits: int = 2) -> str:
    """Return a share of 1 as a percentage with a thin space: `98.78 %`."""
    return f"{100 * share:.{digits}f}\u2009%"


def milliseconds(microseconds: float) -> str:
    """Return microseconds in milliseconds, to the microsecond."""
    return f"{microseconds / 1000:.3f}"


def kilobytes(count: int) -> str:
    """Return bytes in kilobytes of 1,000, to the tenth."""
    return f"{count / 1000:,.1f}"


def millions(count: int) -> str:
    """Return a count in millions."""
    return f"{count / 1e6:,.2f}"


def seconds(count: float) -> str:
    """Return seconds in minutes and seconds."""
    minutes, rest = divmod(round(count), 60)
    return f"{minutes}:{rest:02}"
