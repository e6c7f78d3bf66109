"""What the values of a model's outputs are, found by running the last operations on random numbers."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from keras import ops

from tfelastic.graph import LayerGraph, Step, Tensor
from tfelastic.metrics.losses import BINARY, CLASSES, REGRESSION, loss_names

#: What a model's output values are: class scores or probabilities over the last axis, scores or probabilities of
#: independent yes-or-no questions, or anything else.
Ending = Literal["logits", "probabilities", "binary_logits", "binary_probabilities", "values"]

#: What is known of a tensor: affine in the activations of a layer, distributions over the last axis, numbers between
#: 0 and 1, numbers between -1 and 1, or nothing.
Kind: TypeAlias = Literal["scores", "distribution", "fraction", "signed", "values"]

# Layers that mix channels linearly, then apply `activation`. A subclass may do otherwise, and is run as it is.
_MIXING = frozenset(
    {
        keras.layers.Dense,
        keras.layers.EinsumDense,
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.Conv3D,
        keras.layers.Conv1DTranspose,
        keras.layers.Conv2DTranspose,
        keras.layers.Conv3DTranspose,
        keras.layers.DepthwiseConv1D,
        keras.layers.DepthwiseConv2D,
        keras.layers.SeparableConv1D,
        keras.layers.SeparableConv2D,
    }
)


def endings_of(graph: LayerGraph, losses: Sequence[Any] | None = None) -> tuple[Ending, ...]:
    """Return what the values of each of a model's outputs are.

    The operations after the last layer that mixes channels are run on random numbers: one that is affine (a linear
    activation, a cast, a pooling, a reshape) leaves scores what they are, one whose results sum to 1 along the last
    axis makes probabilities of classes, one that maps numbers to 0 to 1 makes probabilities of yes-or-no questions.
    What scores are for, numbers alone do not show; the loss does. Without one, scores of several units are taken
    for classes.

    Args:
        graph: The model's graph.
        losses: The compiled loss of each output, `None` where there is none.
    """
    kinds = kinds_of(graph)
    given = losses or [None] * len(kinds)
    return tuple(map(_ending, kinds, graph.outputs, given))


def kinds_of(graph: LayerGraph) -> tuple[Kind, ...]:
    """Return what each of a model's outputs holds, whatever it is trained for."""
    inputs = [_Value(lambda: "values") for _ in graph.structure.inputs]
    return tuple(value.kind for value in keras.tree.flatten(graph.run(inputs, _step_values)))


@dataclass(eq=False)
class _Value:
    """A tensor; what it is, is found when it is asked for, so that only the last operations are run."""

    find: Callable[[], Kind]

    @cached_property
    def kind(self) -> Kind:
        return self.find()


def _step_values(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[_Value]:
    return [_Value(partial(_kind, step, args, kwargs, index)) for index in range(len(step.outputs))]


def _kind(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], index: int) -> Kind:
    leaves = keras.tree.flatten((args, kwargs))
    inputs = [leaf for leaf in leaves if isinstance(leaf, _Value)]
    if type(step.op) in _MIXING:
        # An activation may look at the last axis; it does not depend on the other lengths.
        rank = len(step.outputs[index].shape)
        shape = (64, *[1] * (rank - 2), step.outputs[index].shape[-1] or 2)
        inputs = [_Value(lambda: "scores")]
        return _through(getattr(step.op, "activation", None) or _identity, inputs, [shape])
    shapes = [tuple(length or 2 for length in tensor.shape) for tensor in step.inputs]

    def run(*values: Any) -> Any:
        given = iter(values)
        filled = keras.tree.map_structure(
            lambda leaf: next(given) if isinstance(leaf, _Value) else leaf, (args, dict(kwargs))
        )
        return keras.tree.flatten(_call(step.op, *filled))[index]

    if any(len(variable.shape) > 1 for variable in getattr(step.op, "variables", ())):
        # A kernel, so that an affine result is one of scores whatever goes in.
        inputs = [_Value(lambda: "scores") for _ in inputs]
    return _through(run, inputs, shapes)


def _call(op: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if isinstance(op, keras.Layer) and "training" in inspect.signature(op.call).parameters:
        kwargs = {**kwargs, "training": False}
    return op(*args, **kwargs)


def _identity(value: Any) -> Any:
    return value


def _through(
    function: Callable[..., Any], inputs: Sequence[_Value], shapes: Sequence[tuple[int, ...]]
) -> Kind:
    """Return what the results of `function` are, given what goes into it."""
    rng = np.random.default_rng(0)

    def run(values: Sequence[np.ndarray]) -> np.ndarray:
        tensors = [ops.convert_to_tensor(value.astype("float32")) for value in values]
        result = ops.convert_to_numpy(ops.cast(function(*tensors), "float32"))
        return result.astype("float64")

    one, two = ([rng.normal(0, 3, shape) for shape in shapes] for _ in range(2))
    try:
        first = run(one)
        if _distributions(first):
            return "distribution"
        if _reaches(run, shapes, low=0):
            return "fraction"
        if _reaches(run, shapes, low=-1):
            return "signed"
        both = run([a + b for a, b in zip(one, two, strict=True)])
        affine = first + run(two) - run([np.zeros(shape) for shape in shapes])
        # Half precision rounds at the third digit; a bend would show in the first.
        if not np.allclose(both, affine, rtol=0, atol=0.03 * max(1e-6, np.abs(both).max())):
            return "values"
        return _affine(run, {value.kind for value in inputs}, one)
    except Exception:  # noqa: BLE001 - any layer may refuse random numbers in its own way.
        return "values"


def _affine(run: Callable[..., np.ndarray], kinds: set[Kind], noise: list[np.ndarray]) -> Kind:
    """Return what an affine operation makes of inputs of these kinds."""
    if kinds == {"scores"}:
        return "scores"
    exponents = [np.exp(value - value.max(axis=-1, keepdims=True)) for value in noise]
    if kinds == {"distribution"} and _distributions(
        run([each / each.sum(axis=-1, keepdims=True) for each in exponents])
    ):
        return "distribution"
    if kinds == {"fraction"}:
        result = run([1 / (1 + np.exp(-value)) for value in noise])
        return "fraction" if result.min() >= 0 and result.max() <= 1 else "values"
    if kinds == {"signed"}:
        result = run([np.tanh(value) for value in noise])
        return "signed" if np.abs(result).max() <= 1 else "values"
    return "values"


def _distributions(values: np.ndarray) -> bool:
    """Return whether the last axis holds several numbers that are not negative and sum to 1."""
    return bool(
        values.ndim > 1
        and values.shape[-1] > 1
        and values.min() >= 0
        and np.allclose(values.sum(axis=-1), 1, atol=0.01)
    )


def _reaches(
    run: Callable[..., np.ndarray], shapes: Sequence[tuple[int, ...]], *, low: float
) -> bool:
    """Return whether large numbers of either sign become `low` and 1, and small ones lie between."""
    least, middle, most = (run([np.full(shape, x) for shape in shapes]) for x in (-30.0, 0.1, 30.0))
    return bool(
        np.abs(least - low).max() < 0.01
        and np.abs(most - 1).max() < 0.01
        and middle.min() > low + 0.01
        and middle.max() < 0.99
    )


def _ending(kind: Kind, output: Tensor, loss: Any) -> Ending:
    names = loss_names(loss)
    if names & REGRESSION:
        return "values"
    if kind == "distribution":
        return "probabilities"
    if kind == "fraction":
        return "binary_probabilities"
    if kind == "scores" and names & BINARY:
        return "binary_logits"
    several = output.shape[-1] not in (None, 1)
    # With a loss of the user's own, scores at every position may as well be the boxes of a detector.
    for_classes = loss is None or names & CLASSES or len(output.shape) == 2
    return "logits" if kind == "scores" and several and for_classes else "values"
