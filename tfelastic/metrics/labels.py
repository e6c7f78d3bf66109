"""What outputs and labels say, with their shapes checked: nothing is broadcast.

Shapes are written with `N` for the examples, `...` for positions (none, time steps or pixels) and `C` for the classes.
"""

from typing import Any

import numpy as np

from tfelastic.errors import DataError

#: How far the rows of class probabilities may be from a sum of 1.
_ROW_SUM_TOLERANCE = 1e-3


def as_outputs(y_pred: Any) -> np.ndarray:
    """Return one output's values as an array `[N, ...]` of numbers.

    Raises:
        DataError: There are none, they are no numbers, or one of them is NaN.
    """
    outputs = _as_numbers(y_pred, "the outputs")
    if outputs.dtype.kind == "f" and np.isnan(outputs).any():
        raise DataError(
            f"the outputs of shape {_shape(outputs)} hold NaN, so nothing can be scored; "
            "the model's weights or its inputs are damaged"
        )
    return outputs


def as_classes(y_pred: np.ndarray, threshold: float | None) -> tuple[np.ndarray, int]:
    """Return the class that outputs choose at each position, and how many classes there are.

    Args:
        y_pred: Class scores `[N, ..., C]`, the largest of which wins; or one unit's values, `[N, ..., 1]` or `[N]`.
        threshold: Above which one unit's value means class 1; at it or below, class 0.

    Raises:
        DataError: One unit comes without a threshold.
    """
    if y_pred.ndim > 1 and y_pred.shape[-1] > 1:
        return y_pred.argmax(axis=-1), y_pred.shape[-1]
    if threshold is None:
        raise DataError(
            f"outputs of shape {_shape(y_pred)} are those of one unit, whose class depends on a threshold; give the "
            "metric threshold=0.5 for a probability (sigmoid), threshold=0 for a logit"
        )
    values = y_pred[..., 0] if y_pred.ndim > 1 else y_pred
    return (values > threshold).astype(np.int64), 2


def as_class_labels(
    y_true: Any, y_pred: np.ndarray, classes: int, ignore_class: int | None = None
) -> np.ndarray:
    """Return the right class at each position, integers `[N, ...]`.

    Args:
        y_true: Classes `[N, ...]` or `[N, ..., 1]`; or, for outputs `[N, ..., C]`, one-hot rows or probabilities
            `[N, ..., C]`. For one unit 0 and 1, or -1 and 1.
        y_pred: The outputs that the labels belong to.
        classes: How many classes there are.
        ignore_class: A class of positions that are left out.

    Raises:
        DataError: The shape does not fit the outputs, or a label is no class.
    """
    labels = _as_numbers(y_true, "the labels")
    units = y_pred.shape[-1] if y_pred.ndim > 1 else 1
    positions = y_pred.shape[:-1] if y_pred.ndim > 1 else y_pred.shape
    if labels.shape == (*positions, units) and units > 1:
        return _from_rows(labels)
    if labels.shape not in (positions, (*positions, 1)):
        one_hot = f", or {_text((*positions, units))} one-hot" if units > 1 else ""
        raise DataError(
            f"outputs of shape {_shape(y_pred)} need labels of shape {_text(positions)} or {_text((*positions, 1))} "
            f"that hold classes{one_hot}; received labels of shape {_shape(labels)}; {_REMEDY}"
        )
    numbers = _as_integers(labels.reshape(positions))
    if units == 1 and numbers.min() == -1 and ignore_class is None:
        numbers = np.where(numbers == -1, 0, np.where(numbers == 0, -1, numbers))
    wrong = (numbers < 0) | (numbers >= classes)
    if ignore_class is not None:
        wrong &= numbers != ignore_class
    if wrong.any():
        raise DataError(
            f"outputs of shape {_shape(y_pred)} know the classes 0 to {classes - 1}, but a label is "
            f"{numbers[wrong][0]}; {_REMEDY}"
        )
    return numbers


def as_binary_labels(y_true: Any, y_pred: np.ndarray) -> np.ndarray:
    """Return for each of the outputs whether its label holds, bool `[N, ...]`.

    Raises:
        DataError: The shape is not that of the outputs, or a label is neither 0 nor 1.
    """
    labels = as_same_shape(y_true, y_pred)
    if not np.isin(labels, (0, 1)).all():
        raise DataError(
            "labels of which several may hold at once are 0 or 1, received "
            f"{labels[~np.isin(labels, (0, 1))][0]:g}; {_REMEDY}"
        )
    return labels == 1


def as_same_shape(y_true: Any, y_pred: np.ndarray) -> np.ndarray:
    """Return labels as float64 in the shape of the outputs; `[N, ...]` and `[N, ..., 1]` are the same.

    Raises:
        DataError: The shapes differ otherwise, or a label is not finite.
    """
    labels = _as_numbers(y_true, "the labels")
    if y_pred.shape not in (labels.shape, (*labels.shape, 1)) and labels.shape != (
        *y_pred.shape,
        1,
    ):
        raise DataError(
            f"outputs of shape {_shape(y_pred)} need labels of the same shape, one number for each; received labels "
            f"of shape {_shape(labels)}; {_REMEDY}"
        )
    labels = labels.reshape(y_pred.shape).astype(np.float64)
    if not np.isfinite(labels).all():
        raise DataError("a label is NaN or infinite; leave out the examples without a label")
    return labels


def without_unit_positions(y_true: Any, y_pred: np.ndarray) -> np.ndarray:
    """Return outputs `[N, 1, 1, C]` as `[N, C]` where the labels have no positions, as behind a pooled convolution."""
    flat = y_pred.ndim > 2 and set(y_pred.shape[1:-1]) == {1} and np.ndim(y_true) <= 2
    return y_pred.reshape(len(y_pred), y_pred.shape[-1]) if flat else y_pred


_REMEDY = (
    "give labels as the model was trained on, or another metric: 'accuracy' for classes, 'binary_accuracy' for "
    "several labels at once, 'mean_iou' for pixels, 'mae' or 'r2' for values"
)


def _from_rows(labels: np.ndarray) -> np.ndarray:
    sums = labels.sum(axis=-1, dtype=np.float64)
    if (labels < 0).any() or (np.abs(sums - 1) > _ROW_SUM_TOLERANCE).any():
        raise DataError(
            f"labels of shape {_shape(labels)} must be one-hot rows, one class in each, but a row sums to "
            f"{sums.flat[np.abs(sums - 1).argmax()]:g}; {_REMEDY}"
        )
    return labels.argmax(axis=-1)


def _as_numbers(values: Any, what: str) -> np.ndarray:
    array = np.asarray(values)
    # bfloat16 and its like are of kind "V" to NumPy.
    if array.dtype.kind == "V" and array.dtype.fields is None:
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what} must be one array of numbers, received {type(values).__name__}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{what} must hold at least one example, received shape {_shape(array)}")
    return array


def _as_integers(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind == "f" and not (np.isfinite(labels) & (labels == np.rint(labels))).all():
        wrong = labels[~(np.isfinite(labels) & (labels == np.rint(labels)))][0]
        raise DataError(f"labels that hold classes are integers, received {wrong:g}; {_REMEDY}")
    return labels.astype(np.int64)


def _shape(array: np.ndarray) -> str:
    return _text(array.shape)


def _text(shape: tuple[int, ...]) -> str:
    return str(list(shape))
