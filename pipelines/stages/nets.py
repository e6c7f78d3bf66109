"""Nets that stages leave for later ones, as files of the workspace."""

from typing import TYPE_CHECKING, Any

from pipelines.stages.run import Run

if TYPE_CHECKING:
    import keras


def load_net(run: Run[Any], file: str) -> "keras.Model":
    """Return a net of the workspace; it is not compiled, since every training compiles anew."""
    import keras

    import tfelastic as te  # noqa: F401 (registers ElasticModel for loading)

    return keras.saving.load_model(run.path(file), compile=False)
