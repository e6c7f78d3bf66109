"""Trainings on several devices: the net's copy on each, whose values go back into the net when the training ends.

Only `fit` sees the devices. Everything else, from recalibration to export, works on the plain net, on one device, and
need not know of a distribution.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.backend import Cluster, start_backend
from pipelines.errors import StageError
from pipelines.recipe import Distribution, Recipe, Training

if TYPE_CHECKING:
    import keras

_BACKENDS = {"mirrored": "tensorflow", "jax-data-parallel": "jax"}


def require_distribution(recipe: Recipe) -> None:
    """Make sure that the recipe's trainings can be spread over devices as it says.

    Raises:
        StageError: Backend or processes do not fit the distribution, or the devices cannot share a batch equally.
    """
    distribution, processes = recipe.distribution, Cluster.of_environment().processes
    if processes > 1 and distribution != "jax-data-parallel":
        raise StageError(
            f"{processes} processes are to train together, but the recipe's distribution is {distribution}; set "
            "distribution: jax-data-parallel, or unset KERAS_DISTRIBUTION_NUM_PROCESSES"
        )
    if distribution is None:
        return
    start_backend()
    import keras

    needed, backend = _BACKENDS[distribution], keras.backend.backend()
    if backend != needed:
        raise StageError(
            f"distribution: {distribution} is for Keras' {needed} backend, and this one is {backend}; set "
            f"KERAS_BACKEND={needed}"
        )
    count = device_count(distribution)
    for place, training in _trainings(recipe):
        if training.batch_size % count:
            raise StageError(
                f"{count} devices share each batch equally, but {place}.batch_size is {training.batch_size}; set it "
                f"to a multiple of {count}, such as {math.ceil(training.batch_size / count) * count}"
            )


def _trainings(record: Any, place: str = "") -> Iterator[tuple[str, Training]]:
    for field in dataclasses.fields(record):
        value, name = getattr(record, field.name), f"{place}{field.name}"
        if isinstance(value, Training):
            yield name, value
        elif dataclasses.is_dataclass(value):
            yield from _trainings(value, f"{name}.")


def device_count(distribution: Distribution | None) -> int:
    """Return over how many devices a batch is spread, those of all processes."""
    import keras

    if distribution is None:
        return 1
    if distribution == "mirrored":
        return len(_tensorflow_devices())
    return len(keras.distribution.list_devices())


@contextlib.contextmanager
def on_devices(distribution: Distribution | None, model: "keras.Model") -> Iterator["keras.Model"]:
    """Yield the net to compile and fit: the model itself, or its copy on all devices.

    When the context ends without an error, the model has the copy's values. All processes that train together have to
    make and change the copy's variables in the same order and from the same values, which JAX compares.
    """
    if distribution is None:
        yield model
        return
    import keras

    with _scope(distribution):
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
        trained = own_variables(copy)
        for variable, value in zip(trained, own_variables(model), strict=True):
            variable.assign(keras.ops.convert_to_numpy(value))
        yield copy
        values = [keras.ops.convert_to_numpy(variable) for variable in trained]
    for variable, value in zip(own_variables(model), values, strict=True):
        variable.assign(value)


def own_variables(model: "keras.Model") -> list[Any]:
    """Return a model's variables but those of metrics, which compiling adds."""
    metrics = set(map(id, model.metrics_variables))
    return [variable for variable in model.variables if id(variable) not in metrics]


def _scope(distribution: Distribution) -> contextlib.AbstractContextManager[Any]:
    if distribution == "mirrored":
        scope: contextlib.AbstractContextManager[Any] = _mirrored_strategy().scope()
        return scope
    import keras

    # Every process feeds its own part of each batch (`Batches.part`).
    found: contextlib.AbstractContextManager[Any] = keras.distribution.DataParallel(
        auto_shard_dataset=False
    ).scope()
    return found


@functools.cache
def _mirrored_strategy() -> Any:
    """Return the one strategy of this process: a second one would number its reductions as the first one did."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(_tensorflow_devices())


def _tensorflow_devices() -> list[str]:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]
