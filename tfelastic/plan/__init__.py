"""Plans: what a pruned model keeps, as data that can be read, replayed and compared."""

from tfelastic.plan.keep_plan import KeepPlan
from tfelastic.plan.ladder import Ladder, Rung
from tfelastic.plan.selection import Selection

__all__ = ["KeepPlan", "Ladder", "Rung", "Selection"]
