"""How far a block search is, kept in a folder so that it can go on after it was cut short."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from tfelastic.errors import SearchError
from tfelastic.strategies.block_accuracy import Tally
from tfelastic.strategies.block_report import BlockStep


@dataclass
class Progress:
    """What a search has found so far.

    Attributes:
        accuracy: The accuracy of the original; `None` until it is measured.
        steps: The finished steps.
        measured: The candidates of the present step that are measured.
        tally: How far a sweep over the candidates of the present step is.
    """

    accuracy: float | None = None
    steps: list[BlockStep] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    tally: Tally | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        return {
            "accuracy": self.accuracy,
            "steps": [step.to_json() for step in self.steps],
            "measured": dict(self.measured),
            "tally": self.tally.to_json() if self.tally else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Progress":
        """Return the progress that `to_json` gave."""
        return cls(
            data["accuracy"],
            [BlockStep.from_json(step) for step in data["steps"]],
            dict(data["measured"]),
            Tally.from_json(data["tally"]) if data["tally"] else None,
        )


class Checkpoint:
    """A folder with `search.json` and the weights after the last step.

    Each file is written under another name and then renamed; `search.json` comes last, and names the weights that
    belong to it.

    Args:
        folder: Where to keep them; made if missing. `None` keeps nothing.
        request: What is searched for, as plain data; a folder of another search is refused.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, request: Mapping[str, Any]) -> None:
        self._folder = None if folder is None else Path(folder)
        self._request = json.loads(json.dumps(request))

    def load(self) -> Progress:
        """Return what was saved, or a fresh start.

        Raises:
            SearchError: The folder holds another search, or none that can be read.
        """
        if self._folder is None or not self._state.exists():
            return Progress()
        try:
            saved = json.loads(self._state.read_text(encoding="utf-8"))
            request, progress = saved["request"], Progress.from_json(saved["progress"])
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise SearchError(
                f"{self._state} holds no search that can go on: {cause}; remove it"
            ) from cause
        if request != self._request:
            changed = sorted(k for k in self._request if request.get(k) != self._request[k])
            raise SearchError(
                f"{self._folder} holds another search: {', '.join(changed)} differ; "
                "go on with what it was begun with, or give another checkpoint"
            )
        return progress

    def load_weights(self, model: keras.Model, steps: int) -> None:
        """Give `model` the weights that were saved after `steps` steps."""
        model.load_weights(self._weights(steps))

    def save(self, progress: Progress, model: keras.Model | None = None) -> None:
        """Keep the progress, with the weights of the net that a finished step left."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        steps = len(progress.steps)
        if model is not None:
            _replace(self._weights(steps), model.save_weights)
        state = {"request": self._request, "progress": progress.to_json()}
        text = json.dumps(state, indent=1)
        _replace(self._state, lambda path: path.write_text(text, encoding="utf-8"))
        if model is not None:
            self._weights(steps - 1).unlink(missing_ok=True)

    @property
    def _state(self) -> Path:
        assert self._folder is not None
        return self._folder / "search.json"

    def _weights(self, steps: int) -> Path:
        assert self._folder is not None
        return self._folder / f"step{steps:03d}.weights.h5"


def weights_hash(model: keras.Model) -> str:
    """Return a hash of every weight's value."""
    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest()[:16]


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    partial = path.with_name(f"partial_{path.name}")
    write(partial)
    os.replace(partial, path)
