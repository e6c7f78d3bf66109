"""`SearchProgress`: how far a block search has come, kept in a folder so that an interrupted search can resume."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from tfelastic.block_search.evaluation import EvaluationProgress
from tfelastic.block_search.report import BlockStep
from tfelastic.checkpoint import Checkpoint
from tfelastic.errors import CheckpointError


@dataclass
class SearchProgress:
    """What a search has found so far.

    Attributes:
        score: The score of the original; `None` until it is measured.
        steps: The finished steps.
        measured: The candidates of the present step that are measured.
        evaluation: How far the evaluation of all candidates of the present step has come.
    """

    score: float | None = None
    steps: list[BlockStep] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    evaluation: EvaluationProgress | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        return {
            "score": self.score,
            "steps": [step.to_json() for step in self.steps],
            "measured": dict(self.measured),
            "evaluation": self.evaluation.to_json() if self.evaluation else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SearchProgress":
        """Return the progress that `to_json` gave."""
        return cls(
            data["score"],
            [BlockStep.from_json(step) for step in data["steps"]],
            dict(data["measured"]),
            EvaluationProgress.from_json(data["evaluation"]) if data["evaluation"] else None,
        )


class SearchCheckpoint:
    """A folder with `search.npz`, the progress, and the weights after the last step.

    The progress is written last, and its number of steps names the weights that belong to it.

    Args:
        folder: Where to keep them; made if missing. `None` keeps nothing.
        request: What is searched for, as plain data; a folder of another search is refused.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, request: Mapping[str, Any]) -> None:
        self._folder = None if folder is None else Path(folder)
        self._request = request

    def load(self) -> SearchProgress:
        """Return what was saved, or a fresh start.

        Raises:
            CheckpointError: The folder holds another search, or none that can be read.
        """
        record = None if self._folder is None else self._progress.restore()
        if record is None:
            return SearchProgress()
        try:
            return SearchProgress.from_json(record)
        except (KeyError, TypeError, ValueError) as cause:
            raise CheckpointError(
                f"{self._progress.path} holds no search that can go on: {cause}; delete it to start anew"
            ) from cause

    def load_weights(self, model: keras.Model, steps: int) -> None:
        """Give `model` the weights that were saved after `steps` steps.

        Raises:
            CheckpointError: They are missing or damaged.
        """
        weights = self._weights(steps)
        if weights.restore(model.variables) is None:
            raise CheckpointError(
                f"{weights.path} is missing; delete {self._progress.path} to start the search anew"
            )

    def save(self, progress: SearchProgress, model: keras.Model | None = None) -> None:
        """Keep the progress, with the weights of the net that a finished step left."""
        if self._folder is None:
            return
        steps = len(progress.steps)
        if model is not None:
            self._weights(steps).save({}, model.variables)
        self._progress.save(progress.to_json())
        if model is not None:
            self._weights(steps - 1).remove()

    @property
    def _progress(self) -> Checkpoint:
        return self._file("search")

    def _weights(self, steps: int) -> Checkpoint:
        return self._file(f"step{steps:03d}")

    def _file(self, name: str) -> Checkpoint:
        assert self._folder is not None
        return Checkpoint(self._folder / f"{name}.npz", self._request)


def weights_hash(model: keras.Model) -> str:
    """Return a hash of every weight's value."""
    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest()[:16]
