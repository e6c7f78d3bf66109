"""`StopAtNaN`: ends a training with its first loss that is no number, and says what to try."""

import math
from typing import Any

import keras
from keras import ops

from tfelastic.errors import TrainingError


class StopAtNaN(keras.callbacks.Callback):
    """Raises an error after the first epoch whose loss is NaN or infinite, before anything is saved or measured.

    Put it before callbacks that save the model.

    Raises:
        TrainingError: The loss of an epoch is no finite number.

    Example:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> try:
        ...     _ = model.fit(np.zeros((4, 2)), np.full(4, np.nan), callbacks=[te.StopAtNaN()], verbose=0)
        ... except te.errors.TrainingError as error:
        ...     print(str(error)[:36])
        the loss is nan in epoch 1 at a lear
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the epoch's losses."""
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(float(value)):
                raise TrainingError(
                    f"the {name} is {float(value)} in epoch {epoch + 1}{self._learning_rate()}; try a lower learning "
                    "rate or a warm-up, clip gradients (clipnorm=1), and check the data for values that are not "
                    "finite, labels out of range and inputs that are not scaled"
                )

    def _learning_rate(self) -> str:
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            return ""
        rate = float(ops.convert_to_numpy(optimizer.learning_rate))
        return f" at a learning rate of {rate:.3g} ({optimizer.name})"
