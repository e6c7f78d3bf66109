"""The images that `tfelastic prune` uses, and the criteria that need some."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import keras

    from tfelastic.criteria import Criterion

DATA_DRIVEN = ("activation", "taylor", "hessian")

#: A few hundred are enough for every criterion.
_IMAGES = 512


def data_driven(name: str, model: "keras.Model", source: str) -> "Criterion":
    """Return a criterion of this name, made with training images of a source of `tfelastic.data.load`."""
    import tfelastic as te

    train = te.data.load(source, image_size=image_size(model), limit=_IMAGES).train
    images = train.images.astype("float32")
    if name == "activation":
        return te.criteria.Activation(images)
    kind = {"taylor": te.criteria.Taylor, "hessian": te.criteria.Hessian}[name]
    return kind(images, train.labels)


def image_size(model: "keras.Model") -> int:
    """Return the side of the images that a model takes.

    Raises:
        click.UsageError: They are not square.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] is None or shape[1] != shape[2]:
        raise click.UsageError(
            f"--data feeds square images, but the model takes {shape}; use tfelastic from Python"
        )
    return int(shape[1])
