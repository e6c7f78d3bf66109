"""Which task a model is for, by its compiled loss, what its outputs hold, and the targets in the data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import StageError
from pipelines.recipe import TaskName
from pipelines.stages.task import are_one_hot, output_names

if TYPE_CHECKING:
    import keras

    from tfelastic.data import Dataset
    from tfelastic.metrics import Ending


def infer_task(model: "keras.Model", dataset: "Dataset") -> TaskName | dict[str, TaskName]:
    """Return the task that a model and its data are for, of several outputs by name.

    A loss says whether outputs are quantities, classes or yes-or-no questions; without one the last operations and
    the targets do.

    Raises:
        StageError: They leave it open, or the data have targets for other outputs.

    Example:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
        >>> infer_task(model, te.data.load("digits"))
        'classification'
    """
    import tfelastic as te

    names = output_names(model, dataset)
    losses = [_loss_of(model, name, number) for number, name in enumerate(names)]
    endings = te.metrics.endings_of(te.trace(model), losses)
    targets = te.data.arrays_of(dataset.train.targets)
    found: dict[str, TaskName] = {}
    for name, tensor, ending, loss in zip(names, model.outputs, endings, losses, strict=True):
        task = _task(ending, tuple(tensor.shape[1:]), targets[name], has_loss=loss is not None)
        if task is None:
            raise StageError(_ambiguous(model, name, ending, targets[name]))
        found[name] = task
    return found.get("", found)


def _loss_of(model: "keras.Model", name: str, number: int) -> Any:
    """Return the compiled loss of an output, `None` where there is none."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, Mapping):
        # Of one output `compile` takes a dict as well, by a name that the data do not have.
        return next(iter(loss.values()), None) if name == "" else loss.get(name)
    if isinstance(loss, list | tuple):
        return loss[number] if number < len(loss) else None
    return loss


def _task(
    ending: "Ending", shape: tuple[int | None, ...], target: np.ndarray, *, has_loss: bool
) -> TaskName | None:
    """Return an output's task, or `None` where nothing decides."""
    whole = bool((target >= 0).all() and (target == np.rint(target)).all())
    classes: TaskName = "segmentation" if _is_per_pixel(shape, target) else "classification"
    if ending == "values":
        yes_or_no = not has_loss and shape[-1] == 1 and np.isin(target, (0, 1)).all()
        return classes if yes_or_no else "regression"
    if ending in ("logits", "probabilities"):
        if whole and (_one_each(shape, target) or are_one_hot(target)):
            return classes
        return None if has_loss else "regression"
    if not np.isin(target, (0, 1)).all():
        return None
    if shape[-1] == 1 or are_one_hot(target):
        return classes
    return "multilabel" if classes == "classification" else None


def _is_per_pixel(shape: tuple[int | None, ...], target: np.ndarray) -> bool:
    return len(shape) == 3 and target.ndim >= 3 and target.shape[1] > 1


def _one_each(shape: tuple[int | None, ...], target: np.ndarray) -> bool:
    """Whether targets hold one number at each position where the output holds several."""
    return target.ndim == len(shape) or (target.ndim == len(shape) + 1 and target.shape[-1] == 1)


def _ambiguous(model: "keras.Model", name: str, ending: "Ending", target: np.ndarray) -> str:
    of, option = (f" {name!r}", f"{name}=") if name else ("", "")
    return (
        f"the output{of} of the model {model.name!r} holds {ending.replace('_', ' ')}, and its targets are "
        f"{target.dtype} {list(target.shape[1:])} for each example, which leaves the task open; say it: "
        f"--task {option}classification, multilabel, segmentation or regression"
    )
