"""Starts Keras and its backend, without their greetings on the terminal."""

import logging
import os

from tflite_export.quantize.quiet import quietly


def start_backend() -> None:
    """Import Keras and let its backend look for devices, which it tells at length."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with quietly():
        import keras

        keras.ops.zeros(1)
