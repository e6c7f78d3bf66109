"""Whether a net answers better than one that gives the same answer to everything."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.stages.answers import Answers, answers_of
from pipelines.stages.metric import MetricDescription
from pipelines.stages.paired import PairedDifference

if TYPE_CHECKING:
    from pipelines.stages.task import Output, Task
    from tfelastic.data import Split


def chance_remark(answers: Answers, test: "Split", task: "Task") -> str | None:
    """Return a warning where a net may be no better than the best constant answer.

    That is the commonest class of the test examples, or of their pixels; of a label whether it mostly holds; of values
    the median. Better is a net whose lead has an interval of 95 % above zero (`PairedDifference`).
    """
    metric = MetricDescription.of(task.metric)
    try:
        constant = answers_of(_Constant(task, test), test, task.metric)
    except ValueError:  # A metric that constant answers have no value of.
        return None
    lead = PairedDifference.of(answers, constant)
    if min(metric.sign * lead.low, metric.sign * lead.high) > 0:
        return None
    return (
        f"the baseline's {metric.title} is {metric.show(answers.score)} on the test examples, and always giving the "
        f"commonest answer has {metric.show(constant.score)}: it may have learned nothing, and all that follows builds "
        "on it. Check that the model takes what the data hold (of images raw pixels) and that labels match; then try "
        "more epochs or another learning rate"
    )


class _Constant:
    """Answers everything alike, called as a model is."""

    def __init__(self, task: "Task", test: "Split") -> None:
        import tfelastic as te

        targets = te.data.arrays_of(test.targets)
        self._answers = {each.name: _constant(each, targets[each.name]) for each in task.outputs}

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        import keras

        count = len(keras.tree.flatten(inputs)[0])
        outputs = {
            name: np.broadcast_to(answer, (count, *answer.shape))
            for name, answer in self._answers.items()
        }
        return outputs.get("", outputs)


def _constant(output: "Output", target: np.ndarray) -> np.ndarray:
    """Return the best constant values of an output, in the shape of one example's."""
    if output.task == "regression":
        median = np.asarray(np.median(target, axis=0), np.float32)
        return median.reshape(target.shape[1:] or (1,))
    yes, no = np.float32(1), np.float32(0 if output.probabilities else -1)
    if output.task == "multilabel":
        return np.where(target.mean(axis=0) > 0.5, yes, no).reshape(target.shape[1:])
    classes = target.argmax(axis=-1) if output.labels_are_rows else target
    commonest = int(np.bincount(classes.astype(np.int64).ravel()).argmax())
    positions = target.shape[1 : len(output.shape)]
    if output.is_one_unit:
        return np.full((*positions, 1), yes if commonest else no)
    answer = np.full((*positions, len(output.classes)), no)
    answer[..., commonest] = yes
    return answer
