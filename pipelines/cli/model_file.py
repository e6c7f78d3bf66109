"""Reading and writing Keras model files for the commands that work on one."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import keras


def load(path: str) -> "keras.Model":
    """Return the model in a .keras file.

    Raises:
        click.UsageError: The file is missing or holds no Keras model.
    """
    if not Path(path).is_file():
        raise click.UsageError(
            f"there is no file {path}; save your model with model.save({path!r})"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    import tfelastic  # noqa: F401 - registers ElasticModel for loading.

    try:
        return keras.saving.load_model(path)
    except (ValueError, TypeError, OSError) as cause:
        raise click.ClickException(
            f"{path} cannot be loaded as a Keras model: {str(cause).splitlines()[0]}\n"
            "It should be a .keras file; layers of your own must be registered with "
            "keras.saving.register_keras_serializable"
        ) from cause


def save(model: "keras.Model", path: str) -> None:
    """Write a model to a .keras file in one step."""
    if not path.endswith(".keras"):
        raise click.UsageError(f"the output must end in .keras, received {path}")
    target = Path(path)
    if not target.parent.is_dir():
        raise click.UsageError(f"there is no folder {target.parent} to write {target.name} into")
    unfinished = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        model.save(unfinished)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
