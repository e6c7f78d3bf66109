"""What a stage is given: the recipe, the data and the earlier results that it declares to read."""

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from pipelines.errors import StageError
from pipelines.progress import Reporter
from pipelines.recipe import Data, Recipe
from pipelines.stages.stage import Result, Stage
from pipelines.workers import InProcess, Workers
from pipelines.workspace import Workspace

if TYPE_CHECKING:
    from tfelastic.data import Dataset, Split

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)

#: The stage that loads the data; those that read examples declare it.
DATA = "data"


class Run(Generic[AnyRecipe]):
    """One run of a recipe in a workspace.

    Args:
        recipe: What to do.
        workspace: Where to keep it.
        reporter: Where to report progress.
        command: The command line that does it again.
        set_up_process: Each training has a process of its own, which calls this first to start the backend; `None`
            trains in this one.
        on_training: Called with a training's name before its first epoch in this process.
        workers: What carries out independent pieces of work.
    """

    def __init__(
        self,
        recipe: AnyRecipe,
        workspace: Workspace,
        reporter: Reporter,
        *,
        command: str,
        set_up_process: Callable[[], None] | None = None,
        on_training: Callable[[str], None] = lambda name: None,
        workers: Workers = InProcess(),  # noqa: B008 - without state, so safe to share.
    ) -> None:
        self.workspace = workspace
        self.reporter = reporter
        self.command = command
        self.set_up_process = set_up_process
        self.on_training = on_training
        self.workers = workers
        self._recipe = recipe
        self._examples = _Examples(recipe, workspace)
        self._stage: Stage[Any] | None = None

    def within(self, stage: Stage[Any]) -> "Run[AnyRecipe]":
        """Return the run as the stage sees it: with what it declares to read, and nothing else."""
        seen = Run(
            self._recipe,
            self.workspace,
            self.reporter,
            command=self.command,
            on_training=self.on_training,
            workers=self.workers,
        )
        seen._examples, seen._stage = self._examples, stage
        return seen

    @property
    def recipe(self) -> AnyRecipe:
        """The recipe; within a stage, reading a key that the stage does not declare is an error."""
        if self._stage is None:
            return self._recipe
        return cast(AnyRecipe, _DeclaredKeys(self._recipe, self._stage))

    def result(self, stage: Stage[Result]) -> Result:
        """Return what an earlier stage found.

        Raises:
            StageError: The stage at work does not declare to read it, or it is not finished.
        """
        self._require_declared(stage.name)
        entry = self.workspace.entry(stage.name)
        if entry is None:
            raise StageError(f"the stage {stage.name} is not finished; run it first")
        return stage.result.from_json(entry.result)

    def _require_declared(self, name: str) -> None:
        at_work = self._stage
        if at_work and name != at_work.name and name not in (s.name for s in at_work.stages):
            raise StageError(
                f"the stage {at_work.name} reads the stage {name}, which it does not declare; add it to its `stages`"
            )

    def path(self, name: str) -> Path:
        """Return the path of an artefact."""
        return self.workspace.path / name

    def read_json(self, name: str) -> Any:
        """Return what a JSON artefact holds."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def scratch_path(self, name: str) -> Path:
        """Return the path of a file that the stage at work keeps only until it is finished."""
        if self._stage is None:
            raise StageError(f"no stage is at work that could keep {name}; call Run.within first")
        return self.workspace.scratch_path(self._stage.name, name)

    @property
    def dataset(self) -> "Dataset":
        """The data, which must be those that the stage `data` found.

        Raises:
            StageError: They have changed since.
        """
        self._require_declared(DATA)
        return self._examples.dataset

    @property
    def training_split(self) -> "Split":
        """The training examples that trainings see: all that are not held out for validation."""
        train = self.dataset.train
        if not self.recipe.validation_images:
            return train
        return train.take(np.sort(self._validation_first[1]))

    @property
    def validation_split(self) -> "Split":
        """The training examples that are held out from every training."""
        return self.dataset.train.take(np.sort(self._validation_first[0]))

    @property
    def _validation_first(self) -> list[np.ndarray]:
        from tfelastic.data import sampling_order

        train, count = self.dataset.train, self.recipe.validation_images
        if count >= len(train):
            raise StageError(
                f"validation_images holds out {count:,} examples, but there are {len(train):,} to train with in "
                "all; lower it"
            )
        return np.split(sampling_order(train, seed=self.recipe.seed), [count])


class _DeclaredKeys:
    """A recipe, or a section of it, that answers for the keys that a stage declares."""

    def __init__(self, value: Any, stage: Stage[Any], place: str = "") -> None:
        self._value, self._stage, self._place = value, stage, place

    def __getattr__(self, name: str) -> Any:
        value, place = getattr(self._value, name), f"{self._place}{name}"
        if place in self._stage.keys:
            return value
        if any(key.startswith(f"{place}.") for key in self._stage.keys):
            return _DeclaredKeys(value, self._stage, f"{place}.")
        raise StageError(
            f"the stage {self._stage.name} reads the recipe's key {place}, which it does not declare; add it to its "
            "`keys`"
        )


class _Examples:
    """A run's data, loaded when they are first asked for."""

    def __init__(self, recipe: Recipe, workspace: Workspace) -> None:
        self._recipe, self._workspace = recipe, workspace

    @functools.cached_property
    def dataset(self) -> "Dataset":
        dataset = load_data(self._recipe.data, seed=self._recipe.seed)
        known = self._workspace.entry(DATA)
        if known is not None and dataset.sha256 != known.result["sha256"]:
            raise StageError(
                f"{self._recipe.data.source} changed while the run was under way; give the same command again, which "
                "begins with the stages that read it"
            )
        return dataset


def load_data(spec: Data, *, seed: int) -> "Dataset":
    """Load the examples that a recipe's section `data` names.

    Raises:
        DataError: The source is missing, unknown or malformed.
    """
    from tfelastic import data

    source, data_dir = place(spec)
    dataset = data.load(
        source,
        data_dir=data_dir,
        image_size=spec.image_size,
        features=spec.features,
        limit=spec.limit,
        seed=seed,
    )
    if spec.test_limit is not None and spec.test_limit < len(dataset.test):
        dataset = replace(dataset, test=data.limited(dataset.test, spec.test_limit, seed=seed))
    return dataset


def place(spec: Data) -> tuple[str, str | None]:
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
