"""Networks timed whole beside their operations, and what a sum of operations misses, fitted to them.

An operation measured alone finds its weights in the cache and its neighbours gone. In a network it finds other
operations' data in the cache and its own weights evicted, the more of them, the larger the network. Both are linear
enough: a factor on all operations, and a price per weight, or per weight beyond those that a cache holds. They are
fitted to a model at full, half and a quarter of its width and, where it has blocks, without half of them and at half
width without all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
import numpy as np

import tfelastic as te
from tfelastic._cost import Geometry, LatencyTable, timed_steps, weights_of
from tfelastic._plan import KeepPlan, Selection
from tflite_export._profile.microbenchmarks import (
    BenchmarkPoint,
    Microbenchmark,
    convert_benchmarks,
)

if TYPE_CHECKING:
    from tflite_export.quantize.scheme import Scheme

SIZES = ((1.0, 1.0), (0.5, 1.0), (0.25, 1.0), (1.0, 0.5), (0.5, 0.0))
"""The widths and depths of the networks that are timed whole."""

#: By how much a network may be missed before a cache is supposed.
_CLOSE = 0.05

#: A factor beyond these is no matter of caches: something else went wrong, and the sum is left as it is.
_BELIEVED = (0.5, 2.0)


def whole_networks(graph: te.LayerGraph, *, round_to: int) -> dict[BenchmarkPoint, KeepPlan]:
    """Return what of a model is timed whole: the model, and narrower and shallower ones where it can be pruned."""
    if len(graph.model.outputs) > 1:
        return {}
    plans: dict[BenchmarkPoint, KeepPlan] = {}
    for width, depth in SIZES:
        plan = _plan(graph, width, depth, round_to)
        if plan not in plans.values():
            settings = (("depth", depth), ("width", width))
            plans[BenchmarkPoint(Geometry("network", (), settings), (1,))] = plan
    return plans


def _plan(graph: te.LayerGraph, width: float, depth: float, round_to: int) -> KeepPlan:
    sizes = dict.fromkeys(((1.0, 1.0), (width, depth)))
    widths, depths = zip(*sizes, strict=True)
    try:
        return te.ladder(graph, widths=widths, depths=depths, round_to=round_to).rungs[-1].plan
    except te.errors.PlanError:  # There is nothing to prune.
        return KeepPlan(graph.fingerprint)


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
    sums = np.array([table.latency_us(each) for each in selections]) - table.overhead_us
    weights = np.array([_weights(each) for each in selections], float)
    net_us = np.array([p50_us for _, p50_us in wholes]) - table.overhead_us
    if not wholes or min(*net_us, *sums) <= 0:
        return table
    fits = [_Fit.of(sums, weights, net_us, cached) for cached in (0.0, *sorted(weights)[:-1])]
    if fits[0].error <= _CLOSE:
        fits = fits[:1]
    believed = [each for each in fits if _BELIEVED[0] <= each.factor <= _BELIEVED[1]]
    if not believed:
        return table
    best = min(believed, key=lambda each: each.error)
    return replace(
        table, factor=best.factor, weight_us=best.weight_us, cached_weights=int(best.cached)
    )


def _weights(selection: Selection) -> int:
    return sum(weights_of(selection, step) for step in timed_steps(selection))


@dataclass(frozen=True)
class _Fit:
    """What a sum is corrected by, and by how much the worst of the networks is missed then, as a share of it."""

    factor: float
    weight_us: float
    cached: float
    error: float

    @classmethod
    def of(cls, sums: np.ndarray, weights: np.ndarray, net_us: np.ndarray, cached: float) -> "_Fit":
        """Fit networks, `[networks]`, of whose weights so many stay in the cache."""
        parts = np.array([sums, np.maximum(weights - cached, 0)]).T / net_us[:, None]
        factor, weight_us = _least_squares(parts)
        error = np.abs(parts @ (factor, weight_us) - 1).max()
        return cls(factor, weight_us, cached, float(error))


def _least_squares(parts: np.ndarray) -> tuple[float, float]:
    """Return the factors, the second not negative, with which each row of parts adds up to 1 as nearly as can be."""
    if len(parts) > 1:
        (factor, price), *_ = np.linalg.lstsq(parts, np.ones(len(parts)), rcond=None)
        if price >= 0:
            return float(factor), float(price)
    alone = parts[:, 0]
    return float(alone.sum() / (alone @ alone)), 0.0
