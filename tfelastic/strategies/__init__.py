"""Strategies: scores and a budget in, a plan out."""

from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.ladder import ladder
from tfelastic.strategies.planning import plan

__all__ = ["STRATEGIES", "Strategy", "ladder", "plan"]
