"""Fine-tuning: trains a pruned net for a while, with the original as its teacher where wanted."""

from typing import Any

import keras

from tfelastic.errors import TrainingError
from tfelastic.graph import trace
from tfelastic.metrics import endings_of
from tfelastic.training.distillation import Distillation
from tfelastic.training.student import Student


class FineTuning:
    """Trains nets for some epochs on the same data; made once, called on net after net.

    Every net sees the same batches in the same order: data with a `start_at`, such as `tfelastic.data.Batches`, are
    set back before each. So a search that was cut short goes on as if it had not been.

    Args:
        data: Batches of inputs and labels, as `fit` takes them: a PyDataset such as `tfelastic.data.Batches`, or a
            tf.data.Dataset.
        epochs: How often to go through the data.
        optimizer: Copied afresh for each net; momentum 0.9 and a learning rate of 0.01 where left out.
        teacher: The net to learn from beside the labels, as a rule the original; it is not changed.
        distillation: How to weigh the teacher against the labels.
        loss: The labels' loss, of several outputs a dict by name. Left out, that of integer classes, which the
            model's outputs must then be scores or probabilities of.
        jit_compile: Whether XLA compiles the steps. Left out, it does on JAX; on a CPU TensorFlow's own kernels
            train faster.

    Raises:
        TrainingError: `epochs` is not positive.

    Example:
        ```python
        data = te.data.Batches(train, batch_size=128, augment="shift-flip")
        tuning = te.FineTuning(data, epochs=2, teacher=model)
        report = te.remove_blocks(model, evaluate=te.Accuracy(images, labels), budget=1, after_step=tuning)
        ```
    """

    def __init__(
        self,
        data: Any,
        *,
        epochs: int = 1,
        optimizer: keras.optimizers.Optimizer | None = None,
        teacher: keras.Model | None = None,
        distillation: Distillation = Distillation(weight=0.5),  # noqa: B008 - frozen, so safe to share.
        loss: Any = None,
        jit_compile: bool | None = None,
    ) -> None:
        if epochs < 1:
            raise TrainingError(f"fine-tuning takes at least one epoch, received {epochs}")
        self._data, self._epochs = data, epochs
        self._optimizer = optimizer or keras.optimizers.SGD(0.01, momentum=0.9)
        self._teacher = teacher
        self._distillation = distillation
        self._loss = loss
        self._jit_compile = keras.backend.backend() == "jax" if jit_compile is None else jit_compile

    def __call__(self, model: keras.Model) -> keras.callbacks.History:
        """Train `model` in place and return Keras' history.

        Raises:
            TrainingError: There is no loss, and the model does not return scores or probabilities of classes alone.
        """
        loss = _loss_for(model) if self._loss is None else self._loss
        student = Student(model, self._teacher, distillation=self._distillation)
        student.compile(
            type(self._optimizer).from_config(self._optimizer.get_config()),
            loss,
            jit_compile=self._jit_compile,
        )
        if hasattr(self._data, "start_at"):
            self._data.start_at(0)
        return student.fit(self._data, epochs=self._epochs, shuffle=False, verbose=0)


def _loss_for(model: keras.Model) -> keras.losses.Loss:
    """Return the loss by which integer labels train the model."""
    endings = endings_of(trace(model))
    if endings == ("logits",):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if endings == ("probabilities",):
        return keras.losses.SparseCategoricalCrossentropy()
    if endings == ("binary_probabilities",):
        return keras.losses.BinaryCrossentropy()
    raise TrainingError(
        f"model {model.name!r} does not return class scores alone, but {', '.join(endings)}, so labels give no loss; "
        "give the loss"
    )
