"""What holds for every test: property tests repeat exactly, and a busy machine fails none of them."""

import hypothesis

# Time per example says how busy the machine is, not whether a law holds.
hypothesis.settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")
