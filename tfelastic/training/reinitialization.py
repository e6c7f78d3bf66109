"""`reinitialize`: the same network, untrained, so that a pruned one can be trained directly."""

import inspect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from tfelastic._plan import KeepPlan
from tfelastic.errors import TrainingError
from tfelastic.graph import LayerGraph, trace
from tfelastic.surgery import prune


def reinitialize(model: keras.Model, *, seed: int) -> keras.Model:
    """Return a new model of the same structure with fresh weights from its layers' own initializers.

    Running statistics (BatchNorm's, and what a layer's rule calls so) start anew. What is not trained stays as it
    is: the weights of frozen layers, and constants such as an adapted `Normalization`'s or the one-hot shortcuts of
    the zoo's ResNets. If the model was compiled, so is the new one, with a fresh optimizer.

    Args:
        model: A functional or sequential model; it is only read.
        seed: Settles every random number, in the place of the seeds that the initializers may have.

    Raises:
        GraphError: The model cannot be traced.
        TrainingError: A layer cannot be rebuilt from its config.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64), keras.layers.Dense(2)])
        >>> plan = te.plan(model, strategy="complexity", budget=te.Budget(params=0.5))
        >>> small = te.reinitialize(te.prune(model, plan), seed=1)  # then small.fit(...)
        >>> small.count_params() <= model.count_params() / 2
        True
    """
    graph = trace(model)
    fresh = prune(model, KeepPlan(graph.fingerprint))
    graph = trace(fresh)
    statistics = _statistics(graph)
    layers = {id(step.op): step for step in graph.steps if isinstance(step.op, keras.Layer)}
    for step in layers.values():
        constants = {id(weight) for weight in step.op.non_trainable_weights}
        if step.op.trainable:
            constants -= statistics
        if all(id(variable) in constants for variable in step.op.variables):
            continue
        twin = _twin(step.op, step.path, random.Random(f"{seed}/{step.path}"))
        for variable, drawn in zip(step.op.variables, twin.variables, strict=True):
            if id(variable) not in constants:
                variable.assign(drawn)
    return fresh


def _statistics(graph: LayerGraph) -> set[int]:
    bindings = list(graph.bindings)
    return {id(binding.variable) for binding in bindings if binding.role == "statistic"}


def _twin(layer: keras.Layer, path: str, rng: random.Random) -> keras.Layer:
    """Return an untrained layer like `layer`, its random numbers drawn from `rng`."""
    config = _reseeded(layer.get_config(), rng)
    functions = {each.__name__: each for each in vars(layer).values() if inspect.isfunction(each)}
    with _seeded(rng.getrandbits(32)), keras.saving.custom_object_scope(functions):
        twin = type(layer).from_config(config)
        if build := layer.get_build_config():
            twin.build_from_config(build)
    shapes = [[tuple(variable.shape) for variable in each.variables] for each in (layer, twin)]
    if shapes[0] != shapes[1]:
        raise TrainingError(
            f"layer {path!r} cannot be rebuilt: it has variables of shapes {shapes[0]}, and what "
            f"{type(layer).__name__}.from_config and build_from_config make has {shapes[1]}; give the class a "
            "get_config and a get_build_config that describe it completely"
        )
    return twin


def _reseeded(config: Any, rng: random.Random) -> Any:
    """Return a layer's config with a seed from `rng` wherever there is one, in initializers at any depth."""
    if isinstance(config, dict):
        return {
            key: rng.randrange(2**31) if key == "seed" else _reseeded(value, rng)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(_reseeded(value, rng) for value in config)
    return config


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Fix the seeds that Keras draws from Python's generator, for initializers that were given none."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
