"""`trace`: applies every layer's rule, in execution order, and gathers the results into a `LayerGraph`."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfelastic.graph.blocks import find_blocks
from tfelastic.graph.channels import FIXED, Channels
from tfelastic.graph.elements import Step
from tfelastic.graph.groups import form_groups
from tfelastic.graph.keras_graph import read, read_call, read_inside
from tfelastic.graph.layer_call import (
    Binding,
    LayerCall,
    LayerFacts,
    Multiplications,
    NoRule,
    Tensor,
)
from tfelastic.graph.layer_graph import LayerGraph
from tfelastic.graph.rule_registry import find_rule
from tfelastic.graph.structure import Node, Ref, Spec, Structure


def trace(model: keras.Model) -> LayerGraph:
    """Trace a Keras model into a graph of coupled channels and removable blocks.

    The model is only read. A layer that tfelastic has no rule for is opaque: the channels that enter it are
    frozen, and the graph says why.

    Args:
        model: A built `keras.Sequential` or functional model; nested models and shared layers are understood.

    Returns:
        The graph; `print(graph)` lists its layers, groups and blocks.

    Raises:
        GraphError: `model` is subclassed or not built.

    Examples:
        >>> import keras, tfelastic as te
        >>> layers = keras.layers
        >>> model = keras.Sequential([keras.Input((8,)), layers.Dense(16, name="hidden"),
        ...                           layers.ReLU(), layers.Dense(10, use_bias=False, name="logits")])
        >>> print(te.trace(model).group("hidden"))  # doctest: +NORMALIZE_WHITESPACE
        group hidden: 16 channels, coupled in hidden kernel axis 1 [0:16]; hidden bias axis 0 [0:16];
        logits kernel axis 0 [0:16]
    """
    return _Tracer().trace(read(model))


class _Tracer:
    """The state of one tracing."""

    def __init__(self) -> None:
        self._channels = Channels()
        self._facts: dict[int, LayerFacts] = {}
        self._steps: list[Step] = []
        self._tensors: list[Tensor] = []
        self._activations: dict[tuple[int, int], Binding] = {}

    def trace(self, structure: Structure) -> LayerGraph:
        inputs = [
            self._tensor(ref.spec, np.full((1,) * (len(ref.spec.shape) - 1), FIXED))
            for ref in structure.inputs
        ]
        outputs = [
            leaf
            for leaf in keras.tree.flatten(structure.run(inputs, self._step))
            if isinstance(leaf, Tensor)
        ]
        for output in outputs:
            self._channels.freeze(output.labels, "an output of the model")
        groups, unit_of = form_groups(self._channels, self._facts, self._tensors)
        return LayerGraph(
            structure=structure,
            steps=tuple(self._steps),
            facts=self._facts,
            groups=groups,
            blocks=find_blocks(self._steps, outputs),
            unit_of=unit_of,
            outputs=tuple(outputs),
        )

    def _step(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
        facts = self._facts.setdefault(id(node.op), LayerFacts(node.path))
        specs = _output_specs(node, args, kwargs)
        call = self._call(node, args, kwargs, specs, facts)
        labels, opaque = _apply_rule(call)
        outputs = [self._tensor(spec, each) for spec, each in zip(specs, labels, strict=True)]
        self._steps.append(
            Step(
                path=facts.path,
                op=node.op,
                inputs=call.inputs,
                outputs=tuple(outputs),
                multiplications=tuple(call.multiplications) or _inside(call, opaque),
                reduced_inputs=tuple(call.reduced_inputs),
                opaque=opaque,
            )
        )
        return outputs

    def _call(
        self,
        node: Node,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        specs: Sequence[Spec],
        facts: LayerFacts,
    ) -> LayerCall:
        return LayerCall(
            node,
            args,
            kwargs,
            outputs=specs,
            channels=self._channels,
            facts=facts,
            follow=self._follow,
        )

    def _follow(
        self, function: Any, labels: np.ndarray, spec: Spec, owner: LayerFacts
    ) -> np.ndarray:
        """Return the labels after an activation, by the rules of the layer or operations that it consists of.

        The weights of a layer belong to the layer `owner` that applies it.
        """
        facts = LayerFacts(owner.path)

        def apply(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
            specs = _output_specs(node, args, kwargs)
            call = self._call(node, args, kwargs, specs, facts)
            found = find_rule(node.op)(call)
            if call.multiplications or call.reduced_inputs:
                raise NoRule(f"{type(node.op).__name__} mixes channels")
            found = found if isinstance(found, list) else [found]
            return [
                Tensor(-1, spec.shape, spec.dtype, self._channels.collapse_axes(each))
                for spec, each in zip(call.outputs, found, strict=True)
            ]

        (output,) = keras.tree.flatten(
            _function_graph(function, spec).run([Tensor(-1, spec.shape, spec.dtype, labels)], apply)
        )
        if not isinstance(output, Tensor) or output.shape != spec.shape:
            raise NoRule("it changes the shape")
        if facts.sizes:
            raise NoRule("its config counts channels")
        self._own(facts, owner)
        return output.labels

    def _own(self, facts: LayerFacts, owner: LayerFacts) -> None:
        """State that the weights of an activation are `owner`'s; several layers may apply one activation."""
        for key, binding in facts.bindings.items():
            first = self._activations.setdefault(key, binding)
            self._channels.tie(first.labels, binding.labels)
        owner.bindings.update(facts.bindings)

    def _tensor(self, spec: Spec, labels: np.ndarray) -> Tensor:
        labels = self._channels.collapse_axes(labels)
        tensor = Tensor(len(self._tensors), spec.shape, spec.dtype, labels)
        self._tensors.append(tensor)
        return tensor


def _apply_rule(call: LayerCall) -> tuple[list[np.ndarray], str | None]:
    """Return the labels of the call's outputs, and why the call is opaque if it is."""
    try:
        labels = find_rule(call.layer)(call)
        return labels if isinstance(labels, list) else [labels], None
    except NoRule as reason:
        call.freeze_all(f"is opaque: {reason}")
        return [call.fixed(position) for position in range(len(call.outputs))], str(reason)


def _inside(call: LayerCall, opaque: str | None) -> tuple[Multiplications, ...]:
    """Return what the layers within an opaque layer multiply: it is kept as it is, but it costs what they cost."""
    if opaque is None or not isinstance(call.layer, keras.Layer):
        return ()
    if isinstance(call.layer, keras.layers.TimeDistributed):
        return _at_every_moment(call)
    args, kwargs = keras.tree.map_structure(
        lambda leaf: (
            keras.Input(batch_shape=leaf.shape, dtype=leaf.dtype)
            if isinstance(leaf, Tensor)
            else leaf
        ),
        (call.args, call.kwargs),
    )
    structure = read_inside(call.layer, args, kwargs)
    steps = _Tracer().trace(structure).steps if structure else ()
    return tuple(multiplied for step in steps for multiplied in step.multiplications)


def _at_every_moment(call: LayerCall) -> tuple[Multiplications, ...]:
    """Return what a `TimeDistributed` multiplies; its loop over time leaves no record of what it calls."""
    inner, (batch, length, *lengths) = call.layer.layer, call.inputs[0].shape
    moment = keras.Input(batch_shape=(batch, *lengths), dtype=call.inputs[0].dtype)
    steps = _Tracer().trace(read_call(inner, moment)).steps
    return tuple(
        Multiplications(each.variable, each.times * (length or 0))
        for step in steps
        for each in step.multiplications
    )


def _function_graph(function: Any, spec: Spec) -> Structure:
    """Return the call graph of a function of one tensor.

    Raises:
        NoRule: The function cannot be called on a symbolic tensor.
    """
    if isinstance(function, keras.Layer):
        if not function.built:
            function.build(spec.shape)  # Keras would, but only at the first call on data.
        # The layer is the user's: calling it would leave a node of ours in it.
        enter, leave = Ref(0, spec), Ref(1, spec)
        node = Node(function.name, function, (enter,), {}, (leave,), None)
        return Structure(None, (enter,), (), enter, leave, (node,))
    inputs = keras.Input(batch_shape=spec.shape, dtype=spec.dtype)
    try:
        return read(keras.Model(inputs, function(inputs)))
    except Exception as cause:  # What a user's function raises on a symbolic tensor is up to it.
        raise NoRule(f"it cannot be traced ({type(cause).__name__}: {cause})") from cause


def _output_specs(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Spec]:
    """Return the outputs' specs as recorded, or as the inputs at hand make them where those differ.

    They differ inside a nested model that is called on other sizes than it was built with.
    """
    recorded = [ref.spec.shape for ref in node.inputs]
    leaves = keras.tree.flatten((args, kwargs))
    if recorded == [leaf.shape for leaf in leaves if isinstance(leaf, Tensor)]:
        return [ref.spec for ref in node.outputs]
    args, kwargs = keras.tree.map_structure(
        lambda leaf: (
            keras.KerasTensor(leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf
        ),
        (args, kwargs),
    )
    specs = keras.tree.flatten(node.op.compute_output_spec(*args, **kwargs))
    return [Spec(tuple(spec.shape), str(spec.dtype)) for spec in specs]
