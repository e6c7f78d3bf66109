"""Plans: what a pruned model keeps, as data that can be read, replayed and compared."""

from tfelastic._plan.keep_plan import KeepPlan
from tfelastic._plan.ladder import Ladder, Rung
from tfelastic._plan.selection import Selection

__all__ = ["KeepPlan", "Ladder", "Rung", "Selection"]
