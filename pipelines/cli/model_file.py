"""Reading and writing Keras model files for the commands that work on one."""

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
    from pipelines.backend import start_backend

    start_backend()
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


def check_output(path: str) -> None:
    """Make sure that a model can be written to a path, before any work is done for it.

    Raises:
        click.UsageError: The path does not end in .keras, or its folder does not exist.
    """
    if not path.endswith(".keras"):
        raise click.UsageError(f"the output must end in .keras, received {path}")
    if not Path(path).parent.is_dir():
        raise click.UsageError(
            f"there is no folder {Path(path).parent} to write {Path(path).name} into"
        )


def save(model: "keras.Model", path: str) -> None:
    """Write a model to a .keras file in one step."""
    from tfelastic.files import atomic_write

    check_output(path)
    with atomic_write(path) as temporary:
        model.save(temporary)
