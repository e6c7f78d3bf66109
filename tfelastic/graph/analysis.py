"""`trace`: lets every layer's rule speak, in execution order, and gathers what they say into a `LayerGraph`."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfelastic.graph.blocks import find_blocks
from tfelastic.graph.channels import FIXED, Channels
from tfelastic.graph.groups import form_groups
from tfelastic.graph.layer_graph import LayerGraph, Step
from tfelastic.graph.rulebook import find_rule
from tfelastic.graph.site import LayerFacts, NoRule, Site, Tensor
from tfelastic.graph.trace import Call, Ref, Spec, Structure, read


def trace(model: keras.Model) -> LayerGraph:
    """Trace a Keras model into a graph of coupled channels and removable blocks.

    The model is only read. A layer that tfelastic has no rule for is left whole: its channels are frozen, and
    the graph says so.

    Args:
        model: A built `keras.Sequential` or functional model; nested models and shared layers are understood.

    Returns:
        The graph; `print(graph)` tells its layers, groups and blocks.

    Raises:
        GraphError: `model` is subclassed or not built.

    Example:
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

    def trace(self, structure: Structure) -> LayerGraph:
        inputs = []
        for ref in structure.inputs:
            spec = structure.specs[ref]
            inputs.append(self._tensor(spec, np.full((1,) * (len(spec.shape) - 1), FIXED)))
        outputs = self._walk(structure, inputs, ())
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

    def _walk(
        self, structure: Structure, inputs: Sequence[Tensor], prefix: tuple[str, ...]
    ) -> list[Tensor]:
        def apply(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
            tensors = [
                leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, Tensor)
            ]
            if call.body is not None:
                return self._walk(call.body, tensors, (*prefix, call.op.name))
            specs = _output_specs(structure, call, args, kwargs)
            facts = self._facts.setdefault(
                id(call.op), LayerFacts("/".join((*prefix, call.op.name)))
            )
            return self._step(call, args, kwargs, specs, facts)

        outputs = structure.run(inputs, apply)
        return [leaf for leaf in keras.tree.flatten(outputs) if isinstance(leaf, Tensor)]

    def _step(
        self,
        call: Call,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        specs: Sequence[Spec],
        facts: LayerFacts,
    ) -> list[Tensor]:
        site = Site(call, args, kwargs, outputs=specs, channels=self._channels, facts=facts)
        rule = find_rule(call.op)
        whole = None if rule else f"{type(call.op).__name__} has no rule"
        labels: Any = None
        if rule:
            try:
                labels = rule(site)
            except NoRule as reason:
                whole = str(reason)
        if whole:
            site.freeze_all(f"is left whole: {whole}")
            labels = [site.fixed(position) for position in range(len(specs))]
        labels = labels if isinstance(labels, list) else [labels]
        outputs = [self._tensor(spec, each) for spec, each in zip(specs, labels, strict=True)]
        self._steps.append(
            Step(
                path=facts.path,
                op=call.op,
                inputs=site.inputs,
                outputs=tuple(outputs),
                multiplications=tuple(site.multiplications),
                mixed=tuple(site.mixed),
                whole=whole,
            )
        )
        return outputs

    def _tensor(self, spec: Spec, labels: np.ndarray) -> Tensor:
        tensor = Tensor(len(self._tensors), spec.shape, spec.dtype, self._channels.settle(labels))
        self._tensors.append(tensor)
        return tensor


def _output_specs(
    structure: Structure, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Sequence[Spec]:
    """Return the outputs' specs as recorded, or as the inputs at hand make them where those differ."""
    refs = [leaf for leaf in keras.tree.flatten((call.args, call.kwargs)) if isinstance(leaf, Ref)]
    tensors = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, Tensor)]
    if all(
        structure.specs[ref].shape == tensor.shape
        for ref, tensor in zip(refs, tensors, strict=True)
    ):
        return [structure.specs[ref] for ref in call.outputs]
    args, kwargs = keras.tree.map_structure(
        lambda leaf: (
            keras.KerasTensor(leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf
        ),
        (args, kwargs),
    )
    specs = keras.tree.flatten(call.op.compute_output_spec(*args, **kwargs))
    return [Spec(tuple(spec.shape), str(spec.dtype)) for spec in specs]
