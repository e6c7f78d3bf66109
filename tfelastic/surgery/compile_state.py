"""Compiling one model as another is, without sharing what training changes."""

import warnings
from collections.abc import Callable
from typing import Any

import keras


def copy_compile_state(source: keras.Model, target: keras.Model) -> None:
    """Compile `target` with the optimizer, losses and metrics of `source`; all that training changes starts afresh.

    Optimizer and metrics are made anew from their configs. Where Keras cannot read a config, because its class or
    function is not registered, a loss is taken over as it is, an unknown learning-rate schedule is replaced by the
    rate that it has reached, and anything else is left out; a warning names what was.
    """
    if not getattr(source, "compiled", False):
        return
    with warnings.catch_warnings():
        # Keras warns that a file with a lambda is unsafe to load; there is no file.
        warnings.simplefilter("ignore")
        config = source.get_compile_config() or {}
    arguments: dict[str, Any] = {}
    lost = []
    for key, serialized in config.items():
        try:
            arguments[key] = keras.saving.deserialize_keras_object(serialized)
        except Exception as cause:  # noqa: BLE001 - a user's class may fail in its own way.
            substitute = _SUBSTITUTES.get(key, lambda _: None)(source)
            if substitute is not None:
                arguments[key] = substitute
            if key != "loss":
                lost.append(f"{key} ({str(cause).splitlines()[0][:200]})")
    if not arguments:
        return
    target.compile(**arguments)
    if target.optimizer is not None:
        # Keras builds the optimizer of a model that it loads, and cannot fill it from one that was saved unbuilt.
        target.optimizer.build(target.trainable_variables)
    if lost:
        warnings.warn(
            f"model {target.name!r} was compiled like {source.name!r}, but without its own {'; '.join(lost)}. Register "
            "classes and functions of your own with keras.saving.register_keras_serializable, or compile it again",
            stacklevel=3,
        )


def _with_constant_rate(source: keras.Model) -> keras.optimizers.Optimizer | None:
    """Return an optimizer like the source's whose learning rate is the one reached."""
    optimizer = source.optimizer
    try:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        return type(optimizer).from_config({**optimizer.get_config(), "learning_rate": rate})
    except Exception:  # noqa: BLE001 - a user's optimizer may fail in its own way.
        return None


_SUBSTITUTES: dict[str, Callable[[keras.Model], Any]] = {
    "loss": lambda source: source.loss,
    "optimizer": _with_constant_rate,
}
