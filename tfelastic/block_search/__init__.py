"""Block search: residual blocks are removed one by one, by the measured score of the net without each."""

from tfelastic.block_search.evaluation import EvaluationProgress, evaluate_without_each
from tfelastic.block_search.leave_one_out import LeaveOneOutModel
from tfelastic.block_search.objective import SearchObjective
from tfelastic.block_search.orders import random_blocks, smallest_blocks
from tfelastic.block_search.report import BlockReport, BlockStep
from tfelastic.block_search.search import remove_blocks

__all__ = [
    "BlockReport",
    "BlockStep",
    "EvaluationProgress",
    "LeaveOneOutModel",
    "SearchObjective",
    "evaluate_without_each",
    "random_blocks",
    "remove_blocks",
    "smallest_blocks",
]
