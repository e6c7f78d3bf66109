"""What the laws share: the generator and the oracles beside this file, and double precision."""

import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

# Test folders are no packages, so their own modules need a place on the path.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """Build and run every model of a test module in double precision."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
