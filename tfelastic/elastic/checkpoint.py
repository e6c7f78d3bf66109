"""`LevelFile`: a level's training put aside after every epoch, so that a kill loses one epoch at most."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from tfelastic.elastic.growing_rung import GrowingRung
from tfelastic.errors import TrainingError


@dataclass
class Progress:
    """How far a level's training has come.

    Attributes:
        history: The figures of every epoch that has ended.
        seconds: How long they took.
        validation: The figures on the validation data, once the level is finished.
        finished: Whether nothing is left to do.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    validation: dict[str, float] | None = None
    finished: bool = False


class LevelFile:
    """One level's state in one file: weights, optimizer, progress, and what the training was asked to do.

    Args:
        folder: Where the file lies; `None` keeps nothing.
        name: The level's name.
        settings: What must be the same for a training to go on, as plain data.
    """

    def __init__(self, folder: Path | None, name: str, settings: Mapping[str, Any]) -> None:
        self._path = folder / f"{name}.npz" if folder else None
        # As JSON gives it back, so that both can be compared.
        self._settings = json.loads(json.dumps(settings))

    def save(self, rung: GrowingRung, progress: Progress) -> None:
        """Put the state aside in one step."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"{i:05}": ops.convert_to_numpy(v) for i, v in enumerate(_state(rung))}
        note = json.dumps({"settings": self._settings, "progress": vars(progress)})
        temporary = self._path.with_name(self._path.name + ".part")
        with open(temporary, "wb") as file:
            np.savez(file, note=np.frombuffer(note.encode(), dtype=np.uint8), **arrays)
        os.replace(temporary, self._path)

    def restore(self, rung: GrowingRung) -> Progress:
        """Carry the state over into a compiled level and return its progress; none where there is no file.

        Raises:
            TrainingError: The file is from another training.
        """
        if self._path is None or not self._path.exists():
            return Progress()
        with np.load(self._path, allow_pickle=False) as file:
            note = json.loads(file["note"].tobytes())
            self._compare(note["settings"])
            for index, variable in enumerate(_state(rung)):
                variable.assign(file[f"{index:05}"])
        return Progress(**note["progress"])

    def _compare(self, before: Mapping[str, Any]) -> None:
        if changed := sorted(k for k, v in self._settings.items() if before.get(k) != v):
            raise TrainingError(
                f"{self._path} is from a growing with another {' and another '.join(changed)}; give the same as "
                "before to go on with it, or another checkpoint_dir to start anew"
            )


def _state(rung: GrowingRung) -> list[Any]:
    """Return all that changes in training; metrics start anew with each epoch and are left out."""
    if not rung.optimizer.built:
        rung.optimizer.build(rung.trainable_variables)
    return [*rung.state, *rung.optimizer.variables]
