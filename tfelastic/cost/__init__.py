"""Costs: what may be spent, and what a plan spends."""

from tfelastic.cost.budget import Budget, LatencyModel, Spending, spending
from tfelastic.cost.cost import Cost, LayerCost, cost, cost_of

__all__ = ["Budget", "Cost", "LatencyModel", "LayerCost", "Spending", "cost", "cost_of", "spending"]
