"""Costs: what may be spent, and what a plan spends."""

from tfelastic.cost.cost import Cost, LayerCost, cost, cost_of

__all__ = ["Cost", "LayerCost", "cost", "cost_of"]
