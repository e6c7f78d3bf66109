"""Whether a model takes what the data hold and answers what the task asks, checked before any training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import StageError
from pipelines.stages.task import Output, are_one_hot

if TYPE_CHECKING:
    import keras

    from tfelastic.data import Dataset

_REGRESSION = "for values set task: regression"


def with_known_sizes(model: "keras.Model", dataset: "Dataset") -> "keras.Model":
    """Return the model with inputs of the data's sizes where its own are open, as in `(None, None, 3)`.

    Its weights are kept. Costs, and a `.tflite`, are those of one size.
    """
    import keras

    import tfelastic as te

    if None not in [size for tensor in model.inputs for size in tensor.shape[1:]]:
        return model
    require_inputs(model, dataset)
    shapes = {
        name: array.shape[1:] for name, array in te.data.arrays_of(dataset.train.inputs).items()
    }

    def sized(tensor: "keras.KerasTensor") -> "keras.KerasTensor":
        shape = shapes.get(tensor.name, shapes.get(""))
        return keras.Input(shape, dtype=tensor.dtype, name=tensor.name)

    # A Sequential that was never called has a list of one alone.
    given = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    inputs = keras.tree.map_structure(sized, given)
    known = keras.models.clone_model(model, input_tensors=inputs)
    known.set_weights(model.get_weights())
    if model.compiled:
        known.compile_from_config(model.get_compile_config())
    return known


def require_inputs(model: "keras.Model", dataset: "Dataset") -> None:
    """Check that the model takes the data's inputs.

    Raises:
        StageError: Names, shapes or types differ.
    """
    import tfelastic as te

    arrays = te.data.arrays_of(dataset.train.inputs)
    tensors = {tensor.name: tensor for tensor in model.inputs}
    if tuple(arrays) == ("",) and len(tensors) == 1:
        tensors = {"": next(iter(tensors.values()))}
    if set(arrays) != set(tensors):
        held = "one input" if tuple(arrays) == ("",) else f"the inputs {', '.join(arrays)}"
        raise StageError(
            f"the model {model.name!r} takes the inputs {', '.join(tensors)}, and {dataset.name} has {held}; give "
            "both the same names (in a .npz file x/NAME)"
        )
    for name, array in arrays.items():
        takes, holds = tuple(tensors[name].shape[1:]), array.shape[1:]
        of = f" {name!r}" if name else ""
        if not _fits(holds, takes):
            size = "set data.image_size, or " if te.data.is_images(array) else ""
            raise StageError(
                f"the model {model.name!r} takes inputs{of} of shape {takes}, and those of {dataset.name} are "
                f"{holds}; {size}choose another model"
            )
        whole = "int" in str(tensors[name].dtype)
        if whole and not np.issubdtype(array.dtype, np.integer):
            raise StageError(
                f"the model {model.name!r} takes inputs{of} of type {tensors[name].dtype}, and those of "
                f"{dataset.name} are {array.dtype}; store them as whole numbers, or choose another model"
            )


def require_output(model: "keras.Model", output: Output, dataset: "Dataset") -> None:
    """Check that an output can answer its task, and that its targets can teach it.

    Raises:
        StageError: Targets or the output's shape do not fit the task.
    """
    target, task, shape = output.target, output.task, output.shape
    holds = f"the targets{f' {output.name!r}' if output.name else ''} of {dataset.name}"
    per_example = f"{target.dtype} {list(target.shape[1:])} for each example"
    gives = f"the model {model.name!r} gives outputs{f' {output.name!r}' if output.name else ''} of shape {shape}"
    if task in ("multilabel", "regression"):
        if task == "multilabel" and not np.isin(target, (0, 1)).all():
            raise StageError(
                f"{holds} hold other numbers than 0 and 1, which task: multilabel needs; {_REGRESSION}"
            )
        expected = target.shape[1:] or (1,)
        if not _fits(expected, shape) and not _fits((*expected, 1), shape):
            raise StageError(
                f"{gives}, and {holds} are {per_example}, so for task: {task} it must give {expected}"
            )
        return
    axes = 2 if task == "segmentation" else 0
    positions = target.shape[1 : 1 + axes]
    if not _are_classes(target, axes, output):
        needed = "a class for every pixel" if axes else "one class for each example"
        raise StageError(
            f"{holds} are {per_example}, and task: {task} needs {needed}; set another task: "
            f"{_REGRESSION}, for 0 and 1 of several labels task: multilabel, for pixels task: segmentation"
        )
    count = len(output.classes)
    wanted = (*positions, count)
    if not _fits(wanted, shape) and not (count == 2 and _fits((*positions, 1), shape)):
        or_one = f" or {(*positions, 1)}" if count == 2 else ""
        raise StageError(
            f"{gives}, and {dataset.name} has {count} classes, so it must give {wanted}{or_one}"
        )


def _are_classes(target: np.ndarray, axes: int, output: Output) -> bool:
    """Whether targets hold a class, or a one-hot row, at each position."""
    if target.ndim == 2 + axes and target.shape[-1] == len(output.classes) > 1:
        return are_one_hot(target)
    one_each = target.ndim == 1 + axes or target.shape[1 + axes :] == (1,)
    return one_each and bool((target >= 0).all() and (target == np.rint(target)).all())


def _fits(shape: Sequence[int], tensor: Sequence[int | None]) -> bool:
    """Whether an array of a shape is what a tensor, some of whose sizes may be open, takes."""
    return len(shape) == len(tensor) and all(
        known is None or known == size for size, known in zip(shape, tensor, strict=True)
    )
