"""What all experiments stand on: stages, the loop that runs them, and the stages that they share.

A stage takes its inputs from files of the workspace and from earlier stages' results, never from memory, so any of
them can be the first one after a kill.
"""

from pipelines.stages.evaluation import Evaluation, NetFigures
from pipelines.stages.metric import MetricDescription
from pipelines.stages.paired import PairedDifference
from pipelines.stages.run import Run
from pipelines.stages.runner import Prospect, foresee, run_stages, seconds_of
from pipelines.stages.stage import Nothing, Outcome, Stage

__all__ = [
    "Evaluation",
    "MetricDescription",
    "NetFigures",
    "Nothing",
    "Outcome",
    "PairedDifference",
    "Prospect",
    "Run",
    "Stage",
    "foresee",
    "run_stages",
    "seconds_of",
]
