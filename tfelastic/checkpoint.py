"""`Checkpoint`: the state of a long computation in one file, so that a killed process goes on after its last save."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfelastic.errors import CheckpointError
from tfelastic.files import atomic_write

_FORMAT = "tfelastic checkpoint 1"
_HEADER = "header"


class Checkpoint:
    """A file `.npz` with the values of variables and a record of plain data.

    It holds no pickled object, so a foreign file cannot run code. Every save replaces the file in one step.

    Args:
        path: The file; its folder is made when needed.
        settings: What must be the same for the computation to go on, as plain data.

    Examples:
        >>> import keras, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> checkpoint = Checkpoint(f"{folder.name}/net.npz", {"epochs": 3})
        >>> variable = keras.Variable([1.0, 2.0])
        >>> checkpoint.save({"epoch": 1}, [variable])
        >>> _ = variable.assign([0.0, 0.0])
        >>> checkpoint.restore([variable])
        {'epoch': 1}
        >>> float(variable[1])
        2.0
        >>> folder.cleanup()
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: Mapping[str, Any] | None = None
    ) -> None:
        self.path = Path(path)
        # As JSON gives it back, so that both can be compared.
        self._settings: dict[str, Any] = json.loads(json.dumps(settings or {}))

    def save(self, record: Mapping[str, Any], variables: Sequence[Any] = ()) -> None:
        """Write the record and the variables' values.

        Args:
            record: Plain data.
            variables: Keras variables, in an order that `restore` is given again.

        Raises:
            OSError: The file cannot be written.
        """
        header = {
            "format": _FORMAT,
            "settings": self._settings,
            "record": record,
            "variables": [variable.path for variable in variables],
        }
        arrays: dict[str, Any] = {
            _entry(index): _to_numpy(variable) for index, variable in enumerate(variables)
        }
        arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    def restore(self, variables: Sequence[Any] = ()) -> dict[str, Any] | None:
        """Give the variables their saved values and return the record; `None` where there is no file.

        Everything is checked before the first variable changes.

        Args:
            variables: As many variables as were saved, of the same shapes and dtypes in the same order.

        Raises:
            CheckpointError: The file is damaged, no checkpoint, or of another computation.
        """
        if not self.path.exists():
            return None
        with self._reading() as file:
            header = self._header(file)
            self._compare(header["settings"])
            arrays = self._arrays(file, header, variables)
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        record: dict[str, Any] = header["record"]
        return record

    def remove(self) -> None:
        """Delete the file, where there is one."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            # A file that NumPy opened by name and cannot read stays open.
            with open(self.path, "rb") as opened:
                file = np.load(opened, allow_pickle=False)
                if not isinstance(file, np.lib.npyio.NpzFile):
                    raise CheckpointError(self._damage("it holds one array"))
                with file:
                    yield file
        except CheckpointError:
            raise
        # Damaged archives make zipfile, zlib and NumPy raise a dozen unrelated errors.
        except Exception as cause:
            raise CheckpointError(self._damage(str(cause))) from cause

    def _damage(self, reason: str) -> str:
        return (
            f"{self.path} is damaged or no checkpoint of tfelastic: {reason}; "
            "delete it to start anew"
        )

    def _header(self, file: Any) -> dict[str, Any]:
        header: dict[str, Any] = json.loads(file[_HEADER].tobytes())
        if header["format"] != _FORMAT:
            raise CheckpointError(
                f"{self.path} is of format {header['format']!r}, this version reads {_FORMAT!r}; "
                "delete it to start anew"
            )
        if not isinstance(header["settings"], dict) or not isinstance(header["record"], dict):
            raise CheckpointError(self._damage("its settings or its record are no mapping"))
        return header

    def _compare(self, before: Mapping[str, Any]) -> None:
        if changed := sorted(
            key for key in {*before, *self._settings} if before.get(key) != self._settings.get(key)
        ):
            raise CheckpointError(
                f"{self.path} was begun with another {' and another '.join(changed)}; give the same as before to "
                "go on with it, or another place for checkpoints to start anew"
            )

    def _arrays(
        self, file: Any, header: Mapping[str, Any], variables: Sequence[Any]
    ) -> list[np.ndarray]:
        saved = header["variables"]
        if len(saved) != len(variables):
            raise CheckpointError(
                f"{self.path} holds {len(saved)} variables, the model and its optimizer have {len(variables)}: "
                "it is of another model; delete it to start anew"
            )
        arrays = [file[_entry(index)] for index in range(len(saved))]
        for name, array, variable in zip(saved, arrays, variables, strict=True):
            now = _to_numpy(variable)
            if (array.shape, array.dtype) != (now.shape, now.dtype):
                raise CheckpointError(
                    f"{self.path} holds {name!r} as {array.dtype} {array.shape}, here {variable.path!r} is "
                    f"{now.dtype} {now.shape}: it is of another model; delete it to start anew"
                )
        return arrays


def _entry(index: int) -> str:
    return f"{index:05}"


def _to_numpy(variable: Any) -> np.ndarray:
    array = keras.ops.convert_to_numpy(variable)
    # NumPy's files know no bfloat16; float32 holds each of its values.
    return array.astype("float32") if array.dtype.kind == "V" else array
