"""Fill the page's template with a run's metrics."""

from importlib import resources
from typing import Any

import yaml

from pipelines.report import figures, numbers, text
from pipelines.report.content import Content, Section
from pipelines.report.metrics import Metrics

PAGE = "report.html"


def render(metrics: Metrics, content: Content) -> str:
    """Return the page, as HTML that needs no other file, no network and no script.

    Args:
        metrics: A finished run's figures.
        content: The same as people read them.
    """
    return fill(
        "page.html",
        metrics=metrics,
        content=content,
        class_counts=metrics.data.class_counts,
        sections=[_section(number, each) for number, each in enumerate(content.sections)],
        curves=figures.curves({"the net alone": metrics.baseline.history, **metrics.trainings}),
        recipe_yaml=yaml.safe_dump(metrics.recipe, sort_keys=False, default_flow_style=None),
    )


def fill(template: str, **values: Any) -> str:
    """Return a page of this room's templates, with the style that all share."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["minutes"] = numbers.minutes
    return environment.from_string(_text(template)).render(style=_text("style.css"), **values)


def _text(name: str) -> str:
    return (resources.files("pipelines.report") / name).read_text(encoding="utf-8")


def _section(number: int, section: Section) -> dict[str, str]:
    """Return a section as HTML."""
    picture = ""
    if section.draw:
        picture = figures.picture(section.draw, name=f"section{number}", label=section.title)
    return {
        "title": section.title,
        "caption": section.caption,
        "text": text.to_html(section.lines),
        "figures": text.to_html(section.figures),
        "figure": picture,
    }
