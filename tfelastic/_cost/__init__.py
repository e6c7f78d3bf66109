"""Costs: what may be spent, and what a plan spends."""

from tfelastic._cost.budget import Budget, LatencyModel, Spending, spending
from tfelastic._cost.cost import (
    Cost,
    LayerCost,
    activation_bytes,
    cost,
    cost_of,
    layer_params,
    params_of,
    step_macs,
)
from tfelastic._cost.file_size import Anatomy, anatomy, resident_bytes, tflite_bytes
from tfelastic._cost.geometry import (
    Geometry,
    channel_axis,
    channels_of,
    geometry_of,
    makes_channels,
    timed_steps,
    weights_of,
)
from tfelastic._cost.latency import LatencyTable, MeasuredOperation
from tfelastic._cost.lowering import Lowered, lower
from tfelastic._cost.memory import needed

__all__ = [
    "Anatomy",
    "Budget",
    "Cost",
    "Geometry",
    "LatencyModel",
    "LatencyTable",
    "LayerCost",
    "Lowered",
    "MeasuredOperation",
    "Spending",
    "activation_bytes",
    "anatomy",
    "channel_axis",
    "channels_of",
    "cost",
    "cost_of",
    "geometry_of",
    "layer_params",
    "lower",
    "makes_channels",
    "needed",
    "params_of",
    "resident_bytes",
    "spending",
    "step_macs",
    "tflite_bytes",
    "timed_steps",
    "weights_of",
]
