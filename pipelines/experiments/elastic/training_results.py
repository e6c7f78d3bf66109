"""What the trainings of a ladder leave: accuracies of all rungs, and epochs."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.records import Record
from pipelines.stages.history import History


@dataclass(frozen=True)
class JointlyTrained(Record):
    """The accuracy of every rung on the test images, and the epochs of the one training."""

    accuracy: dict[str, float]
    history: History


@dataclass(frozen=True)
class TrainedIndependently(Record):
    """The accuracy of every rung's own net on the test images, and the epochs of each."""

    accuracy: dict[str, float]
    histories: dict[str, History]


@dataclass(frozen=True)
class Grown(Record):
    """The accuracy of every rung on the test images, and the epochs of each level, the narrowest first."""

    accuracy: dict[str, float]
    histories: dict[str, History]


def summary(accuracy: Mapping[str, float]) -> str:
    """Return the accuracies of all rungs in one line."""
    return "  ".join(f"{name} {100 * share:.2f} %" for name, share in accuracy.items())
