"""Networks timed whole beside their operations, and what a sum of operations misses, fitted to them.

An operation measured alone finds its weights in the cache and its neighbours gone. In a network it finds other
operations' data in the cache and its own weights evicted, the more of them, the larger the network. Both are linear
enough: a factor on all operations, and a price per weight. They are fitted to a model at full, half and a quarter of
its width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np

import tfelastic as te
from tfelastic._cost import Geometry, LatencyTable, weights_of
from tfelastic._plan import KeepPlan, Selection
from tflite_export._profile.microbenchmarks import (
    BenchmarkPoint,
    Microbenchmark,
    convert_benchmarks,
)

if TYPE_CHECKING:
    from tflite_export.quantize.scheme import Scheme

WIDTHS = (1.0, 0.5, 0.25)

#: A factor beyond these is no matter of caches: something else went wrong, and the sum is left as it is.
_BELIEVED = (0.5, 2.0)


def whole_networks(graph: te.LayerGraph, *, round_to: int) -> dict[BenchmarkPoint, KeepPlan]:
    """Return what of a model is timed whole: the model, and uniformly narrower ones where it can be pruned."""
    if len(graph.model.outputs) > 1:
        return {}
    try:
        rungs = te.ladder(graph, widths=WIDTHS, round_to=round_to).rungs
        plans = {rung.width: rung.plan for rung in rungs}
    except te.errors.PlanError:  # There is nothing to prune.
        plans = {1.0: KeepPlan(graph.fingerprint)}
    return {
        BenchmarkPoint(Geometry("network", (), (("width", width),)), (1,)): plan
        for width, plan in plans.items()
    }


def convert_networks(
    model: keras.Model, plans: Mapping[BenchmarkPoint, KeepPlan], *, scheme: "Scheme"
) -> dict[BenchmarkPoint, bytes]:
    """Return a .tflite for each plan.

    Raises:
        ConversionError: The model cannot be converted.
    """
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in model.inputs)
    files: dict[BenchmarkPoint, bytes] = {}
    for point, plan in plans.items():
        pruned = te.prune(model, plan)
        _randomize(pruned)
        files |= convert_benchmarks([Microbenchmark(point, pruned, shapes)], scheme)
    return files


def _randomize(model: keras.Model) -> None:
    """Give scales and shifts values that the converter cannot leave out; kernels stay, so that no value overflows."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "bias", "moving_mean"):
            weight.assign(generator.normal(0, 0.3, weight.shape))


def fitted(
    table: LatencyTable, graph: te.LayerGraph, wholes: Sequence[tuple[KeepPlan, float]]
) -> LatencyTable:
    """Return a table whose sums come as close as they can to networks that were timed whole.

    Args:
        table: The operations' table.
        graph: The model's graph.
        wholes: Plans, each with the latency of its whole network in microseconds.
    """
    selections = [Selection(graph, plan) for plan, _ in wholes]
    sums = [table.latency_us(each) - table.overhead_us for each in selections]
    weights = [float(sum(weights_of(each, step) for step in graph.steps)) for each in selections]
    net_us = np.array([p50_us for _, p50_us in wholes]) - table.overhead_us
    if not wholes or min(*net_us, *sums) <= 0:
        return table
    factor, weight_us = _least_squares(np.array([sums, weights]).T / net_us[:, None])
    if not _BELIEVED[0] <= factor <= _BELIEVED[1]:
        return table
    return replace(table, factor=factor, weight_us=weight_us)


def _least_squares(parts: np.ndarray) -> tuple[float, float]:
    """Return the factors, the second not negative, with which each row of parts adds up to 1 as nearly as can be."""
    if len(parts) > 1:
        (factor, price), *_ = np.linalg.lstsq(parts, np.ones(len(parts)), rcond=None)
        if price >= 0:
            return float(factor), float(price)
    alone = parts[:, 0]
    return float(alone.sum() / (alone @ alone)), 0.0
