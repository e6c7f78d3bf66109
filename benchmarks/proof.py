"""What it takes to put a large net to the proof: honest weights, double precision, wrong plans.

The oracle itself, the original whose dropped channels are zeroed wherever channels are summed, is the one that
the tests of the laws use.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

import tfelastic as te

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "laws"))

from oracles import counted_macs, difference, masked

__all__ = [
    "counted_macs",
    "difference",
    "double_precision",
    "images",
    "masked",
    "outputs_of",
    "randomize",
    "wrong_plans",
]

# Law 2 in float64: how far a pruned net may be from the oracle, relative to the output's norm.
TOLERANCE = 1e-9


@contextmanager
def double_precision() -> Iterator[None]:
    """Let layers that are made inside compute in float64."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def randomize(model: keras.Model, *, seed: int = 0) -> keras.Model:
    """Give every weight of `model` a random value, and return the model.

    Fresh weights hide mistakes: with scales of one, shifts of zero and layer scales of a millionth, many wrong
    channels look right. Kernels keep the variance of a signal through rectifiers, and shifts are mostly positive,
    so that few channels are dead.
    """
    generator = np.random.default_rng(seed)
    for variable in model.variables:
        shape = variable.shape
        if len(shape) > 1:
            depthwise = shape[-1] == 1 and len(shape) > 2
            fan_in = np.prod(shape[:-2] if depthwise else shape[:-1])
            value = generator.normal(0, np.sqrt(2 / fan_in), shape)
        elif variable.name in ("beta", "bias"):
            value = generator.normal(0.3, 0.3, shape)
        elif variable.name == "moving_mean":
            value = generator.normal(0, 0.3, shape)
        else:
            value = generator.uniform(0.5, 1.5, shape)
        adapted = variable.name in ("mean", "variance") or "float" not in variable.dtype
        if not adapted:  # A Normalization's statistics are no weights, but measured.
            variable.assign(value)
    return model


def images(model: keras.Model, *, count: int = 2, seed: int = 0) -> list[np.ndarray]:
    """Return one random batch `[count, ...]` for each input of `model`."""
    generator = np.random.default_rng(seed)
    return [
        generator.normal(0, 1, (count, *tensor.shape[1:])).astype(tensor.dtype)
        for tensor in model.inputs
    ]


def outputs_of(model: keras.Model, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Return what `model` makes of `inputs`, flattened to a list."""
    values = keras.tree.pack_sequence_as(model.input, inputs)
    outputs = keras.tree.flatten(model(values, training=False))
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def wrong_plans(graph: te.LayerGraph, plan: te.KeepPlan) -> Iterator[te.KeepPlan]:
    """Yield, for each group that `plan` cuts, the plan with one kept channel exchanged for a dropped one."""
    for name, units in plan.keep.items():
        dropped = sorted(set(range(graph.group(name).size)) - set(units))
        if dropped:
            yield te.KeepPlan(
                plan.model, {**plan.keep, name: (dropped[0], *units[1:])}, plan.removed
            )
