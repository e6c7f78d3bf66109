"""tfelastic: turn a Keras 3 CNN into one elastic network that is switched at run time."""

from tfelastic.graph import rule, trace
from tfelastic.plan import KeepPlan
from tfelastic.surgery import prune

__version__ = "0.1.0"

__all__ = ["KeepPlan", "prune", "rule", "trace"]
