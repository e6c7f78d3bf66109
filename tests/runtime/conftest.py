"""The conformance folder, and the golden bundles in it."""

from pathlib import Path

import pytest
from tfelastic_runtime import Bundle


@pytest.fixture(scope="session")
def conformance() -> Path:
    return Path(__file__).parents[2] / "runtime" / "conformance"


@pytest.fixture(scope="session")
def interfaces(conformance: Path) -> Bundle:
    """Three inputs, four outputs, and variants of every dtype; lower scores are better."""
    return Bundle.open(conformance / "interfaces.elastic")


@pytest.fixture(scope="session")
def bundle(conformance: Path) -> Bundle:
    return Bundle.open(conformance / "golden.elastic")
