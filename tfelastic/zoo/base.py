"""The registry of networks, and the frame that all of them share: pixels in, logits out.

A network of the zoo is a function from pre-processed images to logits. `build` puts the frame
around it: the input takes raw pixels, 0 to 255, and one `Rescaling` layer turns them into
(pixel / 255 - mean) / std, so whoever runs the model, a phone included, feeds what the camera
gives.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfelastic.errors import GraphError
from tfelastic.registry import Registry
from tfelastic.zoo.parts import Parts

#: Maps images `[batch, height, width, channels]`, classes, parts and options to logits.
Network = Callable[..., keras.KerasTensor]

NETWORKS: Registry[Network] = Registry("zoo model", GraphError)

# Mean and standard deviation of ImageNet's red, green and blue, as fractions of 255.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build(
    name: str,
    *,
    input_shape: Sequence[int],
    classes: int,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    seed: int = 0,
    **options: Any,
) -> keras.Model:
    """Build a network of the zoo with fresh weights.

    The model takes raw pixels, 0 to 255, as float32 `[batch, height, width, channels]`, and returns
    logits `[batch, classes]` (no softmax).

    Args:
        name: One of `tfelastic.zoo.names()`.
        input_shape: (height, width, channels) of one image.
        classes: How many logits.
        mean: What to subtract from pixel / 255, one number or one per channel. By default
            ImageNet's for three channels and 0.5 for any other number of channels.
        std: What to divide by after that. By default ImageNet's for three channels and 0.5
            otherwise.
        seed: Fixes the initial weights and the dropout.
        **options: What the network itself takes, such as `shortcut="B"` for the CIFAR ResNets.

    Raises:
        GraphError: The name or an option is unknown, or the network cannot be built from the values
            given.

    Example:
        >>> build("resnet8", input_shape=(32, 32, 1), classes=10).output_shape
        (None, 10)
    """
    network = NETWORKS.get(name)
    _check_options(name, network, options)
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise GraphError(
            "input_shape must be three positive integers (height, width, channels), "
            f"got {input_shape!r}"
        )
    if not isinstance(classes, int) or classes < 1:
        raise GraphError(f"classes must be a positive integer, got {classes!r}")
    images = keras.Input(shape, name="image")
    pixels = preprocess(images, mean=mean, std=std)
    try:
        logits = network(pixels, classes, Parts(seed), **options)
    except GraphError:
        raise
    except ValueError as error:
        # Keras' own words for an image too small for the poolings, or an option out of range.
        raise GraphError(
            f"zoo model {name!r} cannot be built for images {shape} with {options}: {error}"
        ) from error
    return keras.Model(images, logits, name=name)


def names() -> tuple[str, ...]:
    """Return the names that `build` knows, in alphabetical order."""
    return NETWORKS.names()


def preprocess(
    images: keras.KerasTensor,
    *,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> keras.KerasTensor:
    """Return (pixel / 255 - mean) / std; one layer, so that int8 rounds as seldom as it can."""
    channels = images.shape[-1]
    rgb = channels == 3
    means = _per_channel(
        "mean", (IMAGENET_MEAN if rgb else 0.5) if mean is None else mean, channels
    )
    stds = _per_channel("std", (IMAGENET_STD if rgb else 0.5) if std is None else std, channels)
    if min(stds) <= 0:
        raise GraphError(f"std must be positive, got {std!r}")
    scale = [1 / (255 * s) for s in stds]
    offset = [-m / s for m, s in zip(means, stds, strict=True)]
    if len(set(zip(scale, offset, strict=True))) == 1:
        return keras.layers.Rescaling(scale[0], offset[0], name="preprocess")(images)
    return keras.layers.Rescaling(scale, offset, name="preprocess")(images)


def _per_channel(what: str, value: float | Sequence[float], channels: int) -> list[float]:
    values = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)] * channels
    if len(values) != channels:
        raise GraphError(
            f"{what} must be one number or one for each of the {channels} channels, "
            f"got {len(values)} numbers"
        )
    return values


def _check_options(name: str, network: Network, options: dict[str, Any]) -> None:
    known = [
        p.name
        for p in inspect.signature(network).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for option in options:
        if option not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none of its own"
            raise GraphError(f"zoo model {name!r} has no option {option!r}; it {takes}")
