"""`Structure`: a model's call graph as plain data, and its interpretation over values of any kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras


@dataclass(frozen=True)
class Spec:
    """What is known of a tensor before any data: `shape` with the batch first (`None`: unknown), and `dtype`."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Ref:
    """A tensor of a structure, by its number."""

    index: int
    spec: Spec


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a layer or operation.

    Attributes:
        path: The layer's name, led by the names of the models in which it is first called.
        op: The layer or operation that is called.
        args: Its positional arguments, with a `Ref` in the place of every tensor.
        kwargs: Its keyword arguments, likewise.
        outputs: The tensors that it returns, flattened.
        body: The inside of `op` where that is itself a functional model, or a layer whose call graph is known.
    """

    path: str
    op: keras.Operation
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Ref, ...]
    body: "Structure | None"

    @property
    def inputs(self) -> tuple[Ref, ...]:
        """The tensors among its arguments, flattened."""
        leaves = keras.tree.flatten((self.args, self.kwargs))
        return tuple(leaf for leaf in leaves if isinstance(leaf, Ref))


# Carries out one call: gets the node and its arguments with values in the place of tensors, returns the outputs.
Apply: TypeAlias = Callable[[Node, tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True, eq=False)
class Structure:
    """The call graph of one functional model.

    Attributes:
        model: The model that was read; of a layer made of layers one that calls what the layer calls.
        inputs: The model's inputs, flattened.
        input_names: The names of their input layers.
        input_structure: The nesting (list, dict) in which the model takes its inputs.
        outputs: The model's outputs in the nesting in which it returns them.
        nodes: Every call, in execution order.
    """

    model: keras.Model
    inputs: tuple[Ref, ...]
    input_names: tuple[str, ...]
    input_structure: Any
    outputs: Any
    nodes: tuple[Node, ...]

    def run(self, inputs: Sequence[Any], apply: Apply, *, enter_nested: bool = True) -> Any:
        """Interpret the graph: feed `inputs`, let `apply` carry out each call, return the outputs.

        A value is whatever `apply` takes and returns: arrays, symbolic tensors, channel labels.

        Args:
            inputs: One value per model input, flattened.
            apply: Carries out one call.
            enter_nested: Whether a call with a body is interpreted call by call; if not, `apply` gets the call.

        Returns:
            The values of the model's outputs, nested as the model nests them.
        """
        values: dict[Ref, Any] = dict(zip(self.inputs, inputs, strict=True))

        def fill(arguments: Any) -> Any:
            return keras.tree.map_structure(
                lambda leaf: values[leaf] if isinstance(leaf, Ref) else leaf, arguments
            )

        for node in self.nodes:
            if enter_nested and node.body is not None:
                results = node.body.run([values[ref] for ref in node.inputs], apply)
            else:
                results = apply(node, fill(node.args), fill(node.kwargs))
            values.update(zip(node.outputs, keras.tree.flatten(results), strict=True))
        return fill(self.outputs)
