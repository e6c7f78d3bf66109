"""Strategies: scores and a budget in, a plan out."""

from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.complexity import Complexity, Draw, Trajectory
from tfelastic.strategies.ladder import ladder
from tfelastic.strategies.planning import plan

__all__ = ["STRATEGIES", "Complexity", "Draw", "Strategy", "Trajectory", "ladder", "plan"]
