"""Starts Keras and its backend, without their greetings on the terminal; joins the processes of one training."""

import contextlib
import logging
import os
from dataclasses import dataclass

from pipelines.errors import StageError
from tflite_export import capture_stderr

_COUNT, _ID = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"


@dataclass(frozen=True)
class Cluster:
    """The processes that train together: how many there are, and which of them this one is.

    The first one runs the recipe, the others train with it.
    """

    processes: int = 1
    process: int = 0

    @classmethod
    def of_environment(cls) -> "Cluster":
        """Return what Keras' own environment variables say; one process where they are not set.

        Raises:
            StageError: They are no process of so many.
        """
        try:
            cluster = cls(int(os.environ.get(_COUNT, 1)), int(os.environ.get(_ID, 0)))
        except ValueError:
            cluster = cls(0)
        if not 0 <= cluster.process < cluster.processes:
            raise StageError(
                f"{_ID} counts processes from 0 to one less than {_COUNT}, received {os.environ.get(_ID)!r} and "
                f"{os.environ.get(_COUNT)!r}"
            )
        return cluster


def start_backend() -> None:
    """Import Keras and let its backend look for devices, which it tells at length.

    Where Keras' environment variables name several processes, this one first joins them: on JAX nothing may have been
    computed before.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with capture_stderr():
        import keras
    several = Cluster.of_environment().processes > 1 and keras.backend.backend() == "jax"
    if several:
        _join()
    # A process that cannot reach the others ends in C++, whose last words must not be lost.
    with contextlib.nullcontext() if several else capture_stderr():
        keras.ops.zeros(1)


def _join() -> None:
    import jax
    import keras

    if not jax.distributed.is_initialized():
        keras.distribution.initialize()
