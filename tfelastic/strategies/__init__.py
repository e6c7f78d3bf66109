"""Strategies: scores and a budget in, a plan or a ladder of plans out."""

from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.complexity import Complexity, PruningTrace, TraceStep
from tfelastic.strategies.global_ranking import Global
from tfelastic.strategies.greedy import Greedy
from tfelastic.strategies.importance import Importance
from tfelastic.strategies.knapsack import Knapsack
from tfelastic.strategies.ladder import ladder
from tfelastic.strategies.planning import plan
from tfelastic.strategies.rounding import kept_units, step_of
from tfelastic.strategies.schedule import BlockRemoval, PruningSchedule, PruningStep
from tfelastic.strategies.sensitivity import Sensitivity
from tfelastic.strategies.shares import Mode, Shares, shares
from tfelastic.strategies.uniform import Uniform

__all__ = [
    "STRATEGIES",
    "BlockRemoval",
    "Complexity",
    "Global",
    "Greedy",
    "Importance",
    "Knapsack",
    "Mode",
    "PruningSchedule",
    "PruningStep",
    "PruningTrace",
    "Sensitivity",
    "Shares",
    "Strategy",
    "TraceStep",
    "Uniform",
    "kept_units",
    "ladder",
    "plan",
    "shares",
    "step_of",
]
