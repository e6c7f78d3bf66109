"""`LayerGraph`: what a traced model computes, and which channels and blocks can be taken out of it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import keras
import numpy as np

from tfelastic.errors import GraphError
from tfelastic.graph.describe import describe
from tfelastic.graph.elements import Block, Group, Step
from tfelastic.graph.layer_call import Binding, LayerFacts, Tensor
from tfelastic.graph.structure import Structure

# Carries out one step: gets it and its arguments with values in the place of tensors, returns the outputs.
ApplyStep: TypeAlias = Callable[[Step, tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True, eq=False)
class LayerGraph:
    """A traced model: what it computes, and which channels and blocks can be taken out of it.

    Made by `tfelastic.trace`. Use `groups` and `blocks` to look, `tfelastic.plan` to decide.

    Attributes:
        structure: The call graph.
        steps: Every call in execution order, nested models flattened.
        facts: What is known of each layer, by the layer's `id`.
        groups: The groups of coupled channels, prunable and frozen, in order of creation.
        blocks: The removable residual parts, in execution order.
        unit_of: For each channel label its group's number and its unit's number in the group, `[labels, 2]`.
        outputs: The tensors that the model returns.
    """

    structure: Structure
    steps: tuple[Step, ...]
    facts: dict[int, LayerFacts]
    groups: tuple[Group, ...]
    blocks: tuple[Block, ...]
    unit_of: np.ndarray
    outputs: tuple[Tensor, ...]

    def __str__(self) -> str:
        return describe(self.model.name, self.steps, self.groups, self.blocks)

    def run(self, inputs: Sequence[Any], apply: ApplyStep) -> Any:
        """Interpret the model step by step, nested models included: `apply` carries out each step.

        A value is whatever `apply` takes and returns: arrays, symbolic tensors, sets of images.

        Args:
            inputs: One value per model input, flattened.
            apply: Gets a step, its positional and its keyword arguments; returns the step's outputs.

        Returns:
            The values of the model's outputs, nested as the model nests them.
        """
        steps = iter(self.steps)
        return self.structure.run(inputs, lambda _, args, kwargs: apply(next(steps), args, kwargs))

    def facts_of(self, step: Step) -> LayerFacts:
        """Return what rules have stated about the layer of a step."""
        return self.facts[id(step.op)]

    @property
    def model(self) -> keras.Model:
        """The model that was traced."""
        return self.structure.model

    @cached_property
    def prunable(self) -> tuple[Group, ...]:
        """The groups that a plan may prune."""
        return tuple(group for group in self.groups if not group.frozen)

    @cached_property
    def makers(self) -> dict[int, Step]:
        """The step that makes each tensor, by the tensor's number."""
        return {tensor.index: step for step in self.steps for tensor in step.outputs}

    def group(self, name: str) -> Group:
        """Return the group of that name, or raise `GraphError` with the names there are."""
        for group in self.groups:
            if group.name == name:
                return group
        known = ", ".join(group.name for group in self.groups)
        raise GraphError(f"model {self.model.name!r} has no group {name!r}; it has {known}")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what plans refer to: operations, shapes, groups and blocks, but no weight values."""
        facts: dict[str, Any] = {
            "steps": [
                [s.path, type(s.op).__name__, [list(t.shape) for t in s.outputs]]
                for s in self.steps
            ],
            "groups": [[g.name, g.size, list(map(str, g.members))] for g in self.groups],
            "blocks": [[b.name, list(b.layers)] for b in self.blocks],
        }
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    @property
    def bindings(self) -> Iterator[Binding]:
        """Every weight axis that holds channels, layer by layer."""
        return (binding for facts in self.facts.values() for binding in facts.bindings.values())

    def bindings_of(self, variable: keras.Variable) -> dict[int, Binding]:
        """Return which channels a weight's axes hold, by axis; none for an axis that holds no channels."""
        return self._by_variable.get(id(variable), {})

    @cached_property
    def _by_variable(self) -> dict[int, dict[int, Binding]]:
        found: dict[int, dict[int, Binding]] = {}
        for binding in self.bindings:
            found.setdefault(id(binding.variable), {}).setdefault(binding.axis, binding)
        return found
