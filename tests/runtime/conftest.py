"""The conformance folder, and the golden bundle in it."""

from pathlib import Path

import hypothesis
import pytest
from tfelastic_runtime import Bundle

# Time per example says how busy the machine is, not whether a law holds.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def conformance() -> Path:
    return Path(__file__).parents[2] / "runtime" / "conformance"


@pytest.fixture(scope="session")
def golden(conformance: Path) -> bytes:
    return (conformance / "golden.elastic").read_bytes()


@pytest.fixture(scope="session")
def bundle(conformance: Path) -> Bundle:
    return Bundle.open(conformance / "golden.elastic")
