"""Small random models and plans for the laws.

A `ModelSpec` names the parts that a model is put together from, so a failing example reads as a recipe. Weights
are random everywhere (BatchNorm statistics, negative scales, biases), so that no wrong channel can hide.
"""

from dataclasses import dataclass

import keras
import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st

import tfelastic as te
from tests.support.model_parts import HEADS, PARTS, Net
from tests.support.weights import randomize

# Recipes are short as they are: a failing example is reported at once, not made smaller first.
PHASES = (Phase.explicit, Phase.generate)
LAWS = settings(derandomize=True, deadline=None, max_examples=10, database=None, phases=PHASES)
SEEDS = st.integers(0, 999)

SIZE = 6


@dataclass(frozen=True)
class ModelSpec:
    """A recipe: convolution, then `parts` in a row, then `head`; `seed` settles sizes and weights."""

    parts: tuple[str, ...]
    head: str = "flatten"
    seed: int = 0


# Nets that everyone knows, by name.
NAMED = {
    "plain": ModelSpec(("batch_norm", "conv", "pooled"), "pool"),
    "residual": ModelSpec(("batch_norm", "residual", "projected"), "pool"),
    "dense_after_flatten": ModelSpec(("conv", "pooled"), "flatten"),
}


def every_recipe() -> dict[str, ModelSpec]:
    """Return the named nets and, for each part and head, a recipe around it."""
    parts = {name: ModelSpec((name, "conv"), seed=seed) for seed, name in enumerate(PARTS)}
    heads = {name: ModelSpec(("conv",), name, seed) for seed, name in enumerate(HEADS)}
    return {**NAMED, **parts, **heads}


def build(spec: ModelSpec) -> keras.Model:
    """Return the model of a recipe, with random weights."""
    # Layer names then depend on the recipe alone. Collecting garbage takes longer than building the model.
    keras.utils.clear_session(free_memory=False)
    net = Net(spec.seed)
    x = net.conv(net.input((SIZE, SIZE), 3))
    for name in spec.parts:
        x = PARTS[name](net, x)
    outputs = HEADS[spec.head](net, x)
    model = keras.Model(net.inputs if len(net.inputs) > 1 else net.inputs[0], outputs)
    return randomize(model, seed=spec.seed)


def model_specs(max_parts: int = 4) -> st.SearchStrategy[ModelSpec]:
    """Return a strategy of random recipes."""
    parts = st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=max_parts).map(tuple)
    return st.builds(ModelSpec, parts, st.sampled_from(sorted(HEADS)), st.integers(0, 2**16))


def random_plan(
    graph: te.LayerGraph, seed: int, *, channels: bool = True, blocks: bool = True
) -> te.KeepPlan:
    """Return a plan that keeps a random choice of units, in random order where they may be re-ordered."""
    rng = np.random.default_rng(seed)
    keep = {}
    for group in graph.prunable:
        if channels and rng.random() < 0.8:
            units = rng.permutation(group.size)[: rng.integers(1, group.size + 1)]
            keep[group.name] = tuple((units if group.permutable else np.sort(units)).tolist())
    removed = tuple(block.name for block in graph.blocks if blocks and rng.random() < 0.5)
    return te.KeepPlan(graph.fingerprint, keep, removed)


def reordering(graph: te.LayerGraph, seed: int) -> te.KeepPlan:
    """Return a plan that drops nothing and re-orders all that may be re-ordered."""
    rng = np.random.default_rng(seed)
    free = [group for group in graph.prunable if group.permutable]
    return te.KeepPlan(
        graph.fingerprint, {g.name: tuple(rng.permutation(g.size).tolist()) for g in free}
    )
