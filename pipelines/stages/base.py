"""What a stage is, what it is given, and the loop that runs the unfinished ones in order."""

import functools
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.backend import start_backend
from pipelines.config import PipelineError, Recipe
from pipelines.sections import Data
from pipelines.stages.progress import Reporter
from pipelines.workspace import Workspace

if TYPE_CHECKING:
    from tfelastic.data import Dataset, Split


class StageError(PipelineError, ValueError):
    """A stage cannot be run, or its outcome breaks what the recipe asks for."""


@dataclass(frozen=True)
class Outcome:
    """What a stage leaves.

    Args:
        summary: One line for people.
        files: The artefacts, relative to the workspace; without them the stage counts as not run.
        results: What later stages and the metrics take from it, as JSON data.
        earlier_seconds: How long interrupted tries had worked on what this one went on from.
    """

    summary: str
    files: tuple[str, ...] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    earlier_seconds: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One step of a run; `needs` names the packages that it imports beyond the base install."""

    name: str
    run: Callable[["Run"], Outcome]
    needs: tuple[str, ...] = ()


class Run:
    """What every stage is given: the recipe, the workspace, the reporter and the data.

    Args:
        recipe: What to do.
        workspace: Where to keep it.
        reporter: What to tell of it.
        command: The command line that does it again.
    """

    def __init__(
        self, recipe: Recipe, workspace: Workspace, reporter: Reporter, *, command: str
    ) -> None:
        self.recipe = recipe
        self.workspace = workspace
        self.reporter = reporter
        self.command = command

    def path(self, name: str) -> Path:
        """Return the path of an artefact."""
        return self.workspace.path / name

    @functools.cached_property
    def dataset(self) -> "Dataset":
        """The data, which must be those that the run began with.

        Raises:
            StageError: They have changed since.
        """
        from tfelastic import data

        spec = self.recipe.data
        source, data_dir = _place(spec)
        dataset = data.load(
            source,
            data_dir=data_dir,
            image_size=spec.image_size,
            limit=spec.limit,
            seed=self.recipe.seed,
        )
        if self.workspace.finished("data"):
            began_with = self.workspace.results("data")["sha256"]
            if dataset.sha256 != began_with:
                raise StageError(
                    f"{source} no longer holds the images that this run began with; put them back, "
                    "or choose another --workspace"
                )
        return dataset

    @functools.cached_property
    def learned(self) -> "Split":
        """The training images that trainings see: all, or all but the judges."""
        train = self.dataset.train
        return train if self.recipe.blocks is None else train.take(np.sort(self._judges_first[1]))

    @functools.cached_property
    def judges(self) -> "Split":
        """The training images that are held out to judge blocks by."""
        return self.dataset.train.take(np.sort(self._judges_first[0]))

    @property
    def _judges_first(self) -> list[np.ndarray]:
        from tfelastic.data import stratified_order

        labels = self.dataset.train.labels
        count = self.recipe.blocks.judges if self.recipe.blocks else 0
        if count >= len(labels):
            raise StageError(
                f"blocks.judges holds out {count:,} images, but there are {len(labels):,} training images in all; "
                "lower it"
            )
        return np.split(stratified_order(labels, seed=self.recipe.seed), [count])


def _place(spec: Data) -> tuple[str, str | None]:
    """Return the source and tfds' folder; a prepared directory given as the folder is the source."""
    if spec.data_dir is None:
        return spec.source, None
    if spec.source == "digits" or Path(spec.source).exists():
        raise StageError(
            f"{spec.source} is not found by a data directory, which is for data sets of tfds; leave "
            "out --data-dir (data.data_dir), or set data.source to a name that tfds knows"
        )
    if (Path(spec.data_dir) / "dataset_info.json").exists():
        return spec.data_dir, None
    return spec.source, spec.data_dir


def some_images(images: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Return up to `count` images, drawn at random by the seed."""
    order = np.random.default_rng(seed).permutation(len(images))
    return images[order[:count]]


def run_stages(run: Run, stages: Sequence[Stage]) -> None:
    """Run every stage that is not finished, in order, recording each as it ends.

    A stage that has to run again makes those after it run again too.

    Raises:
        StageError: A package is missing that an unfinished stage needs.
    """
    workspace, reporter = run.workspace, run.reporter
    first = _first_unfinished(workspace, stages)
    _require_packages(stages[first:])
    if first < len(stages):
        start_backend()
    for stage in stages[:first]:
        results = workspace.results(stage.name)
        reporter.done(stage.name, results["summary"], seconds=0.0, kept=True)
    for position, stage in enumerate(stages[first:], start=first):
        workspace.forget(later.name for later in stages[position + 1 :])
        start = time.perf_counter()
        with reporter.stage(stage.name):
            outcome = stage.run(run)
        seconds = time.perf_counter() - start + outcome.earlier_seconds
        results = {**outcome.results, "summary": outcome.summary}
        workspace.finish(stage.name, files=outcome.files, results=results, seconds=seconds)
        reporter.done(stage.name, outcome.summary, seconds=seconds, kept=False)


def _first_unfinished(workspace: Workspace, stages: Sequence[Stage]) -> int:
    unfinished = (i for i, stage in enumerate(stages) if not workspace.finished(stage.name))
    return next(unfinished, len(stages))


def _require_packages(stages: Sequence[Stage]) -> None:
    """Say before hours of work, not after them, that a package will be missing."""
    for stage in stages:
        missing = [name for name in stage.needs if importlib.util.find_spec(name) is None]
        if missing:
            raise StageError(
                f"the stage {stage.name} needs {', '.join(missing)}, which is not installed; "
                "pip install 'tfelastic[tensorflow,report]' brings it"
            )
