"""What holds for every test: property tests repeat exactly, a busy machine fails none of them, slow ones come first."""

from collections import Counter

import hypothesis
import pytest

# Time per example says how busy the machine is, not whether a law holds.
hypothesis.settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files of tests: those with slow tests first, then those of many tests.

    Workers take whole files in turn. One with a long test must not begin last.
    """
    counts = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, -counts[item.path], item.path))
