"""The kinds of run: each a folder of its own, behind one protocol, and loaded when a recipe asks for it."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import RecipeError, RecordError, WorkspaceError
from pipelines.recipe import Recipe, read_tree
from pipelines.records import read_json
from pipelines.report import Content, Metrics
from pipelines.stages import Run, Stage

#: The section that asks for an experiment: the package that holds it as `EXPERIMENT`.
EXPERIMENTS = {
    "elastic": "pipelines.experiments.elastic",
    "block_removal": "pipelines.experiments.block_removal",
    "complexity": "pipelines.experiments.complexity",
}

#: The experiment of a recipe that has none of these sections.
_DEFAULT = "elastic"


class Experiment(Protocol):
    """A kind of run: its recipe, its stages and its report."""

    @property
    def recipe(self) -> type[Recipe]:
        """What its recipes are read into."""

    @property
    def metrics(self) -> type[Metrics]:
        """What its metrics.json is read into."""

    def stages(self, recipe: Any) -> tuple[Stage[Any], ...]:
        """Return the stages between the data and the report, in order."""

    def check(self, run: Run[Any]) -> None:
        """Raise an error for what cannot work, before the first training; the data are there."""

    def collect(self, run: Run[Any], common: Mapping[str, Any]) -> Metrics:
        """Gather what the stages found; `common` are the figures that every experiment has."""

    def content(self, metrics: Any) -> Content:
        """Return the report's content."""


def experiment(name: str) -> Experiment:
    """Import an experiment by the name of its section."""
    found: Experiment = importlib.import_module(EXPERIMENTS[name]).EXPERIMENT
    return found


def name_of(recipe: Recipe) -> str:
    """Return the name of the experiment that a recipe asks for."""
    return next(name for name in EXPERIMENTS if experiment(name).recipe is type(recipe))


def parse_recipe(tree: Mapping[str, Any]) -> Recipe:
    """Read a recipe strictly, as that of the experiment whose section it has.

    Raises:
        RecipeError: A key is unknown or missing, a value is of the wrong type or range, or there are sections of
            two experiments.
    """
    asked = [name for name in EXPERIMENTS if tree.get(name) is not None]
    if len(asked) > 1:
        raise RecipeError(
            f"{' and '.join(asked)}: each asks for an experiment of its own; remove all but one of the sections"
        )
    return experiment(asked[0] if asked else _DEFAULT).recipe.from_json(tree)


def load_recipe(
    name_or_path: str, *, schedule: str | None = None, overrides: Sequence[str] = ()
) -> Recipe:
    """Read a recipe by its built-in name or its path.

    Args:
        name_or_path: The name, or the path of a .yaml file.
        schedule: Which of the file's further schedules to merge into the recipe; it is added to the run's name.
        overrides: `a.b=value` texts that come last.

    Raises:
        RecipeError: There is no such recipe or schedule, or it or an override is malformed.
    """
    tree = read_tree(name_or_path, schedule=schedule, overrides=overrides)
    try:
        return parse_recipe(tree)
    except RecipeError as error:
        raise RecipeError(f"recipe {name_or_path}: {error}") from None


def read_metrics(workspace: str | Path) -> Metrics:
    """Return the metrics.json of a workspace.

    Raises:
        WorkspaceError: There is none, or it is no run's.
    """
    file = Path(workspace) / "metrics.json"
    try:
        tree = read_json(file)
    except RecordError as error:
        raise WorkspaceError(f"{error}; tfelastic run writes it as its last step") from None
    return metrics_from(tree, file)


def metrics_from(tree: Any, file: Path) -> Metrics:
    """Return the metrics that a file holds.

    Args:
        tree: What the file holds, as plain data.
        file: The file, named in errors.

    Raises:
        WorkspaceError: They are no run's.
    """
    name = tree.get("experiment") if isinstance(tree, dict) else None
    if name not in tuple(EXPERIMENTS):
        raise WorkspaceError(
            f"{file} names no experiment ({', '.join(EXPERIMENTS)}), received {name!r}; run the recipe again"
        )
    try:
        return experiment(name).metrics.from_json(tree)
    except RecordError as error:
        raise WorkspaceError(f"{file}: {error}; run the recipe again") from None
