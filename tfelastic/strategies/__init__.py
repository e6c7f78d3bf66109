"""Strategies: scores and a budget in, a plan out."""

from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.block_accuracy import Accuracy
from tfelastic.strategies.block_orders import random_blocks, smallest_blocks
from tfelastic.strategies.block_removal import remove_blocks
from tfelastic.strategies.block_report import BlockReport, BlockStep
from tfelastic.strategies.complexity import Complexity, Draw, Trajectory
from tfelastic.strategies.ladder import ladder
from tfelastic.strategies.planning import plan

__all__ = [
    "STRATEGIES",
    "Accuracy",
    "BlockReport",
    "BlockStep",
    "Complexity",
    "Draw",
    "Strategy",
    "Trajectory",
    "ladder",
    "plan",
    "random_blocks",
    "remove_blocks",
    "smallest_blocks",
]
