"""The C++ library, compiled as a device's compiler would."""

import pytest

from tests.support.cpp_driver import SANITIZED, Ask, asking


@pytest.fixture(scope="session")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the library as it is shipped."""
    return asking(tmp_path_factory.mktemp("cpp"), "-O2")


@pytest.fixture(scope="session")
def ask_sanitized(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the library where any undefined behaviour, or a byte read beyond a range, ends it."""
    return asking(tmp_path_factory.mktemp("cpp"), *SANITIZED)
