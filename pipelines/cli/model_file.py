"""Reading and writing Keras model files for the commands that work on one."""

import contextlib
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli import user_code
from pipelines.cli.waiting import waiting

if TYPE_CHECKING:
    import keras

#: How a model file's name ends.
SUFFIX = ".keras"

_LONGEST_REASON = 400
#: Keras stores without compression, and weights hardly have any; what unpacks to far more was not saved as a model.
_MOST_TIMES = 50
_ALWAYS_FINE_BYTES = 1 << 28


def load(path: str) -> "keras.Model":
    """Return the model in a .keras file.

    Raises:
        click.UsageError: The file is missing or holds no Keras model.
        PermissionError: It may not be read.
    """
    if Path(path).is_dir():
        raise click.UsageError(
            f"{path} is a folder; expected a file, written by model.save(NAME.keras)"
        )
    if not Path(path).exists():
        raise click.UsageError(
            f"there is no file {path}; save your model with model.save({path!r})"
        )
    if not Path(path).is_file():
        raise click.UsageError(f"{path} is no regular file; expected one written by model.save")
    with open(path, "rb"):  # Whether it may be read: what zip and Keras say of that names no file.
        pass
    _refuse_bomb(path)
    with waiting(f"loading {path}"):
        return _loaded(path)


def _loaded(path: str) -> "keras.Model":
    from pipelines.backend import start_backend

    start_backend()
    import keras

    import tfelastic  # noqa: F401 - registers ElasticModel for loading.

    user_code.run_once()
    try:
        return keras.saving.load_model(path)
    except MemoryError:
        raise
    # Every other one, since Keras lets those of zip, HDF5, JSON and its own objects through.
    except Exception as cause:
        with contextlib.suppress(Exception):
            return _without_optimizer(path)
        raise click.ClickException(_not_loaded(path, cause)) from cause


def _without_optimizer(path: str) -> "keras.Model":
    """Load a model apart from its optimizer's state.

    Keras writes none for a model that was compiled and never trained, and then refuses its own file.
    """
    import keras

    model = keras.saving.load_model(path, compile=False)
    with zipfile.ZipFile(path) as archive:
        compiled = json.loads(archive.read("config.json")).get("compile_config")
    if compiled:
        model.compile_from_config(compiled)
    return model


def load_single(path: str) -> "keras.Model":
    """Return the model in a .keras file that is not an elastic network.

    Raises:
        click.UsageError: It is elastic, or the file is missing or holds no Keras model.
    """
    model = load(path)
    import tfelastic as te

    if isinstance(model, te.ElasticModel):
        raise click.UsageError(
            f"{path} holds an elastic network of the rungs {', '.join(model.names)}, which is pruned already: "
            f"'tfelastic export' bundles them all, and net.cut({model.names[-1]!r}) in Python makes one"
        )
    return model


def _refuse_bomb(path: str) -> None:
    """Refuse an archive whose files would fill the memory."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    stored = Path(path).stat().st_size
    if unpacked > max(_MOST_TIMES * stored, _ALWAYS_FINE_BYTES):
        raise click.ClickException(
            f"{path} has {stored:,} bytes and would unpack to {unpacked:,}; no model saved by Keras does, so it is not "
            "opened"
        )


def _not_loaded(path: str, cause: Exception) -> str:
    if not zipfile.is_zipfile(path) and not path.endswith((".h5", ".hdf5")):
        size = Path(path).stat().st_size
        return (
            f"{path} is no .keras file, which is a zip archive, or only a part of one ({size:,} bytes); save the model "
            "again by model.save(NAME.keras)"
        )
    # Keras' first line says what failed, its last one why.
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()] or [""]
    reasons = " ".join(dict.fromkeys(line[:_LONGEST_REASON] for line in (lines[0], lines[-1])))
    text = f"{path} cannot be loaded as a Keras model: {type(cause).__name__}: {reasons}"
    if missing := re.search(r"Could not locate (?:class|function) '([^']+)'", str(cause)):
        return (
            f"{text}\nThe model needs your own {missing[1]!r}: register it with "
            "keras.saving.register_keras_serializable, and name the code that does, as in "
            "tfelastic --import my_layers.py ..."
        )
    return text


def save(model: "keras.Model", path: str) -> None:
    """Write a model to a .keras file in one step."""
    from tfelastic.files import atomic_write

    with atomic_write(path) as temporary:
        model.save(temporary)
