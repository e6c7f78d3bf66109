"""What the laws share: double precision."""

from collections.abc import Iterator

import pytest

from tests.support.precision import precision


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """Build and run every model of a test module in double precision, as hypothesis demands of a fixture."""
    with precision("float64"):
        yield
