"""The experiments, and how a recipe of any of them is read and carried out.

A new experiment is a folder here, with an `EXPERIMENT` that follows the protocol `Experiment`, and one line in
`registry.EXPERIMENTS`.
"""

from pipelines.experiments.carrying_out import (
    METRICS,
    carry_out,
    content_of,
    join,
    prospects,
    stages_of,
    write_report,
)
from pipelines.experiments.registry import (
    EXPERIMENTS,
    Experiment,
    experiment,
    load_recipe,
    parse_recipe,
    read_metrics,
)

__all__ = [
    "EXPERIMENTS",
    "METRICS",
    "Experiment",
    "carry_out",
    "content_of",
    "experiment",
    "join",
    "load_recipe",
    "parse_recipe",
    "prospects",
    "read_metrics",
    "stages_of",
    "write_report",
]
