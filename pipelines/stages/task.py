"""What a recipe's task makes of a model: the loss that trains it, the figure watched in training, and the metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import StageError
from pipelines.recipe import TaskName, WeightedMetric
from pipelines.stages.run import Run

if TYPE_CHECKING:
    import keras

    from tfelastic import Metric
    from tfelastic.data import Dataset

#: The recipe's keys that say what nets are trained on and scored by.
TASK_KEYS = ("task", "metric")

#: The metric that scores a task's nets unless the recipe names another.
_METRICS: dict[TaskName, str] = {
    "classification": "accuracy",
    "multilabel": "binary_accuracy",
    "segmentation": "mean_iou",
    "regression": "mae",
}


@dataclass(frozen=True)
class Output:
    """One output of a model, and what it answers.

    Attributes:
        name: Its name; that of a single one is "".
        task: What it answers.
        shape: Its shape without the batch.
        probabilities: Whether its values are probabilities; else they are scores, or a regression's values.
        target: The training examples' targets, `[examples, ...]`.
        classes: The names of the classes that it chooses among, or of the labels that may hold; none of a regression.
    """

    name: str
    task: TaskName
    shape: tuple[int | None, ...]
    probabilities: bool
    target: np.ndarray
    classes: tuple[str, ...]

    @property
    def is_one_unit(self) -> bool:
        """Whether one number says which of two classes is chosen."""
        return self.task != "regression" and self.shape[-1] == 1

    @property
    def threshold(self) -> float:
        """Above which value a unit's class or label holds."""
        return 0.5 if self.probabilities else 0.0

    @property
    def labels_are_rows(self) -> bool:
        """Whether targets are one-hot rows, not classes."""
        return self.target.shape[1:] == self.shape and are_one_hot(self.target)

    def loss(self) -> "keras.Loss":
        """Return the loss that trains it."""
        import keras

        if self.task == "regression":
            return keras.losses.MeanSquaredError()
        logits = not self.probabilities
        if self.task == "multilabel" or self.is_one_unit:
            return keras.losses.BinaryCrossentropy(from_logits=logits)
        if self.labels_are_rows:
            return keras.losses.CategoricalCrossentropy(from_logits=logits)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)

    def watched(self) -> "keras.Metric | str":
        """Return the figure that is shown beside the loss in training."""
        import keras

        if self.task == "regression":
            return keras.metrics.MeanAbsoluteError(name="mae")
        name = {"multilabel": "binary_accuracy", "segmentation": "pixel_accuracy"}.get(
            self.task, "accuracy"
        )
        if self.task == "multilabel" or self.is_one_unit:
            return keras.metrics.BinaryAccuracy(name=name, threshold=self.threshold)
        if self.labels_are_rows:
            return keras.metrics.CategoricalAccuracy(name=name)
        return keras.metrics.SparseCategoricalAccuracy(name=name)


@dataclass(frozen=True)
class Task:
    """What nets of a run are trained on and scored by; losses and figures of several outputs are dicts by name.

    Attributes:
        outputs: The outputs.
        metric: What scores a net.
    """

    outputs: tuple[Output, ...]
    metric: "Metric"

    @classmethod
    def of(
        cls,
        model: "keras.Model",
        dataset: "Dataset",
        *,
        task: TaskName | Mapping[str, TaskName] = "classification",
        metric: str | Mapping[str, str | WeightedMetric] | None = None,
    ) -> "Task":
        """Return what a task, and a metric if one is named, make of a model and its data.

        The default metric of several outputs is the mean of theirs.
        """
        import tfelastic as te

        outputs = outputs_of(model, dataset, task)
        asked: Any = metric
        if asked is None:
            share = 1 / len(outputs)
            asked = {each.name: (_METRICS[each.task], share) for each in outputs}
            asked = asked[""][0] if "" in asked else asked
        elif isinstance(asked, Mapping):
            asked = {name: _weighted(each) for name, each in asked.items()}
        return cls(outputs, te.metric_of(model, asked, labels=dataset.train.targets))

    @property
    def loss(self) -> Any:
        """New losses, as `compile` takes them."""
        return self._compiled({each.name: each.loss() for each in self.outputs})

    @property
    def watched(self) -> Any:
        """New metrics of a training, as `compile` takes them."""
        found = {each.name: [each.watched()] for each in self.outputs}
        return self._compiled(found)

    @property
    def labels(self) -> dict[str, tuple[str, ...]] | tuple[str, ...] | None:
        """The names of the classes of each output that has a number for each, as a bundle takes them."""
        found = {
            each.name: each.classes
            for each in self.outputs
            if each.classes and len(each.classes) == each.shape[-1]
        }
        if not found:
            return None
        return found.get("", found)

    def _compiled(self, found: dict[str, Any]) -> Any:
        return found.get("", found)


def task_of(run: Run[Any], model: "keras.Model") -> Task:
    """Return what the recipe's task makes of a model; nets cut out of it have the same task.

    Args:
        run: The run, or a stage of it that reads `TASK_KEYS` and the data.
        model: A functional or sequential model.

    Raises:
        DataError: The recipe's metric is unknown, or does not fit the outputs.
        StageError: Tasks or targets are named otherwise than the model's outputs.
    """
    return Task.of(model, run.dataset, task=run.recipe.task, metric=run.recipe.metric)


def outputs_of(model: "keras.Model", dataset: "Dataset", task: Any) -> tuple[Output, ...]:
    """Return a model's outputs with their targets and tasks, in the model's order."""
    import tfelastic as te

    kinds = te.metrics.kinds_of(te.trace(model))
    targets = te.data.arrays_of(dataset.train.targets)
    names, tasks = output_names(model, dataset), tasks_of(task, dataset)
    return tuple(
        Output(
            name,
            tasks[name],
            tuple(tensor.shape[1:]),
            kind in ("distribution", "fraction"),
            targets[name],
            class_names(dataset, name, tasks[name]),
        )
        for name, tensor, kind in zip(names, model.outputs, kinds, strict=True)
    )


def output_names(model: "keras.Model", dataset: "Dataset") -> tuple[str, ...]:
    """Return the names of a model's outputs as the data have them, "" for a single one.

    Raises:
        StageError: The data have targets for other outputs.
    """
    import tfelastic as te

    names = tuple(te.data.arrays_of(dataset.train.targets))
    has = tuple(getattr(model, "output_names", ("",)))  # A Sequential has one, without a name.
    if names == ("",):
        if len(has) > 1:
            raise StageError(
                f"the model {model.name!r} has the outputs {', '.join(has)}, and {dataset.name} has one target; give "
                "targets of these names (in a .npz file y/NAME)"
            )
        return names
    if set(names) != set(has):
        raise StageError(
            f"{dataset.name} has the targets {', '.join(names)}, and the model {model.name!r} the outputs "
            f"{', '.join(has)}; give both the same names"
        )
    return has


def tasks_of(task: Any, dataset: "Dataset") -> dict[str, TaskName]:
    """Return the task of each target.

    Raises:
        StageError: A target has none, or a task no target.
    """
    import tfelastic as te

    names = tuple(te.data.arrays_of(dataset.train.targets))
    if not isinstance(task, Mapping):
        return dict.fromkeys(names, task)
    if set(task) != set(names):
        held = "one target" if names == ("",) else f"the targets {', '.join(names)}"
        raise StageError(
            f"the recipe has tasks for {', '.join(task)}, and {dataset.name} has {held}; give one task, or one for "
            "each target by its name"
        )
    return dict(task)


def class_names(dataset: "Dataset", target: str, task: TaskName) -> tuple[str, ...]:
    """Return the names of a target's classes or labels; numbers where the data do not name them, none of values."""
    import tfelastic as te

    if task == "regression":
        return ()
    if names := dataset.classes_of(target):
        return tuple(names)
    array = te.data.arrays_of(dataset.train.targets)[target]
    if task == "multilabel" or are_one_hot(array):
        count = array.shape[-1] if array.ndim > 1 else 1
    else:
        count = int(array.max()) + 1
    return tuple(map(str, range(count)))


def are_one_hot(target: np.ndarray) -> bool:
    """Whether targets are rows `[..., classes]` of which one number is 1 and the others are 0."""
    if target.ndim < 2 or target.shape[-1] < 2 or not np.isin(target, (0, 1)).all():
        return False
    return bool((target.sum(axis=-1) == 1).all())


def units_of(dataset: "Dataset", tasks: Mapping[str, TaskName]) -> int | dict[str, int]:
    """Return how many numbers each output gives, of a net of the zoo; a dict for several outputs."""
    import tfelastic as te

    units = {}
    for name, array in te.data.arrays_of(dataset.train.targets).items():
        per_value = tasks[name] in ("regression", "multilabel")
        values = array.shape[-1] if array.ndim > 1 else 1
        units[name] = values if per_value else len(class_names(dataset, name, tasks[name]))
    return units.get("", units)


def _weighted(asked: "str | WeightedMetric") -> tuple[str, float]:
    """Return a metric's name and weight, 1 where none is given."""
    return (asked, 1.0) if isinstance(asked, str) else (asked.name, asked.weight)
