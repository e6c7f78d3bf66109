"""A model, a plan and the pruned model, made once for all the laws that look at them."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np

import tfelastic as te
from tests.support.inference import random_inputs
from tests.support.random_models import ModelSpec, build, random_plan


@dataclass(frozen=True, eq=False)
class Case:
    model: keras.Model
    graph: te.LayerGraph
    plan: te.KeepPlan
    pruned: keras.Model
    inputs: list[np.ndarray]


@cache
def case(spec: ModelSpec, seed: int, *, blocks: bool = False) -> Case:
    """Return the model of `spec` pruned by a random plan."""
    model = build(spec)
    graph = te.trace(model)
    plan = random_plan(graph, seed, blocks=blocks)
    return Case(model, graph, plan, te.prune(model, plan), random_inputs(model))


def ladder_of(model: keras.Model) -> te.Ladder | None:
    """Return the model's ladder of single-channel steps, or `None` where nothing can be pruned."""
    if not [group for group in te.trace(model).prunable if group.permutable]:
        return None
    return te.ladder(model, widths=(1.0, 0.6, 0.3), round_to=1)
