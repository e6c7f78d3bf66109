"""The images that `tfelastic prune` uses, and the criteria that need some."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from tfelastic.criteria import Criterion

DATA_DRIVEN = ("activation", "taylor", "hessian")

#: A few hundred are enough for every criterion.
_IMAGES = 512


def data_driven(name: str, model: "keras.Model", source: str) -> "Criterion":
    """Return a criterion of this name, made with training images of a source of `tfelastic.data.load`."""
    import tfelastic as te
    from pipelines.stages.data import input_shapes, load_shaped

    train = load_shaped(input_shapes(model), source, limit=_IMAGES).train
    images = train.images.astype("float32")
    if name == "activation":
        return te.criteria.Activation(images)
    kind = {"taylor": te.criteria.Taylor, "hessian": te.criteria.Hessian}[name]
    return kind(images, train.labels)
