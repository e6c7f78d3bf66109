"""Fill the page's template with a run's metrics."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from pipelines.report import units
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
    unit = units.TimeUnit.of(metrics)
    environment.filters.update(
        percent=units.percent,
        kb=units.kilobytes,
        millions=units.millions,
        minutes=units.minutes,
        time=unit.show,
    )
    template = (resources.files("pipelines.report") / "page.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        metrics=metrics,
        unit=unit.name,
        recipe_yaml=yaml.safe_dump(metrics["recipe"], sort_keys=False, default_flow_style=None),
        shades={variant["name"]: i for i, variant in enumerate(metrics["variants"])},
        trade_off=figures.trade_off(metrics),
        curves=figures.curves(metrics),
    )


def write_report(workspace: Path) -> Path:
    """Draw a finished run's page anew and return its path."""
    page = render(read_metrics(workspace))
    return write_atomically(workspace / PAGE, page.encode())
