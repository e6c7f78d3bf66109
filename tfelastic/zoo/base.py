"""The registry of networks, and the frame that all of them share: raw input in, logits out.

A network of the zoo is a function from inputs to logits. `build` puts the frame around it. A network of images takes
raw pixels, 0 to 255, and one `Rescaling` layer turns them into (pixel / 255 - mean) / std, so whoever runs the model,
a phone included, feeds what the camera gives. A network of measured values, of a sensor or a spectrum, takes them as
they are and begins with a BatchNorm.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfelastic.errors import GraphError
from tfelastic.registry import Registry
from tfelastic.zoo.parts import Parts

#: Maps inputs, classes, parts and options to logits.
Network = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network of the zoo; `images` says whether it takes images or measured values."""

    network: Network
    images: bool


ARCHITECTURES: Registry[Architecture] = Registry("zoo model", GraphError)


def register(name: str, *, images: bool = True) -> Callable[[Network], Network]:
    """Return a decorator that files a network under `name`."""

    def file(network: Network) -> Network:
        ARCHITECTURES.register(name)(Architecture(network, images))
        return network

    return file


# Mean and standard deviation of ImageNet's red, green and blue, as fractions of 255.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build(
    name: str,
    *,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]],
    classes: int | Mapping[str, int],
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    seed: int = 0,
    **options: Any,
) -> keras.Model:
    """Build a network of the zoo with fresh weights.

    The model takes float32 `[batch, ...]`, images as raw pixels, 0 to 255, and returns logits `[batch, classes]`, or
    a class per pixel as `[batch, height, width, classes]` (no softmax).

    Args:
        name: One of `tfelastic.zoo.names()`.
        input_shape: The shape of one example without the batch, (height, width, channels) of an image; a dict for
            several inputs, which some networks of measured values take.
        classes: How many logits; a dict for several outputs, which some networks of measured values have.
        mean: What to subtract from pixel / 255, one number or one per channel. By default
            ImageNet's for three channels and 0.5 for any other number of channels.
        std: What to divide by after that. By default ImageNet's for three channels and 0.5
            otherwise.
        seed: Fixes the initial weights and the dropout.
        **options: What the network itself takes, such as `shortcut="B"` for the CIFAR ResNets.

    Raises:
        GraphError: The name or an option is unknown, or the network cannot be built from the values
            given.

    Examples:
        >>> build("resnet8", input_shape=(32, 32, 1), classes=10).output_shape
        (None, 10)
    """
    architecture = ARCHITECTURES.get(name)
    _check_options(name, architecture.network, options)
    _check_classes(name, classes)
    if architecture.images:
        inputs = keras.Input(_image_shape(input_shape), name="image")
        x = preprocess(inputs, mean=mean, std=std)
    elif mean is not None or std is not None:
        raise GraphError(
            f"zoo model {name!r} takes measured values as they are: leave out mean and std"
        )
    else:
        inputs = x = _values(name, input_shape)
    try:
        outputs = architecture.network(x, classes, Parts(seed), **options)
    except GraphError:
        raise
    except ValueError as error:
        # Keras' own words for an image too small for the poolings, or an option out of range.
        raise GraphError(
            f"zoo model {name!r} cannot be built for inputs {input_shape} with {options}: {error}"
        ) from error
    return keras.Model(inputs, outputs, name=name)


def _image_shape(input_shape: Any) -> tuple[int, ...]:
    shape = () if isinstance(input_shape, Mapping) else tuple(input_shape)
    if len(shape) != 3 or not _positive(*shape):
        raise GraphError(
            "input_shape must be three positive integers (height, width, channels), "
            f"got {input_shape!r}"
        )
    return shape


def _values(name: str, input_shape: Any) -> Any:
    """Return the input, or a dict of inputs, of a network of measured values."""
    several = isinstance(input_shape, Mapping)
    shapes = dict(input_shape) if several else {"values": input_shape}
    for shape in shapes.values():
        if len(shape) not in (2, 3) or not _positive(*shape):
            raise GraphError(
                f"zoo model {name!r} takes windows (steps, channels) or spectra (frames, bands, channels) of positive "
                f"sizes, got {input_shape!r}"
            )
    inputs = {key: keras.Input(tuple(shape), name=key) for key, shape in shapes.items()}
    return inputs if several else inputs["values"]


def _check_classes(name: str, classes: Any) -> None:
    counts = list(classes.values()) if isinstance(classes, Mapping) else [classes]
    if not counts or not _positive(*counts):
        raise GraphError(f"classes must be a positive integer, got {classes!r}")


def _positive(*sizes: Any) -> bool:
    return all(isinstance(size, int) and size > 0 for size in sizes)


def names() -> tuple[str, ...]:
    """Return the names that `build` knows, in alphabetical order."""
    return ARCHITECTURES.names()


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
