"""What the tests of the graph share: double precision."""

from collections.abc import Iterator

import pytest

from tests.support.precision import precision


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Build and run every model in double precision."""
    with precision("float64"):
        yield
