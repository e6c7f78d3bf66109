"""The one switch of floating-point precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let layers that are made inside compute in `dtype`."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
