"""Carry out a recipe: its experiment's stages between the data and the report."""

import dataclasses
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines.backend import start_backend
from pipelines.errors import StageError
from pipelines.experiments.registry import Experiment, experiment, name_of, read_metrics
from pipelines.recipe import Recipe
from pipelines.report import PAGE, Content, Metrics, render
from pipelines.stages import (
    Nothing,
    Outcome,
    Prospect,
    Run,
    Stage,
    baseline,
    data,
    foresee,
    run_stages,
    seconds_of,
)
from pipelines.stages.announcing import announcing_trainings
from pipelines.stages.devices import require_distribution

METRICS = "metrics.json"
#: The last stage of every run.
REPORT = "report"

_PACKAGES = ("tfelastic", "keras", "tensorflow", "ai-edge-litert", "numpy")


def stages_of(recipe: Recipe) -> tuple[Stage[Any], ...]:
    """Return the stages of a recipe, first to last."""
    found = experiment(name_of(recipe))
    stages = (data.STAGE, *found.stages(recipe))
    return (*stages, _report_stage(found, recipe, stages))


def carry_out(run: Run[Any], *, until: str | None = None) -> None:
    """Run every stage that has to run, the experiment's check ahead of the trainings.

    Args:
        run: The run.
        until: The last stage to run; all unless given.

    Raises:
        StageError: The recipe has no such stage.
    """
    stages = stages_of(run.recipe)
    names = [stage.name for stage in stages]
    if until is not None:
        if until not in names:
            raise StageError(
                f"the recipe has no stage {until!r}; its stages are {', '.join(names)}"
            )
        stages = stages[: names.index(until) + 1]
    require_distribution(run.recipe)
    with announcing_trainings(run):
        run_stages(run, stages[:1])
        ahead = foresee(run, stages)
        if any(prospect.reasons for prospect in ahead if prospect.stage.name != REPORT):
            start_backend()
            experiment(name_of(run.recipe)).check(run)
        run_stages(run, stages[1:])


def join(run: Run[Any]) -> None:
    """Take part in the trainings of another process that carries the same recipe out."""
    require_distribution(run.recipe)
    start_backend()
    from pipelines.stages.joining import join_trainings

    count = join_trainings(run)
    run.reporter.say(f"took part in {count} trainings; the first process has what they left")


def prospects(run: Run[Any]) -> tuple[Prospect, ...]:
    """Return which stages of the run would run, and why."""
    return foresee(run, stages_of(run.recipe))


def content_of(metrics: Metrics) -> Content:
    """Return the content of a finished run's report."""
    return experiment(metrics.experiment).content(metrics)


def write_report(workspace: Path) -> Path:
    """Draw a finished run's page anew and return its path."""
    from tfelastic.files import write_atomically

    metrics = read_metrics(workspace)
    page = render(metrics, content_of(metrics))
    return write_atomically(workspace / PAGE, page.encode())


def _report_stage(
    found: Experiment, recipe: Recipe, stages: tuple[Stage[Any], ...]
) -> Stage[Nothing]:
    """Return the last stage, which gathers what all stages found and draws the page from it."""

    def run(run: Run[Any]) -> Outcome[Nothing]:
        metrics = found.collect(run, _common(run, recipe, stages))
        page = render(metrics, found.content(metrics))
        run.workspace.save_json(METRICS, metrics.to_json())
        run.workspace.save_text(PAGE, page)
        return Outcome(f"{PAGE}, {METRICS}", Nothing(), files=(METRICS, PAGE))

    keys = tuple(field.name for field in dataclasses.fields(recipe))
    return Stage(REPORT, run, Nothing, keys, stages, packages=("jinja2", "matplotlib"))


def _common(run: Run[Any], recipe: Recipe, stages: tuple[Stage[Any], ...]) -> dict[str, Any]:
    """Return the figures that every experiment has."""
    return {
        "experiment": name_of(recipe),
        "name": recipe.name,
        "command": run.command,
        "seed": recipe.seed,
        "fingerprint": recipe.fingerprint,
        "data": run.result(data.STAGE).description,
        "data_sha256": run.result(data.STAGE).sha256,
        "baseline": run.result(baseline.STAGE),
        "seconds": seconds_of(run.workspace, stages),
        "versions": versions(),
        "recipe": recipe.to_json(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of what decides a run's numbers."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
