"""`RungMetrics`: a callback that evaluates each rung after every epoch."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfelastic.elastic.fit_data import as_arguments
from tfelastic.elastic.model import ElasticModel


class RungMetrics(keras.callbacks.Callback):
    """Evaluates every rung after each epoch and adds its figures to the epoch's, as `w050_accuracy`.

    In `prune_and_grow` it evaluates the level that is being trained. Callbacks that come after it, and the history,
    see the figures. Statistics are taken as they are: running averages, which lag behind the weights.

    Args:
        validation: What `evaluate` takes: `(images, labels)`, optionally with sample weights, or a data set.
        metrics: Names of Keras metrics, or metrics.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(2)])
        >>> net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5)))
        >>> net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> data = np.zeros((8, 4)), np.zeros(8)
        >>> list(net.fit(*data, callbacks=[te.RungMetrics(data)], verbose=0).history)
        ['loss', 'w100_accuracy', 'w050_accuracy']
    """

    def __init__(
        self, validation: Any, *, metrics: Sequence[str | keras.Metric] = ("accuracy",)
    ) -> None:
        super().__init__()
        self._arguments = as_arguments(validation)
        self._metrics = list(metrics)
        self._examined: dict[str, _Examined] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Make ready what evaluates the rungs, each of which is traced once."""
        model = self.model
        rungs = (
            {name: model.rung(name) for name in model.names}
            if isinstance(model, ElasticModel)
            else {model.name: model}
        )
        self._examined = {}
        for name, rung in rungs.items():
            self._examined[name] = _Examined(rung, model.output_names)
            self._examined[name].compile(
                optimizer=None, metrics=self._metrics, jit_compile=model.jit_compile
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add every rung's figures to `logs`."""
        if (
            logs is None or self.model is None
        ):  # Asking for the model brings its weights up to date on JAX.
            return
        for name, examined in self._examined.items():
            figures = examined.evaluate(**self._arguments, verbose=0, return_dict=True)
            figures.pop("loss")
            logs.update({f"{name}_{key}": value for key, value in figures.items()})


class _Examined(keras.Model):
    """A rung with metrics of its own, so that neither it nor the network need be compiled for them."""

    def __init__(self, rung: keras.Model, output_names: list[str]) -> None:
        super().__init__(name=f"{rung.name}_examined", autocast=False)
        self.rung = rung
        self.output_names = output_names
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.rung(inputs, training=False)

    def compute_loss(self, *given: Any, **options: Any) -> Any:
        del given, options
        return ops.zeros(())
