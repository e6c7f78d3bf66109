"""Weights trained elsewhere, carried into the zoo's networks."""

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from tfelastic.errors import DataError

# The file's name for a BatchNorm weight, and Keras' attribute.
_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

_PLACE = re.compile(r"stage(\d+)_block(\d+)_(conv\d+)")


def load_resnet_cifar(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Load the weights of a PyTorch CIFAR ResNet into the zoo's net of that depth, shortcut "A".

    The file is what `numpy.savez` makes of the state dictionary of a network by Y. Idelbayev's
    pytorch_resnet_cifar10: `conv1`, `bn1`, `layer{stage}.{block}.conv{1,2}`,
    `layer{stage}.{block}.bn{1,2}` and `linear`, convolution kernels `[out, in, height, width]`, the
    linear kernel `[out, in]`. Those networks were trained on RGB images normalised by ImageNet's
    mean and std, which are `build`'s defaults.

    Either all weights are loaded or, when anything does not fit, none.

    Raises:
        DataError: The model is another one, or the file is missing or unreadable, lacks a weight,
            holds one too many, or one of another shape.

    Example:
        ```python
        model = te.zoo.build("resnet20", input_shape=(32, 32, 3), classes=10)
        te.zoo.load_resnet_cifar(model, "resnet20_cifar10.npz")
        ```
    """
    arrays = _read(Path(path))
    assignments = []
    for key, variable in _variables(model):
        if key not in arrays:
            raise DataError(f"{path} lacks {key!r}, which layer weight {variable.path!r} needs")
        value = _to_keras(arrays.pop(key))
        if value.shape != tuple(variable.shape):
            raise DataError(
                f"{key!r} of {path} has shape {value.shape} in Keras' order, but "
                f"{variable.path!r} has {tuple(variable.shape)}; "
                "build the network that the file was saved from"
            )
        assignments.append((variable, value))
    if arrays:
        raise DataError(
            f"{model.name!r} has no place for {min(arrays)!r} of {path}; "
            "build the network that the file was saved from"
        )
    for variable, value in assignments:
        variable.assign(value)


def pytorch_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights of a CIFAR ResNet, shortcut "A", as `load_resnet_cifar` reads them from a file.

    Raises:
        DataError: The model is another one.
    """
    return {
        key: _to_pytorch(keras.ops.convert_to_numpy(variable))
        for key, variable in _variables(model)
    }


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {
                name: file[name] for name in file.files if not name.endswith("num_batches_tracked")
            }
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read weights from {path}: {error}") from error


def _variables(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """Pair each variable of a CIFAR ResNet with its key; option A's shortcuts have none."""
    for layer in model.layers:
        if not layer.weights or layer.name.endswith("_shortcut"):
            continue
        if layer.name == "logits":
            yield "linear.weight", layer.kernel
            yield "linear.bias", layer.bias
        elif isinstance(layer, keras.layers.BatchNormalization):
            key = _key(layer.name.removesuffix("_bn")).replace("conv", "bn")
            for name, attribute in _BATCH_NORM.items():
                yield f"{key}.{name}", getattr(layer, attribute)
        else:
            yield f"{_key(layer.name)}.weight", layer.kernel


def _key(name: str) -> str:
    """Translate a convolution's name: "stage2_block1_conv1" into "layer2.0.conv1"."""
    if name == "stem":
        return "conv1"
    place = _PLACE.fullmatch(name)
    if place is None:
        raise DataError(
            f"the model is no CIFAR ResNet with shortcut 'A' of the zoo: "
            f"there is no weight for its layer {name!r}"
        )
    stage, block, conv = place.groups()
    return f"layer{stage}.{int(block) - 1}.{conv}"


def _to_keras(value: np.ndarray) -> np.ndarray:
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T


def _to_pytorch(value: np.ndarray) -> np.ndarray:
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(3, 2, 0, 1))
    return np.ascontiguousarray(value.T)
