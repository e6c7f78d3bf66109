"""What a compiled loss says about the values that it is computed from."""

from typing import Any

import keras

from tfelastic.errors import TrainingError

#: Losses of yes-or-no questions, by name in lower case without underscores.
BINARY = frozenset({"binarycrossentropy", "binaryfocalcrossentropy"})

#: Losses of a score whose sign is the answer.
HINGE = frozenset({"hinge", "squaredhinge"})

#: Losses of one class out of several.
CLASSES = frozenset(
    """
    SparseCategoricalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge
    CategoricalGeneralizedCrossEntropy KLDivergence
    """.lower().split()
)

#: Losses whose targets are quantities.
REGRESSION = frozenset(
    """
    MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError LogCosh Huber Poisson
    CosineSimilarity
    """.lower().split()
)


def loss_names(loss: Any) -> frozenset[str]:
    """Return the names of a loss and of the classes it is derived from, in lower case without underscores.

    Args:
        loss: A loss as `compile` takes it: an object, a function, a name, or `None`.

    Raises:
        TrainingError: Keras knows no loss of that name.
    """
    if loss is None:
        return frozenset()
    try:
        found = keras.losses.get(loss)
    except ValueError as cause:
        raise TrainingError(f"unknown loss {loss!r}: {cause}") from cause
    names = [getattr(found, "__name__", ""), *(each.__name__ for each in type(found).__mro__)]
    return frozenset(name.replace("_", "").lower() for name in names)
