"""Costs: what may be spent, and what a plan spends."""

from tfelastic.cost.budget import Budget, LatencyModel, Spending, spending
from tfelastic.cost.cost import Cost, LayerCost, cost, cost_of
from tfelastic.cost.latency import LatencyTable, MeasuredOperation

__all__ = [
    "Budget",
    "Cost",
    "LatencyModel",
    "LatencyTable",
    "LayerCost",
    "MeasuredOperation",
    "Spending",
    "cost",
    "cost_of",
    "spending",
]
