"""Recipes: what a run does, as frozen data read strictly from YAML.

A recipe is a tree of frozen dataclasses. `Recipe` holds the sections that every experiment has; each experiment
derives its own from it (`pipelines.experiments`). A recipe's file may hold further schedules of the same run under
`schedules`, each a tree of the keys that it changes.
"""

from pipelines.recipe.recipe import Recipe, built_in, idle_without_bundle, read_tree
from pipelines.recipe.sections import (
    Augmentation,
    Data,
    Distribution,
    Export,
    Limits,
    Model,
    ProfileSpec,
    TaskName,
    Training,
    WeightedMetric,
)
from pipelines.recipe.strict_yaml import override, written

__all__ = [
    "Augmentation",
    "Data",
    "Distribution",
    "Export",
    "Limits",
    "Model",
    "ProfileSpec",
    "Recipe",
    "TaskName",
    "Training",
    "WeightedMetric",
    "built_in",
    "idle_without_bundle",
    "override",
    "read_tree",
    "written",
]
