"""`Lanes`: one run of a net that also tells what it would return without each of its blocks.

Up to a block's end, the net without the block computes what the net itself does. So the net is run once, and at
each block's end a *lane* branches off: beside the sum, the shortcut alone. From there on the lane runs along, stacked
behind the others on the batch axis, so every layer is still called once:

```
lanes: tensors                       net          [x]
at the first block's end             x + f(x)  |  x
at the second block's end            y + g(y)  |  z + g(z)  |  y         z: without the first block; y: with it
```

With n blocks of equal cost this takes about half of what n nets take that each start from the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from tfelastic.graph import LayerGraph, Step

_WHOLE = -1  # The lane of the net itself, which every tensor has.


@dataclass(frozen=True, eq=False)
class _Stack:
    """Values of one tensor: `lanes` says for each part of `values`, `[lanes * batch, ...]`, whose it is."""

    values: Any
    lanes: tuple[int, ...]


class Lanes(keras.Model):
    """Returns the outputs of a net and of the net without each of some blocks, `[batch, 1 + blocks, ...]`.

    Every layer must treat each sample of a batch on its own, as layers do at inference.

    Args:
        graph: The net.
        blocks: Names of blocks of `graph`; their lanes follow the net's own in this order.
    """

    def __init__(self, graph: LayerGraph, blocks: Sequence[str]) -> None:
        super().__init__(name="lanes", autocast=False)
        self.net = graph.model
        self._graph = graph
        block_of = {block.name: block for block in graph.blocks}
        self._shortcuts = {
            name: (lane, block_of[name].shortcut) for lane, name in enumerate(blocks)
        }

    def call(self, inputs: Any) -> Any:
        """Run the net on a batch, lane by lane where lanes differ."""
        arrays = [
            ops.cast(array, ref.spec.dtype)
            for array, ref in zip(
                keras.tree.flatten(inputs), self._graph.structure.inputs, strict=True
            )
        ]
        batch = ops.shape(arrays[0])[0]
        stacks = [_Stack(array, (_WHOLE,)) for array in arrays]

        def apply(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return self._step(step, args, kwargs, batch)

        (output,) = keras.tree.flatten(self._graph.run(stacks, apply))
        every = (_WHOLE, *range(len(self._shortcuts)))
        values = _spread(output, every, batch)
        shape = ops.shape(values)[1:]
        return ops.swapaxes(ops.reshape(values, (len(every), batch, *shape)), 0, 1)

    def _step(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], batch: Any) -> Any:
        inputs = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, _Stack)]
        lanes = tuple(dict.fromkeys(lane for stack in inputs for lane in stack.lanes))
        args, kwargs = keras.tree.map_structure(
            lambda leaf: _spread(leaf, lanes, batch) if isinstance(leaf, _Stack) else leaf,
            (args, kwargs),
        )
        outputs = step.op(*args, **kwargs)
        if step.path in self._shortcuts:
            lane, shortcut = self._shortcuts[step.path]
            outputs = ops.concatenate([outputs, inputs[shortcut].values[:batch]], axis=0)
            lanes = (*lanes, lane)
        return keras.tree.map_structure(lambda value: _Stack(value, lanes), outputs)


def _spread(stack: _Stack, lanes: tuple[int, ...], batch: Any) -> Any:
    """Return the values of `stack` on `lanes`: where it has none of a lane's own, those of the net itself."""
    if stack.lanes == lanes:
        return stack.values
    starts = [stack.lanes.index(lane) if lane in stack.lanes else 0 for lane in lanes]
    return ops.concatenate(
        [stack.values[start * batch : (start + 1) * batch] for start in starts], axis=0
    )
