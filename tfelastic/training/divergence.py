"""`StopAtNaN`: ends a training at its first loss that is not a number, and says what to try."""

import math
from typing import Any

import keras
from keras import ops

from tfelastic.errors import TrainingError


class StopAtNaN(keras.callbacks.Callback):
    """Raises an error at the first batch after which the epoch's mean loss is NaN or infinite.

    Validation losses are checked at the end of each epoch. Put it before callbacks that save the model.

    Raises:
        TrainingError: A loss is not a finite number.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="net")
        >>> model.compile("sgd", "mse")
        >>> try:
        ...     _ = model.fit(np.zeros((4, 2)), np.full(4, np.nan), callbacks=[te.StopAtNaN()], verbose=0)
        ... except te.errors.TrainingError as error:
        ...     print(str(error)[22:58])
        diverged: the loss is nan in epoch 1
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the running means of the losses."""
        self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the losses of the epoch and of its validation."""
        self._check(logs)

    def _check(self, logs: dict[str, Any] | None) -> None:
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(float(value)):
                raise TrainingError(
                    f"the training of {self.model.name!r} diverged: the {name} is {float(value)} in epoch "
                    f"{self._epoch + 1}{self._learning_rate()}; try a tenth of the learning rate or a warm-up, clip "
                    "gradients (clipnorm=1), and check the data for values that are not finite, labels out of range "
                    "and inputs that are not scaled"
                )

    def _learning_rate(self) -> str:
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            return ""
        rate = float(ops.convert_to_numpy(optimizer.learning_rate))
        return f" at a learning rate of {rate:.3g} ({optimizer.name})"
