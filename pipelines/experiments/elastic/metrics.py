"""The figures of a finished run of an elastic network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.experiments.elastic import (
    bundle,
    comparison,
    export,
    joint_training,
    layer_costs,
    mask_examples,
    profile,
    selector,
    simulation,
    timing,
)
from pipelines.experiments.elastic.comparison import ComparedRung
from pipelines.experiments.elastic.export import ExportedVariant
from pipelines.experiments.elastic.mask_examples import MaskExamples
from pipelines.experiments.elastic.profile import LatencyFigures
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.selector import SelectorRun
from pipelines.experiments.elastic.simulation import Simulation
from pipelines.experiments.elastic.training_results import OutputScores
from pipelines.report import Machine, Metrics
from pipelines.stages import Run
from pipelines.stages.layer_costs import LayerCosts


@dataclass(frozen=True, kw_only=True)
class VariantFigures(ExportedVariant, LatencyFigures):
    """What an exported rung costs, reaches and takes.

    Attributes:
        peak_bytes: Predicted bytes of activations alive at once; `None` where it is not known.
        arena_bytes: The smallest arena in which TFLM ran it; `None` where the target is another.
    """

    peak_bytes: int | None = None
    arena_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class ElasticMetrics(Metrics):
    """The variants in the bundle and those left out of it, what the selector did, and the methods compared, if any.

    `redundant` says of those that were left out for their latency, why; `outputs` are the rungs' scores by each of
    several outputs, in Keras. Runs of before there were them have no `layers`, no `simulation` and no `masks`, which
    only a segmentation has.
    """

    comparison: tuple[ComparedRung, ...] | None
    variants: tuple[VariantFigures, ...]
    left_out: tuple[ExportedVariant, ...]
    redundant: dict[str, str]
    outputs: dict[str, OutputScores]
    bundle_bytes: int
    selector: tuple[SelectorRun, ...]
    layers: LayerCosts | None = None
    simulation: Simulation | None = None
    masks: MaskExamples | None = None


def collect(run: Run[ElasticRecipe], common: Mapping[str, Any]) -> ElasticMetrics:
    """Gather what the stages found."""
    measured, spec = run.result(profile.STAGE), run.recipe.profile
    compared = run.result(comparison.STAGE).rungs if run.recipe.comparison else None
    exported, worthwhile = run.result(export.STAGE), run.result(timing.STAGE)
    memory: dict[str, dict[str, Any]] = {
        each["name"]: {key: each.get(key) for key in ("peak_bytes", "arena_bytes")}
        for each in exported.reports
    }
    variants = tuple(
        VariantFigures(**vars(each), **vars(measured.latencies[each.name]), **memory[each.name])
        for each in exported.variants
        if each.name in worthwhile.packed
    )
    trained = run.result(joint_training.STAGE)
    return ElasticMetrics(
        **common,
        trainings={"all widths together": trained.history},
        outputs=trained.outputs,
        profile=Machine(measured.device, spec.threads, spec.runs),
        comparison=compared,
        variants=variants,
        left_out=tuple(each for each in exported.variants if each.name not in worthwhile.packed),
        redundant=worthwhile.redundant,
        bundle_bytes=run.result(bundle.STAGE).bundle_bytes,
        selector=run.result(selector.STAGE).rows,
        layers=run.result(layer_costs.STAGE),
        simulation=run.result(simulation.STAGE),
        masks=run.result(mask_examples.STAGE) if run.recipe.task == "segmentation" else None,
    )
