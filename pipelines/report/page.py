"""Fill the page's template with a run's metrics."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from pipelines.report import parts, prose, units
from pipelines.workspace import read_metrics

PAGE = "report.html"


def render(metrics: Mapping[str, Any]) -> str:
    """Return the page, as HTML that needs no other file, no network and no script.

    Args:
        metrics: What `metrics.json` of a finished run holds.
    """
    import jinja2

    from pipelines.report import figures

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_template),
    )
    environment.filters.update(
        percent=units.percent, kb=units.kilobytes, millions=units.millions, minutes=units.minutes
    )
    given = {
        "metrics": metrics,
        "recipe_yaml": yaml.safe_dump(metrics["recipe"], sort_keys=False, default_flow_style=None),
        "parts": _parts(metrics),
        "curves": figures.curves(metrics),
    }
    if "variants" in metrics:
        unit = units.TimeUnit.of(metrics)
        environment.filters["time"] = unit.show
        return environment.get_template("elastic.html").render(
            given,
            unit=unit.name,
            shades={variant["name"]: i for i, variant in enumerate(metrics["variants"])},
            trade_off=figures.trade_off(metrics),
        )
    return environment.get_template("pruned.html").render(
        given, lead=parts.lead(metrics), tiles=parts.tiles(metrics)
    )


def _template(name: str) -> str:
    return (resources.files("pipelines.report") / name).read_text(encoding="utf-8")


def _parts(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the parts as HTML."""
    from pipelines.report import figures

    return [
        {
            "title": part.title,
            "caption": part.caption,
            "text": prose.to_html(part.lines),
            "figure": figures.picture(part.draw, name=f"part{number}", label=part.title)
            if part.draw
            else "",
        }
        for number, part in enumerate(parts.parts(metrics))
    ]


def write_report(workspace: Path) -> Path:
    """Draw a finished run's page anew and return its path."""
    from tfelastic.files import write_atomically

    page = render(read_metrics(workspace))
    return write_atomically(workspace / PAGE, page.encode())
