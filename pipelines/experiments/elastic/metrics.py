"""The figures of a finished run of an elastic network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.experiments.elastic import (
    bundle,
    comparison,
    export,
    joint_training,
    profile,
    selector,
)
from pipelines.experiments.elastic.comparison import ComparedRung
from pipelines.experiments.elastic.export import ExportedVariant
from pipelines.experiments.elastic.profile import LatencyFigures
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.selector import SelectorRun
from pipelines.experiments.elastic.training_results import OutputScores
from pipelines.report import Machine, Metrics
from pipelines.stages import Run


@dataclass(frozen=True, kw_only=True)
class VariantFigures(ExportedVariant, LatencyFigures):
    """What an exported rung costs, reaches and takes."""


@dataclass(frozen=True, kw_only=True)
class ElasticMetrics(Metrics):
    """The variants in the bundle and those left out of it, what the selector did, and the methods compared, if any.

    `outputs` are the rungs' scores by each of several outputs, in Keras.
    """

    comparison: tuple[ComparedRung, ...] | None
    variants: tuple[VariantFigures, ...]
    left_out: tuple[ExportedVariant, ...]
    outputs: dict[str, OutputScores]
    bundle_bytes: int
    selector: tuple[SelectorRun, ...]


def collect(run: Run[ElasticRecipe], common: Mapping[str, Any]) -> ElasticMetrics:
    """Gather what the stages found."""
    measured, spec = run.result(profile.STAGE), run.recipe.profile
    compared = run.result(comparison.STAGE).rungs if run.recipe.comparison else None
    exported = run.result(export.STAGE)
    variants = tuple(
        VariantFigures(**vars(each), **vars(measured.latencies[each.name]))
        for each in exported.variants
        if each.name in exported.packed
    )
    trained = run.result(joint_training.STAGE)
    return ElasticMetrics(
        **common,
        trainings={"all widths together": trained.history},
        outputs=trained.outputs,
        profile=Machine(measured.device, spec.threads, spec.runs),
        comparison=compared,
        variants=variants,
        left_out=tuple(each for each in exported.variants if each.name not in exported.packed),
        bundle_bytes=run.result(bundle.STAGE).bundle_bytes,
        selector=run.result(selector.STAGE).rows,
    )
