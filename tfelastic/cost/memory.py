"""Peak activation memory: which tensors are alive at the same time."""

from collections import Counter
from math import prod

from tfelastic.graph import Step
from tfelastic.plan import Selection

# Operations that a TFLite converter folds into a neighbour or carries out in place, by layer class: their output
# takes no memory beside their input's.
_IN_PLACE = frozenset(
    (
        "Activation",
        "ActivityRegularization",
        "AlphaDropout",
        "BatchNormalization",
        "Cast",
        "Clip",
        "Dropout",
        "Flatten",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "InputLayer",
        "LeakyReLU",
        "Normalization",
        "ReLU",
        "Relu",
        "Relu6",
        "Rescaling",
        "Reshape",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "StochasticDepth",
        "StopGradient",
    )
)


def peak_bytes(selection: Selection, *, bytes_per_value: int) -> int:
    """Return the most activation memory that is in use at once, per sample, in execution order.

    A tensor lives from the step that makes it to the last step that reads it; while a step runs, its inputs and
    outputs are both alive. A layer that is folded or carried out in place hands its input's memory on.

    Args:
        selection: The graph and plan to price.
        bytes_per_value: 1 for int8, 4 for float32.
    """
    home = _homes(selection)
    sizes: dict[int, int] = {}
    births: dict[int, int] = {}
    deaths: dict[int, int] = {}
    last = len(selection.steps)
    for moment, step in enumerate(selection.steps):
        for tensor in (*step.inputs, *step.outputs):
            place = home.get(tensor.index, tensor.index)
            values = prod(length or 0 for length in selection.shape(tensor)[1:])
            sizes[place] = max(sizes.get(place, 0), values * bytes_per_value)
            births.setdefault(place, moment)
            deaths[place] = moment
    for tensor in selection.graph.outputs:
        deaths[home.get(tensor.index, tensor.index)] = last
    alive = [
        sum(size for place, size in sizes.items() if births[place] <= moment <= deaths[place])
        for moment in range(last)
    ]
    return max(alive, default=0)


def _homes(selection: Selection) -> dict[int, int]:
    """Return which tensor's memory each tensor shares: removed blocks pass on, in-place steps hand on."""
    home = {b.end: b.start for b in selection.graph.blocks if b.name in selection.plan.removed}
    readers = Counter(
        _root(home, tensor.index) for step in selection.steps for tensor in step.inputs
    )
    for step in selection.steps:
        if _in_place(step) and readers[_root(home, step.inputs[0].index)] == 1:
            home[step.outputs[0].index] = step.inputs[0].index
    return {index: _root(home, index) for index in home}


def _in_place(step: Step) -> bool:
    return type(step.op).__name__ in _IN_PLACE and len(step.inputs) == 1 and len(step.outputs) == 1


def _root(home: dict[int, int], index: int) -> int:
    while index in home:
        index = home[index]
    return index
