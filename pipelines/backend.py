"""Starts Keras and its backend, without their greetings on the terminal."""

import logging
import os

from tflite_export import capture_stderr


def start_backend() -> None:
    """Import Keras and let its backend look for devices, which it tells at length."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with capture_stderr():
        import keras

        keras.ops.zeros(1)
