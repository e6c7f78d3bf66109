"""What every run's metrics.json holds; an experiment adds what it found."""

from dataclasses import dataclass, field
from typing import Any

from pipelines.records import Record
from pipelines.stages.baseline import TrainedBaseline
from pipelines.stages.data import DataDescription
from pipelines.stages.history import History
from pipelines.stages.metric import MetricDescription


@dataclass(frozen=True)
class Machine(Record):
    """Where latencies were measured, and how."""

    device: dict[str, Any]
    threads: int
    runs: int


@dataclass(frozen=True, kw_only=True)
class Metrics(Record):
    """The figures of a finished run, and all that it takes to reproduce them.

    Attributes:
        experiment: The kind of run.
        name: The recipe's name.
        command: The command line that does it again.
        seed: The recipe's seed.
        fingerprint: The recipe's fingerprint.
        data: The data.
        data_sha256: The sha256, in hex, over every value of the data; empty where it was not kept.
        baseline: The stand-alone net.
        trainings: The epochs of every other training, by what it trained.
        profile: Where latencies were measured.
        seconds: How long each stage took.
        versions: The versions of what decides a run's numbers.
        recipe: The whole recipe.
    """

    experiment: str
    name: str
    command: str
    seed: int
    fingerprint: str
    data: DataDescription
    data_sha256: str = ""
    baseline: TrainedBaseline
    trainings: dict[str, History] = field(default_factory=dict)
    profile: Machine
    seconds: dict[str, float]
    versions: dict[str, str]
    recipe: dict[str, Any]

    @property
    def metric(self) -> MetricDescription:
        """What all nets of the run are scored by."""
        return self.baseline.metric
