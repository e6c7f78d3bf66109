"""What the tests of the graph share: the judge beside this file, the laws' oracles, double precision."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "benchmarks")]


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Build and run every model in double precision."""
    from proof import double_precision

    with double_precision():
        yield
